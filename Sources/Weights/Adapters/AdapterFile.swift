import Foundation
import TensorFiles
import Text

/// An opened file of the LoRA family, with its modules. Each module changes one layer of a model.
///
/// `AdapterNames` finds the layers in a model.
public final class AdapterFile: Sendable {
  /// The path with which the file was opened, for messages.
  public let path: String
  /// The metadata of the file.
  public let metadata: [String: String]
  /// The modules with the layers' names in the file, sorted by name.
  let modules: [(name: String, module: AdapterModule)]
  let tensors: [String: StoredTensor]
  /// The embeddings in the file, sorted by name. Prompts may name them while the adapter is in use.
  public let embeddings: [(name: String, file: EmbeddingFile)]
  /// The file with PEFT's settings, if they affect the adapter; nil for other adapters.
  private let settingsFile: ByteFile?

  /// The names of files in the same folder that also affect the adapter, so that they are part of its digest.
  public var companions: [String] { settingsFile == nil ? [] : [PEFTSettings.fileName] }

  /// Opens the file at `path` and groups its tensors into modules; it reads no weights.
  ///
  /// PEFT's `adapter_config.json` next to the file is read if it belongs to the file.
  ///
  /// Throws `WeightError.file`, and `.adapter` for a kind of adapter that is not supported or a module that lacks a part.
  public convenience init(path: String) throws(WeightError) {
    let file = try WeightError.wrapping(try TensorFile(path: path))
    try self.init(
      path: path, tensors: file.tensors, metadata: file.metadata,
      settingsPath: Self.settingsPath(path, file.tensors.keys))
  }

  init(
    path: String, tensors: [String: StoredTensor], metadata: [String: String], settingsPath: String? = nil
  ) throws(WeightError) {
    self.path = path
    self.metadata = metadata
    self.tensors = tensors
    let settings: PEFTSettings
    if let settingsPath {
      settingsFile = try WeightError.wrapping(try ByteFile(path: settingsPath))
      settings = try PEFTSettings(file: try ConfigurationFile(path: settingsPath))
    } else {
      settingsFile = nil
      settings = try PEFTSettings(metadata: metadata, path: path)
    }
    var parts: [String: [AdapterPart: StoredTensor]] = [:]
    var bundles: [String: [String: StoredTensor]] = [:]
    var unknown: [String] = []
    for (name, tensor) in tensors {
      if name.hasPrefix(AdapterPart.bundlePrefix) {
        let rest = name.dropFirst(AdapterPart.bundlePrefix.count).split(
          separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard rest.count == 2, !rest[0].isEmpty else { throw .adapter(path: path, reason: Self.unknown([name])) }
        bundles[String(rest[0]), default: [:]][String(rest[1])] = tensor
        continue
      }
      guard let (layer, part) = AdapterPart.split(name) else {
        unknown.append(name)
        continue
      }
      guard parts[layer, default: [:]].updateValue(tensor, forKey: part) == nil else {
        throw .adapter(path: path, reason: "it has the \(part.rawValue) of \(layer.abridged) twice")
      }
    }
    guard unknown.isEmpty else { throw .adapter(path: path, reason: Self.unknown(unknown.sorted())) }
    var modules: [(name: String, module: AdapterModule)] = []
    for layer in parts.keys.sorted() {
      let module = try AdapterModule(path: path, name: layer, parts: parts[layer] ?? [:], settings: settings)
      modules.append((layer, module))
    }
    var embeddings: [(name: String, file: EmbeddingFile)] = []
    for name in bundles.keys.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
      embeddings.append((name, try EmbeddingFile(path: path, bundledAs: name, tensors: bundles[name] ?? [:])))
    }
    guard !modules.isEmpty || !embeddings.isEmpty else { throw .adapter(path: path, reason: "it contains no tensors") }
    self.modules = modules
    self.embeddings = embeddings
  }

  /// Throws `TensorFileError.changed` if a file was written to after it was opened, because its weights may then not match its
  /// digest.
  public func requireUnchanged() throws(TensorFileError) {
    try tensors.values.first?.file.requireUnchanged()
    try settingsFile?.requireUnchanged()
  }

  /// PEFT's settings for the file at `path`; nil if there are none.
  ///
  /// PEFT calls the weights `adapter_model`. A file that was renamed still has PEFT's names of layers. The settings belong to
  /// it if no other file in the folder has PEFT's name.
  private static func settingsPath(_ path: String, _ names: some Collection<String>) -> String? {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    let folder = parts.dropLast().joined(separator: "/")
    let settings = parts.count > 1 ? folder + "/" + PEFTSettings.fileName : PEFTSettings.fileName
    let stem = "adapter_model."
    guard access(settings, F_OK) == 0 else { return nil }
    if parts.last?.hasPrefix(stem) == true { return settings }
    let siblings = ["safetensors", "bin", "pt"].map { (parts.count > 1 ? folder + "/" : "") + stem + $0 }
    guard names.contains(where: { $0.contains(AdapterPrefix.wrapper) }),
      !siblings.contains(where: { access($0, F_OK) == 0 })
    else { return nil }
    return settings
  }

  /// The family of models that the adapter is for, from its metadata or its layers; nil if it is unknown.
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

  /// The message about tensors whose names are unknown.
  private static func unknown(_ names: [String]) -> String {
    let name = names[0]
    let others = names.count == 1 ? "" : " and \(names.count - 1) others"
    if let kind = AdapterPart.unsupportedKind(name) {
      return "its tensor \(name.abridged)\(others) is of the kind \(kind), which is not supported by this version; "
        + "LoRA, LoCon, LoHa, LoKr, DoRA, IA3, norms and full differences are"
    }
    if name.hasSuffix(".bias") {
      return
        "its tensor \(name.abridged)\(others) is a whole bias, as PEFT writes it with bias or modules_to_save, which is not "
        + "supported by this version"
    }
    return "its tensor \(name.abridged)\(others) is not part of a LoRA, LoCon, LoHa, LoKr, DoRA, IA3 or a difference"
  }
}
