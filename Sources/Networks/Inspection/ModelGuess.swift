import TensorFiles
import Text
import Weights

/// Finds out what a file of tensors contains if it is not a whole model. The names of its tensors show the kind, and the loader
/// for that kind finds the rest.
struct ModelGuess {
  var kind = ModelReport.Kind.other
  var family: String?
  var layout: String?
  /// The networks that an adapter changes, or the whole file.
  var parts: [ModelReport.Part] = []
  /// The problems with the file's tensors.
  var findings: [WeightAudit.Finding] = []
  /// Why the file cannot be used.
  var refusal: WeightError?

  init(_ file: TensorFile) {
    let names = file.tensors.keys
    if FaceFile.isLikely(names) {
      kind = .face
      read { (guess) throws(WeightError) in try guess.readFaceNetwork(file) }
    } else if names.contains(where: AdapterPart.isTelling) {
      kind = .lora
      read { (guess) throws(WeightError) in try guess.readAdapter(file) }
    } else if Self.isEmbedding(file) {
      kind = .embedding
      read { (guess) throws(WeightError) in try guess.readEmbedding(file) }
    } else if UpscalerFile.isLikely(names, architectures: UpscalerArchitectures.names) {
      kind = .upscaler
      read { (guess) throws(WeightError) in try guess.readUpscaler(file) }
    } else if ModelFiles.hasUNet(file) {
      kind = names.contains { $0.hasPrefix("model.diffusion_model.") } ? .checkpoint : .unet
    } else if names.contains(where: { AdapterPart.unsupportedKind($0) != nil }) {
      kind = .lora
      read { (guess) throws(WeightError) in try guess.readAdapter(file) }
    }
    if parts.isEmpty { parts = [ModelReport.Part(partName, Array(file.tensors.values), [])] }
  }

  private mutating func read(_ body: (inout ModelGuess) throws(WeightError) -> Void) {
    do throws(WeightError) { try body(&self) } catch { refusal = error }
  }

  private var partName: String {
    switch kind {
    case .lora: "adapter"
    case .embedding: "embedding"
    case .upscaler: "upscaler"
    case .face: "network"
    default: "file"
    }
  }

  // MARK: LoRA

  private mutating func readAdapter(_ file: TensorFile) throws(WeightError) {
    findings = file.tensors.values
      .filter { AdapterPart.split($0.name) == nil && !$0.name.hasPrefix(AdapterPart.bundlePrefix) }
      .map { .unread(name: $0.name, shape: $0.shape) }
    let adapter = try AdapterFile(path: file.path)
    let summary = AdapterSummary(adapter)
    family = adapter.family
    layout = "names of \(summary.styles.joined(separator: " and "))"
    parts = summary.networks.map { network in
      var part = ModelReport.Part(
        network.name, network.tensors, [("rank", network.ranks), ("layers", [network.moduleCount])])
      part.modules = network.kinds
      part.alphas = network.alphas
      return part
    }
    parts += adapter.embeddings.map { name, embedding in
      ModelReport.Part(
        "embedding \(name.abridged)", embedding.tensors,
        [("vectors", [embedding.vectorCount]), ("width", embedding.widths)])
    }
  }

  // MARK: Textual inversion

  private mutating func readEmbedding(_ file: TensorFile) throws(WeightError) {
    let embedding = try EmbeddingFile(path: file.path)
    family = Self.families[embedding.widths]
    layout =
      file.tensors.keys.contains { $0.hasPrefix("string_to_param.") }
      ? "string_to_param of the webui" : file.tensors.keys.sorted().map(\.abridged).joined(separator: " and ")
    parts = [
      ModelReport.Part(
        partName, Array(file.tensors.values), [("vectors", [embedding.vectorCount]), ("width", embedding.widths)])
    ]
  }

  private static func isEmbedding(_ file: TensorFile) -> Bool {
    let tensors = file.tensors
    if tensors.keys.contains(where: { $0.hasPrefix("string_to_param.") || $0 == "emb_params" }) { return true }
    if tensors["clip_l"] != nil || tensors["clip_g"] != nil { return true }
    // diffusers writes one tensor, whose name is the word for prompts.
    guard tensors.count == 1, let tensor = tensors.values.first else { return false }
    return (1...2).contains(tensor.shape.count) && !tensor.name.contains(".")
  }

  /// The families, by the widths of their text encoders.
  private static let families = [
    [768]: "Stable Diffusion 1.x", [1024]: "Stable Diffusion 2.x", [768, 1280]: "Stable Diffusion XL",
    [1280]: "the refiner of Stable Diffusion XL",
  ]

  // MARK: Faces

  private mutating func readFaceNetwork(_ file: TensorFile) throws(WeightError) {
    let network = try FaceFile(path: file.path)
    family = network.kind.title
    let configuration = try FaceArchive.configuration(of: network)
    findings = FaceArchive.findings(in: network, configuration)
    parts = [ModelReport.Part(partName, network.store.all, configuration.sizes)]
  }

  // MARK: Upscalers

  private mutating func readUpscaler(_ file: TensorFile) throws(WeightError) {
    family = UpscalerKind.unsupported(file.tensors.keys)?.name
    let upscaler = try UpscalerFile(path: file.path, architectures: UpscalerArchitectures.names)
    guard let architecture = UpscalerArchitectures.architecture(of: upscaler) else { return }
    family = architecture.title
    let configuration = try architecture.init(upscaler)
    findings = upscaler.store.audit(expecting: configuration.expectedTensors).findings
    parts = [ModelReport.Part(partName, upscaler.store.all, configuration.sizes)]
    layout = upscaler.names.layout
  }
}
