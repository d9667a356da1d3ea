import JSON

/// A file of the LoRA family, opened: its modules, each of which changes one layer of a model.
///
/// Which layers those are is for a model to say; see `AdapterNames`.
public final class AdapterFile: Sendable {
  /// The path that the file was opened by, for messages.
  public let path: String
  /// The free text that the file's writer left.
  public let metadata: [String: String]
  /// By what the file calls the layer, in the order of names.
  let modules: [(name: String, module: AdapterModule)]
  let tensors: [String: WeightTensor]

  /// Opens the file at `path` and sorts its tensors into modules; no weight is read.
  ///
  /// Throws what `TensorFile` throws, and `WeightError.adapter` for a kind that is not supported or a module that lacks
  /// a part.
  public convenience init(path: String) throws(WeightError) {
    let file = try TensorFile(path: path)
    try self.init(path: path, tensors: file.tensors, metadata: file.metadata)
  }

  init(path: String, tensors: [String: WeightTensor], metadata: [String: String]) throws(WeightError) {
    self.path = path
    self.metadata = metadata
    self.tensors = tensors
    let settings = PEFTSettings(metadata)
    var parts: [String: [AdapterPart: WeightTensor]] = [:]
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

  /// Throws `WeightError.changed` if the file was written to since it was opened: its weights are then not those of the
  /// digest.
  public func requireUnchanged() throws(WeightError) {
    try tensors.values.first?.file.requireUnchanged()
  }

  /// What family of models the file says that it is for, or looks like; nothing where it does not tell.
  public var family: String? {
    let version = metadata["ss_base_model_version"] ?? ""
    if version.hasPrefix("sdxl") { return "Stable Diffusion XL" }
    if version.hasPrefix("sd_v2") || metadata["ss_v2"] == "True" { return "Stable Diffusion 2.x" }
    if version.hasPrefix("sd_v1") { return "Stable Diffusion 1.x" }
    let names = modules.map(\.name)
    func has(_ texts: String...) -> Bool { names.contains { name in texts.contains { name.contains($0) } } }
    if has("double_blocks", "single_transformer_blocks") { return "Flux" }
    if has("joint_blocks", "transformer.transformer_blocks") { return "Stable Diffusion 3" }
    // No other family has more than one transformer block in a row.
    if has("lora_te2_", "text_encoder_2.", "transformer_blocks_1_", "transformer_blocks.1.") {
      return "Stable Diffusion XL"
    }
    // The context that cross-attention reads is as wide as the text encodings.
    let keys = modules.first { $0.name.hasSuffix("attn2_to_k") || $0.name.hasSuffix("attn2.to_k") }
    switch keys?.module.rowSize {
    case 768: return "Stable Diffusion 1.x"
    case 1024: return "Stable Diffusion 2.x"
    case 2048: return "Stable Diffusion XL"
    default: return nil
    }
  }

  /// Why a tensor's name is none that this version reads.
  private static func unknown(_ name: String) -> String {
    if let kind = AdapterPart.unsupportedKind(name) {
      return "its tensor \(name.abridged) is of the kind \(kind), which is not supported by this version; "
        + "LoRA, LoCon, LoHa, LoKr, DoRA, IA3, norms and full differences are"
    }
    return "its tensor \(name.abridged) is no part of a LoRA, LoCon, LoHa, LoKr, DoRA, IA3 or a difference"
  }
}

/// What the PEFT library says of scales beside the tensors, in a file's metadata.
private struct PEFTSettings {
  private var settings: [(prefix: String, members: JSONValue)] = []

  /// Reads what diffusers writes under `lora_adapter_metadata`: one object whose keys begin with the network's name.
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

  /// alpha/rank, or alpha/√rank for a rank-stabilised adapter; nothing where nothing is said.
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
