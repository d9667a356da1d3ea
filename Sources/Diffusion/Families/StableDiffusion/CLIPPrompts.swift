import Networks
import Prompts
import Settings
import Tensors
import Tokenization
import Weights

/// The prompts of Stable Diffusion: chunks of 77 tokens, encoded by one CLIP text encoder, or by two one after the other.
final class CLIPPrompts: PromptEncoding {
  private let family: ModelFamily
  private let tokenizer: CLIPTokenizer
  private let encoders: [TextEncoder]
  private let numberWidth: Int
  private let compute: Compute
  private var library: EmbeddingLibrary?

  /// Creates the text encoders of a model.
  ///
  /// - Parameters:
  ///   - family: The family, which defines the UNet's other inputs.
  ///   - tokenizer: The tokenizer of all text encoders.
  ///   - encoders: The text encoders, in the order of the family.
  ///   - numberWidth: How many values each number in the UNet's vector is embedded as.
  ///   - compute: The machine and numerics to use.
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

  func chunkCount(of text: String, _ emphasis: EmphasisChoice) throws -> Int {
    try chunks(text, emphasis).values.map(\.count).max() ?? 1
  }

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
    // The tokenizers clean text differently, so a text may have more chunks for one encoder than for the other.
    let chunks = try texts.map { (byCleaning: try self.chunks($0.text, settings.emphasis), count: $0.count) }
    let length = chunks.flatMap { $0.byCleaning.values.map(\.count) }.max() ?? 1
    let empty = PromptChunks(runs: [], tokenizer: tokenizer).chunks[0]
    let encoded = try encoders.enumerated().map { index, encoder in
      let own = chunks.map { (chunks: $0.byCleaning[encoder.role.cleaning] ?? [empty], count: $0.count) }
      return try encoder.encode(
        own, length: length, empty: empty, clipSkip: settings.clipSkip, emphasis: settings.emphasis
      ) { [library] embedding in
        try library?.vectors(embedding, encoder: index) ?? []
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

  private func chunks(_ text: String, _ emphasis: EmphasisChoice) throws -> [TextCleaning: [PromptChunks.Chunk]] {
    try Self.chunks(text, emphasis, tokenizer, cleanings: Set(encoders.map(\.role.cleaning)), library)
  }

  /// The chunks of a text, for the tokenizer of each text encoder.
  ///
  /// Throws `PromptError`, or `WeightError` for a damaged embedding.
  static func chunks(
    _ text: String, _ emphasis: EmphasisChoice, _ tokenizer: CLIPTokenizer, cleanings: Set<TextCleaning>,
    _ library: EmbeddingLibrary?
  ) throws -> [TextCleaning: [PromptChunks.Chunk]] {
    let runs = try PromptAttention.Run.runs(text, emphasis)
    var chunks: [TextCleaning: [PromptChunks.Chunk]] = [:]
    for cleaning in cleanings {
      chunks[cleaning] = try PromptChunks(runs: runs, tokenizer: tokenizer, cleaning: cleaning) {
        try library?.match($0, at: $1)
      }.chunks
    }
    return chunks
  }
}

extension ModelFamily.TextEncoder {
  /// How its tokenizer cleans text. OpenCLIP's encoders are those that pad with zeros.
  var cleaning: TextCleaning { padding == .zero ? .openCLIP : .clip }
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
