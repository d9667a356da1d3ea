import JSON
import Text

/// The PEFT library's settings of an adapter that its tensors do not show: above all alpha.
///
/// PEFT writes them to `adapter_config.json` next to the weights, and diffusers into a file's metadata. A setting that this
/// version does not implement as PEFT does is an error, because ignoring it would silently change the image.
struct PEFTSettings: Sendable {
  /// The file that PEFT writes next to `adapter_model.safetensors`.
  static let fileName = "adapter_config.json"

  /// The scale of a module.
  struct Scale: Sendable {
    let alpha: Float
    let factor: Float
  }

  /// The settings for the layers of one network.
  private struct Network: Sendable {
    /// The beginning of the names of its layers; empty for all layers.
    var prefix: String
    var kind: Kind
    /// nil if the settings have no alpha.
    var alpha: Double?
    var rank: Int?
    var alphas: [(pattern: LayerPattern, alpha: Double)] = []
    var ranks: [(pattern: LayerPattern, rank: Int)] = []
    var isStabilised = false
    /// Whether modules have magnitudes; nil if unknown.
    var isDoRA: Bool?
  }

  /// The kinds of adapters that PEFT and this program implement in the same way, except for the settings.
  private enum Kind: String, CaseIterable, Sendable {
    case lora = "LORA"
    case loha = "LOHA"
    case lokr = "LOKR"
  }

  private var networks: [Network] = []
  /// Where the settings are, for messages.
  private let source: String

  /// Reads `lora_adapter_metadata`, which diffusers writes: one object whose keys start with the network's name.
  ///
  /// Throws `WeightError.adapter`.
  init(metadata: [String: String], path: String) throws(WeightError) {
    source = "its metadata (lora_adapter_metadata)"
    guard let text = metadata["lora_adapter_metadata"], let json = try? JSONValue(parsing: text),
      case .object(let members) = json
    else { return }
    var byNetwork: [(prefix: String, members: [JSONMember])] = []
    for member in members {
      let prefix = ["unet.", "text_encoder.", "text_encoder_2."].first { member.name.hasPrefix($0) } ?? ""
      let inner = JSONMember(String(member.name.dropFirst(prefix.count)), member.value)
      if let index = byNetwork.firstIndex(where: { $0.prefix == prefix }) {
        byNetwork[index].members.append(inner)
      } else {
        byNetwork.append((prefix, [inner]))
      }
    }
    for (prefix, members) in byNetwork.sorted(by: { $0.prefix.utf8.count > $1.prefix.utf8.count }) {
      networks.append(try network(prefix: prefix, members, path: path))
    }
  }

  /// Reads `adapter_config.json`. A setting that is missing has PEFT's default.
  ///
  /// Throws `WeightError.adapter`, and `.file` for a file that cannot be read.
  init(file: ConfigurationFile) throws(WeightError) {
    source = Self.fileName
    // Sort them, so that if several settings are unusable, the same one is reported every time.
    let members = file.values.sorted { $0.key < $1.key }.map { JSONMember($0.key, $0.value) }
    var network = try network(prefix: "", members, path: file.path)
    network.alpha = network.alpha ?? 8
    network.rank = network.rank ?? 8
    if network.isDoRA == nil, network.kind == .lora { network.isDoRA = false }
    networks = [network]
  }

  /// The scale of a module that has no alpha of its own.
  ///
  /// - Parameters:
  ///   - layer: The layer's name in the file.
  ///   - rank: The module's rank; nil for a module without one.
  ///   - hasMagnitude: Whether the module has DoRA's magnitudes.
  /// - Returns: The scale; nil if there are no settings for the module.
  /// - Throws: `Misfit` if the module does not fit the settings.
  func scale(of layer: String, rank: Int?, hasMagnitude: Bool) throws(Misfit) -> Scale? {
    guard let network = networks.first(where: { layer.hasPrefix($0.prefix) }) else { return nil }
    let name = AdapterPrefix.readings(of: String(layer.dropFirst(network.prefix.count))).first?.rest ?? layer[...]
    let expected = network.ranks.first { $0.pattern.matches(name) }?.rank ?? network.rank
    if let rank, let expected, rank != expected, source == Self.fileName, network.kind != .lokr {
      throw Misfit(reason: "has the rank \(rank), but \(source) says \(expected)")
    }
    if let isDoRA = network.isDoRA, isDoRA != hasMagnitude, rank != nil, source == Self.fileName {
      throw Misfit(
        reason: "has \(hasMagnitude ? "a" : "no") lora_magnitude_vector, but \(source) says use_dora: \(isDoRA)")
    }
    guard let alpha = network.alphas.first(where: { $0.pattern.matches(name) })?.alpha ?? network.alpha else {
      return nil
    }
    // PEFT divides by the rank in its settings, even where a matrix is stored whole.
    guard let rank = network.kind == .lokr ? expected ?? rank : rank else { return nil }
    return Scale(
      alpha: Float(alpha), factor: Float(alpha / (network.isStabilised ? Double(rank).squareRoot() : Double(rank))))
  }

  /// Why a module does not fit the settings.
  struct Misfit: Error {
    let reason: String
  }

  // MARK: Reading

