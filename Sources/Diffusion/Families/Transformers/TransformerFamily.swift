import Networks
import Settings
import TensorFiles
import Tensors
import Tokenization
import Weights

/// A family whose network is a transformer, and whose text encoders and VAE may be in files of their own.
protocol TransformerFamily {
  /// Text encoders in, contexts for the network out.
  associatedtype Prompts: PromptEncoding
  /// The text encoders and tokenizers of a model.
  associatedtype Texts: TextParts

  /// The kind of transformer.
  static var kind: TransformerKind { get }
  /// How a model of this family is sampled.
  static func id(of archive: TransformerArchive) -> FamilyID
  /// The latents that are sampled.
  static func latents(of archive: TransformerArchive) -> LatentFormat
  /// What the VAE's files are usually called.
  static var vaeFiles: [String] { get }

  /// Finds the text encoders and tokenizers; nil if one is missing, which the search remembers.
  ///
  /// Throws what the search throws.
  static func texts(
    _ archive: TransformerArchive, _ search: PartSearch, _ vocabularies: VocabularyLocator
  ) throws -> Texts?
  /// Reads the network.
  ///
  /// Throws `WeightError`.
  static func network(_ archive: TransformerArchive, _ compute: Compute) throws -> Prompts.Network
  /// The prompts of a model.
  static func prompts(
    _ texts: Texts, _ archive: TransformerArchive, _ compute: Compute, smallBytes: Int
  ) -> Prompts
}

/// The text encoders and tokenizers of a model.
protocol TextParts: Sendable {
  /// The encoders, in the family's order.
  var archives: [TextEncoderArchive] { get }
  /// Everything that cuts prompts into tokens, as bytes that are the same for every form of file.
  var vocabulary: [UInt8] { get }
  /// Bytes of memory that encoding takes.
  var memoryBytes: Int { get }
  /// The length of a text's context in the family's own count, as `PromptEncoding.chunkCount` has it.
  ///
  /// Throws `PromptError`.
  func chunkCount(of text: String, _ emphasis: EmphasisChoice) throws -> Int
  /// Finds missing and misshapen tensors, from headers alone.
  func audits() throws(WeightError) -> [WeightAudit]
  /// Throws `EngineError` or `WeightError` if encoders and tokenizers do not belong together.
  func check() throws
}

/// A Qwen3 with its tokenizer.
struct QwenParts: TextParts {
  let archive: TextEncoderArchive
  let tokenizer: QwenTokenizer
  let reading: QwenReading

  /// Finds them; nil if one is missing.
  init?(_ search: PartSearch, width: Int, reading: (TextEncoderArchive) -> QwenReading) throws {
    let need = TextEncoderNeed.qwen3(width: width)
    let archive = try search.encoder(need)
    guard let tokenizer = try search.qwenTokenizer(need, archive), let archive else { return nil }
    self.archive = archive
    self.tokenizer = tokenizer
    self.reading = reading(archive)
  }

  var archives: [TextEncoderArchive] { [archive] }
  var vocabulary: [UInt8] { tokenizer.canonicalBytes }
  /// Of a prompt and a negative prompt of ordinary length.
  var memoryBytes: Int { archive.memoryBytes(tokens: 1024, .fp32) }

  func chunkCount(of text: String, _ emphasis: EmphasisChoice) -> Int { 1 }

  func audits() -> [WeightAudit] { [archive.audit(layers: reading.layers.last)] }

  func check() throws {
    guard tokenizer.count <= archive.vocabularySize else {
      throw EngineError.vocabularyTooLarge(
        path: tokenizer.path, count: tokenizer.count, known: archive.vocabularySize)
    }
    guard let last = reading.layers.last, last <= archive.layerCount else {
      throw WeightError.configuration(
        path: archive.path, key: "layers of the text encoder", found: "\(archive.layerCount)",
        expected: "at least \(reading.layers.last ?? 0)")
    }
  }

  /// The prompts of a model with a Qwen3 alone.
  func prompts<Network: DenoisingNetwork>(
    _ compute: Compute, for network: Network.Type, context: @escaping (Tensor, Network) -> Network.Context
  ) -> QwenPrompts<Network> {
    guard let encoder = archive.qwen3(compute) else { preconditionFailure("the archive holds a Qwen3") }
    return QwenPrompts(
      tokenizer: tokenizer, encoder: encoder, requireUnchanged: archive.requireUnchanged, reading: reading,
      compute: compute
    ) { context($0.states, $1) }
  }
}

/// FLUX.2 klein.
enum Flux2Family: TransformerFamily {
  static let kind = TransformerKind.flux2

  /// Distilled, unless the files say otherwise.
  static func id(of archive: TransformerArchive) -> FamilyID { archive.isDistilled == false ? .kleinBase : .klein }

  /// The VAE's statistics scale the latents.
  static func latents(of archive: TransformerArchive) -> LatentFormat {
    LatentFormat(
      channels: archive.configuration.latentChannels, scale: LatentScale(factor: 1), pixelsPerPlace: 16)
  }

  static let vaeFiles = ["flux2-vae.safetensors", "flux2_ae.safetensors"]

  static func texts(
    _ archive: TransformerArchive, _ search: PartSearch, _ vocabularies: VocabularyLocator
  ) throws -> QwenParts? {
    guard case .flux2(let network) = archive.transformer else { return nil }
    return try QwenParts(search, width: network.configuration.contextWidth / 3) { _ in .klein }
  }

  static func network(_ archive: TransformerArchive, _ compute: Compute) throws -> Flux2Transformer {
    guard case .flux2(let network) = archive.transformer else {
      preconditionFailure("a family reads its own models only")
    }
    return try Flux2Transformer(network.weights, configuration: network.configuration, compute: compute)
  }

  static func prompts(
    _ texts: QwenParts, _ archive: TransformerArchive, _ compute: Compute, smallBytes: Int
  ) -> QwenPrompts<Flux2Transformer> {
    texts.prompts(compute, for: Flux2Transformer.self) { $1.prepare($0) }
  }
}

/// Z-Image.
enum ZImageFamily: TransformerFamily {
  static let kind = TransformerKind.zImage

  /// Turbo, unless the name says "base": the tensors are the same.
  static func id(of archive: TransformerArchive) -> FamilyID { archive.isDistilled == false ? .zImage : .zImageTurbo }

  /// Those of Flux.1, whose scale a VAE's file does not have.
  static func latents(of archive: TransformerArchive) -> LatentFormat {
    LatentFormat(
      channels: archive.configuration.latentChannels, scale: LatentScale(factor: 0.3611, shift: 0.1159))
  }

  static let vaeFiles = ["ae.safetensors"]

  static func texts(
    _ archive: TransformerArchive, _ search: PartSearch, _ vocabularies: VocabularyLocator
  ) throws -> QwenParts? {
    guard case .zImage(let network) = archive.transformer else { return nil }
    return try QwenParts(search, width: network.configuration.contextWidth) { .zImage($0) }
  }

  static func network(_ archive: TransformerArchive, _ compute: Compute) throws -> ZImageTransformer {
    guard case .zImage(let network) = archive.transformer else {
      preconditionFailure("a family reads its own models only")
    }
    return try ZImageTransformer(network.weights, configuration: network.configuration, compute: compute)
  }

  static func prompts(
    _ texts: QwenParts, _ archive: TransformerArchive, _ compute: Compute, smallBytes: Int
  ) -> QwenPrompts<ZImageTransformer> {
    texts.prompts(compute, for: ZImageTransformer.self) { $1.prepare($0) }
  }
}
