import Networks
import Prompts
import Settings
import Tensors
import Tokenization
import Weights

/// The prompts of Stable Diffusion: chunks of 77 tokens, encoded by one or two CLIP text encoders, one after the other.
final class CLIPPrompts: PromptEncoding {
  private let family: ModelFamily
  private let tokenizer: CLIPTokenizer
  private let encoders: [TextEncoder]
  private let numberWidth: Int
  private let compute: Compute
  private var library: EmbeddingLibrary?

  /// The text encoders of a model.
  ///
  /// - Parameters:
  ///   - family: Says what the UNet takes besides the text.
  ///   - tokenizer: Of all text encoders.
  ///   - encoders: In the order of the family's.
  ///   - numberWidth: How many values each number of the UNet's vector is embedded in.
  ///   - compute: What the arithmetic runs on.
  init(
    family: ModelFamily, tokenizer: CLIPTokenizer, encoders: [TextEncoder], numberWidth: Int, compute: Compute
  ) {
    self.family = family
    self.tokenizer = tokenizer
    self.encoders = encoders
    self.numberWidth = numberWidth
    self.compute = compute
  }

  func use(_ library: EmbeddingLibrary?) { self.library = library }

  func chunkCount(of text: String, _ emphasis: EmphasisChoice) throws -> Int { try chunks(text, emphasis).count }

  func reduced(_ settings: TextSettings) -> TextSettings {
    guard family.vector.isEmpty, !family.zeroesEmptyNegative else { return settings }
    var reduced = settings
    reduced.width = 0
    reduced.height = 0
    reduced.isNegative = false
    return reduced
  }

  func encode(_ texts: [(text: String, count: Int)], _ settings: TextSettings) throws -> [TextEncoding] {
    for encoder in encoders
    where encoder.role.output == .clipSkip && settings.clipSkip > encoder.configuration.layerCount {
      throw EngineError.clipSkipTooLarge(settings.clipSkip, layers: encoder.configuration.layerCount)
    }
    let chunks = try texts.map { (try self.chunks($0.text, settings.emphasis), $0.count) }
    let empty = PromptChunks(runs: [], tokenizer: tokenizer).chunks[0]
    let encoded = try encoders.enumerated().map { index, encoder in
      try encoder.encode(chunks, empty: empty, clipSkip: settings.clipSkip, emphasis: settings.emphasis) {
        [library] embedding in try library?.vectors(embedding, encoder: index) ?? []
      }
    }
    let encodings = texts.indices.map { text in TextEncoding(joining: encoded.map { $0[text] }, compute) }
    let isZeroed = family.zeroesEmptyNegative && settings.isNegative && texts.allSatisfy(\.text.isEmpty)
    return isZeroed ? encodings.map { $0.zeroed(compute) } : encodings
  }

  func context(
    _ encoding: TextEncoding, chunkCount: Int, _ settings: TextSettings, for network: UNet
  ) -> UNetContext {
    let tokens = encoding.lengthened(to: chunkCount * (PromptChunks.capacity + 2), compute).tokens
    return network.prepare(tokens, vector: vector(encoding, settings))
  }

  func release() { for encoder in encoders { encoder.model.release() } }

  /// The UNet's input besides tokens and timestep.
  private func vector(_ encoding: TextEncoding, _ settings: TextSettings) -> [Float] {
    family.vector.flatMap { part in
      part == .pooledText
        ? encoding.pooled?.values ?? []
        : part.numbers(settings).flatMap { SinusoidalEmbedding.waves($0, count: numberWidth) }
    }
  }

  private func chunks(_ text: String, _ emphasis: EmphasisChoice) throws -> [PromptChunks.Chunk] {
    try Self.chunks(text, emphasis, tokenizer, library)
  }

  /// The chunks of a text.
  ///
  /// Throws `PromptError`, or `WeightError` for a damaged embedding.
  static func chunks(
    _ text: String, _ emphasis: EmphasisChoice, _ tokenizer: CLIPTokenizer, _ library: EmbeddingLibrary?
  ) throws -> [PromptChunks.Chunk] {
    let runs = try PromptAttention.Run.runs(text, emphasis)
    guard let library else { return PromptChunks(runs: runs, tokenizer: tokenizer).chunks }
    return try PromptChunks(runs: runs, tokenizer: tokenizer, match: library.match).chunks
  }
}

extension ModelFamily.VectorPart {
  /// The numbers of this part, as the webui computes them.
  fileprivate func numbers(_ settings: TextSettings) -> [Float] {
    switch self {
    case .pooledText: []
    case .originalSize, .targetSize: [Float(settings.height), Float(settings.width)]
    case .cropTopLeft: [0, 0]
    case .aestheticScore: [settings.isNegative ? 2.5 : 6]
    }
  }
}