  /// Settings that do not affect a finished adapter, or that its tensors show.
  private static let harmless: Set<String> = [
    "peft_type", "task_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision", "inference_mode",
    "target_modules", "exclude_modules", "lora_dropout", "rank_dropout", "module_dropout", "rank_dropout_scale",
    // PEFT ignores this for the kinds of layers that these models have.
    "fan_in_fan_out",
    "bias", "modules_to_save", "lora_bias", "layers_to_transform", "layers_pattern", "megatron_config", "megatron_core",
    "loftq_config", "eva_config", "corda_config", "lora_ga_config", "velora_config", "runtime_config",
    "qalora_group_size", "ensure_weight_tying", "use_effective_conv2d", "decompose_both", "decompose_factor",
  ]

  /// The kinds of initialisation that do not change the model's own weights.
  private static let harmlessStarts = ["gaussian", "eva", "orthogonal", "lycoris", "True", "true"]

  private func network(
    prefix: String, _ members: [JSONMember], path: String
  ) throws(WeightError) -> Network {
    let source = source
    func unusable(_ key: String, _ value: JSONValue, _ expected: String) -> WeightError {
      .adapter(path: path, reason: "\(source): \(key.abridged) is \("\(value)".abridged), expected \(expected)")
    }
    var network = Network(prefix: prefix, kind: .lora)
    for member in members {
      let (key, value) = (member.name, member.value)
      switch key {
      case "peft_type":
        guard case .string(let name) = value, let kind = Kind(rawValue: name) else {
          throw unusable(key, value, Kind.allCases.map(\.rawValue).joined(separator: ", ") + " in this version")
        }
        network.kind = kind
      case "r":
        guard let rank = Self.rank(value) else { throw unusable(key, value, "a whole number from 1") }
        network.rank = rank
      case "lora_alpha", "alpha":
        guard let alpha = value.finiteNumber else { throw unusable(key, value, "a number") }
        network.alpha = alpha
      case "alpha_pattern", "rank_pattern":
        guard value != .null else { continue }
        guard case .object(let patterns) = value else { throw unusable(key, value, "an object") }
        for member in patterns {
          guard let pattern = LayerPattern(member.name) else {
            throw unusable(key, .string(member.name), "a regular expression for names of layers")
          }
          if key == "alpha_pattern" {
            guard let alpha = member.value.finiteNumber else { throw unusable(key, member.value, "numbers") }
            network.alphas.append((pattern, alpha))
          } else {
            guard let rank = Self.rank(member.value) else { throw unusable(key, member.value, "whole numbers from 1") }
            network.ranks.append((pattern, rank))
          }
        }
      case "use_rslora", "use_dora":
        guard case .bool(let isOn) = value else { throw unusable(key, value, "true or false") }
        if key == "use_rslora" { network.isStabilised = isOn } else { network.isDoRA = isOn }
      case "init_lora_weights", "init_weights":
        if case .string(let start) = value, !Self.harmlessStarts.contains(start) {
          throw unusable(
            key, value,
            "an initialisation that leaves the model's weights as they are; convert the adapter with PEFT's "
              + "path_initial_model_for_weight_conversion")
        }
      default:
        guard !Self.harmless.contains(key), !value.isUnset else { continue }
        throw unusable(key, value, "no such setting, because this version does not support it")
      }
    }
    return network
  }

  private static func rank(_ value: JSONValue) -> Int? {
    guard let number = value.finiteNumber, let rank = Int(exactly: number), (1...1 << 20).contains(rank) else {
      return nil
    }
    return rank
  }
}

extension JSONValue {
  fileprivate var finiteNumber: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value.isFinite ? value : nil
    default: nil
    }
  }

  /// Whether this value means that a setting is off.
  fileprivate var isUnset: Bool {
    switch self {
    case .null, .bool(false), .string(""): true
    case .array(let elements): elements.isEmpty
    case .object(let members): members.isEmpty
    default: false
    }
  }
}

/// A regular expression for the end of a layer's name, as in PEFT's `rank_pattern` and `alpha_pattern`.
///
/// It must match whole dotted components up to the end of the name: `(.*\.)?(PATTERN)$`.
private struct LayerPattern: @unchecked Sendable {
  private static let lengthLimit = 1000

  private enum Form {
    /// Letters and dots, where a dot matches any character; from the start of the name, or from any component.
    case plain([UInt8], fromStart: Bool)
    case expression(Regex<AnyRegexOutput>)
  }

  // A Regex is immutable, but not marked Sendable.
  private let form: Form

  /// Creates a pattern; nil if the text is not a regular expression.
  init?(_ text: String) {
    guard text.utf8.count <= Self.lengthLimit else { return nil }
    let isFromStart = text.hasPrefix("^")
    let plain = Array(text.utf8.dropFirst(isFromStart ? 1 : 0))
    let isWord = { (byte: UInt8) in
      byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_") || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
        || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20
    }
    if plain.allSatisfy(isWord) {
      form = .plain(plain, fromStart: isFromStart)
    } else if let expression = try? Regex("(?:.*\\.)?(?:\(text))$") {
      form = .expression(expression)
    } else {
      return nil
    }
  }

  func matches(_ name: Substring) -> Bool {
    switch form {
    case .plain(let pattern, let isFromStart):
      let name = Array(name.utf8)
      guard name.count >= pattern.count else { return false }
      let rest = name.count - pattern.count
      guard rest == 0 || (!isFromStart && name[rest - 1] == UInt8(ascii: ".")) else { return false }
      return zip(pattern, name[rest...]).allSatisfy { $0 == $1 || $0 == UInt8(ascii: ".") }
    case .expression(let expression):
      return (try? expression.prefixMatch(in: name)) != nil
    }
  }
}
