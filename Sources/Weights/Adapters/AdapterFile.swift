import JSON
import TensorFiles
import Text

/// An opened file of the LoRA family, with its modules. Each module changes one layer of a model.
///
/// `AdapterNames` finds the layers in a model.
public final class AdapterFile: Sendable {
  /// The path that the file was opened by, for messages.
  public let path: String
  /// The metadata of the file.
  public let metadata: [String: String]
  /// The modules with the layers' names in the file, sorted by name.
  let modules: [(name: String, module: AdapterModule)]
  let tensors: [String: StoredTensor]

  /// Opens the file at `path` and groups its tensors into modules; no weight is read.
  ///
  /// Throws `WeightError.file`, and `.adapter` for a kind of adapter that is not supported or a module that lacks a part.
  public convenience init(path: String) throws(WeightError) {
    let file = try WeightError.wrapping(try TensorFile(path: path))
    try self.init(path: path, tensors: file.tensors, metadata: file.metadata)
  }

  init(path: String, tensors: [String: StoredTensor], metadata: [String: String]) throws(WeightError) {
    self.path = path
    self.metadata = metadata
    self.tensors = tensors
    let settings = PEFTSettings(metadata)
    var parts: [String: [AdapterPart: StoredTensor]] = [:]
    for (name, tensor) in tensors {
      guard let (layer, part) = AdapterPart.split(name) else {
        throw .adapter(path: path, reason: Self.unknown(name))
      }
      guard parts[layer, default: [:]].updateValue(tensor, forKey: part) == nil else {
        throw .adapter(path: path, reason: "it has the \(part.rawValue) of \(layer.abridged) twice")
      }
    }
    var modules: [(name: String, module: AdapterModule)] = []
    for layer in parts.keys.sorted() {
      let module = try AdapterModule(
        path: path, name: layer, parts: parts[layer] ?? [:], defaultScale: { settings.scale(of: layer, rank: $0) })
      modules.append((layer, module))
    }
    guard !modules.isEmpty else { throw .adapter(path: path, reason: "it holds no tensors") }
    self.modules = modules
  }

  /// Throws `TensorFileError.changed` if the file was written to since it was opened, because its weights may then differ
  /// from its digest.
  public func requireUnchanged() throws(TensorFileError) {
    try tensors.values.first?.file.requireUnchanged()
  }

  /// The family of models that the adapter is for, by its metadata or its layers; nil if it is unknown.
  public var family: String? {
    let version = metadata["ss_base_model_version"] ?? ""
    if version.hasPrefix("sdxl") { return "Stable Diffusion XL" }
    if version.hasPrefix("sd_v2") || metadata["ss_v2"] == "True" { return "Stable Diffusion 2.x" }
    if version.hasPrefix("sd_v1") { return "Stable Diffusion 1.x" }
    let names = modules.map(\.name)
    func has(_ texts: String...) -> Bool { names.contains { name in texts.contains { name.contains($0) } } }
    if has("double_blocks", "single_transformer_blocks") { return "Flux" }
    if has("joint_blocks", "transformer.transformer_blocks") { return "Stable Diffusion 3" }
    // Only this family has several transformer blocks in sequence.
    if has("lora_te2_", "text_encoder_2.", "transformer_blocks_1_", "transformer_blocks.1.") {
      return "Stable Diffusion XL"
    }
    // The context of cross-attention is as wide as the text encodings.
    let keys = modules.first { $0.name.hasSuffix("attn2_to_k") || $0.name.hasSuffix("attn2.to_k") }
    switch keys?.module.rowSize {
    case 768: return "Stable Diffusion 1.x"
    case 1024: return "Stable Diffusion 2.x"
    case 2048: return "Stable Diffusion XL"
    default: return nil
    }
  }

  /// The message for a tensor whose name this version does not know.
  private static func unknown(_ name: String) -> String {
    if let kind = AdapterPart.unsupportedKind(name) {
      return "its tensor \(name.abridged) is of the kind \(kind), which is not supported by this version; "
        + "LoRA, LoCon, LoHa, LoKr, DoRA, IA3, norms and full differences are"
    }
    return "its tensor \(name.abridged) is not part of a LoRA, LoCon, LoHa, LoKr, DoRA, IA3 or a difference"
  }
}

/// The scales that the PEFT library stores in a file's metadata.
private struct PEFTSettings {
  private var settings: [(prefix: String, members: JSONValue)] = []

  /// Reads `lora_adapter_metadata`, which diffusers writes: one object whose keys begin with the network's name.
  init(_ metadata: [String: String]) {
    guard let text = metadata["lora_adapter_metadata"], let json = try? JSONValue(parsing: text),
      case .object(let members) = json
    else { return }
    var byNetwork: [String: [JSONMember]] = [:]
    for member in members {
      let network = ["unet.", "text_encoder.", "text_encoder_2."].first { member.name.hasPrefix($0) } ?? ""
      byNetwork[network, default: []].append(JSONMember(String(member.name.dropFirst(network.count)), member.value))
    }
    settings = byNetwork.map { ($0.key, .object($0.value)) }.sorted { $0.prefix.utf8.count > $1.prefix.utf8.count }
  }

  /// alpha/rank, or alpha/√rank for a rank-stabilised adapter; nil if there is no alpha.
  func scale(of layer: String, rank: Int) -> Float? {
    guard let found = settings.first(where: { layer.hasPrefix($0.prefix) })?.members else { return nil }
    func number(_ value: JSONValue?) -> Double? {
      switch value {
      case .integer(let value): Double(value)
      case .number(let value): value
      default: nil
      }
    }
    var alpha = number(found["lora_alpha"])
    if case .object(let patterns) = found["alpha_pattern"] {
      let own = patterns.first { layer == $0.name || layer.hasSuffix("." + $0.name) }
      alpha = number(own?.value) ?? alpha
    }
    guard let alpha else { return nil }
    let isStabilised = found["use_rslora"] == .bool(true)
    return Float(alpha / (isStabilised ? Double(rank).squareRoot() : Double(rank)))
  }
}
