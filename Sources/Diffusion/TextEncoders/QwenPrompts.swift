import Networks
import Settings
import Tensors
import Tokenization

/// What a model reads of a Qwen3.
struct QwenReading: Sendable {
  /// What is around a prompt.
  var template: ChatTemplate
  /// After which layers states are read, ascending; several are put side by side.
  var layers: [Int]
  /// The length that texts are filled up to with `<|endoftext|>`; nil to leave them as long as they are.
  var leastLength: Int?
  /// Where texts are cut; nil to leave them as long as they are.
  var greatestLength: Int?

  /// Z-Image: the states before the last layer, of at most 512 tokens.
  static func zImage(_ archive: TextEncoderArchive) -> QwenReading {
    QwenReading(template: .answer, layers: [max(archive.layerCount - 1, 1)], greatestLength: 512)
  }

  /// FLUX.2 klein: the states after three layers, of at least 512 tokens.
  static let klein = QwenReading(template: .answerWithoutThought, layers: [9, 18, 27], leastLength: 512)
}

/// A prompt as a Qwen3 encodes it.
struct QwenEncoding {
  /// `[1, 1, ids, width * layers]` in fp32.
  let states: Tensor
  /// How many of the rows are tokens; those after them are filling.
  let count: Int
}

/// The prompts of models that a Qwen3 encodes. Brackets are text like any other.
final class QwenPrompts<Network: DenoisingNetwork>: PromptEncoding {
  private let tokenizer: QwenTokenizer
  private let encoder: Qwen3Encoder
  private let requireUnchanged: () throws -> Void
  private let reading: QwenReading
  private let compute: Compute
  private let makeContext: (QwenEncoding, Network) -> Network.Context
  /// Encodings of texts since the last release.
  private var known: [TokenSequence: QwenEncoding] = [:]

  /// The prompts of a model.
  ///
  /// - Parameters:
  ///   - tokenizer: The encoder's tokenizer.
  ///   - encoder: Its layers are read one after the other each time.
  ///   - requireUnchanged: Throws if the encoder's files are not those that were hashed.
  ///   - reading: What the model reads of it.
  ///   - compute: What the arithmetic runs on.
  ///   - makeContext: What the network makes of a prompt.
  init(
    tokenizer: QwenTokenizer, encoder: Qwen3Encoder, requireUnchanged: @escaping () throws -> Void,
    reading: QwenReading, compute: Compute, makeContext: @escaping (QwenEncoding, Network) -> Network.Context
  ) {
    self.tokenizer = tokenizer
    self.encoder = encoder
    self.requireUnchanged = requireUnchanged
    self.reading = reading
    self.compute = compute
    self.makeContext = makeContext
  }

  func use(_ library: EmbeddingLibrary?) {}

  func chunkCount(of text: String, _ emphasis: EmphasisChoice) throws -> Int { 1 }

  func reduced(_ settings: TextSettings) -> TextSettings {
    var reduced = settings
    (reduced.clipSkip, reduced.width, reduced.height, reduced.isNegative) = (1, 0, 0, false)
    reduced.emphasis = .none
    return reduced
  }

  /// The tokens of a prompt with what is around it.
  func tokens(_ text: String) -> TokenSequence {
    var ids = tokenizer.encode(reading.template.text(text))
    if let limit = reading.greatestLength { ids = Array(ids.prefix(limit)) }
    return TokenSequence(ids, length: reading.leastLength, filling: tokenizer.endOfTextID ?? 0)
  }

  func prefetch(_ schedules: [(texts: [(text: String, count: Int)], settings: TextSettings)]) throws {
    _ = try encoded(schedules.flatMap { $0.texts.map { tokens($0.text) } })
  }

  func encode(_ texts: [(text: String, count: Int)], _ settings: TextSettings) throws -> [QwenEncoding] {
    try encoded(texts.map { tokens($0.text) })
  }

  /// The encodings of texts. They are encoded together, each once until `release`.
  private func encoded(_ texts: [TokenSequence]) throws -> [QwenEncoding] {
    var missing: [TokenSequence] = []
    for text in texts where known[text] == nil && !missing.contains(text) { missing.append(text) }
    if !missing.isEmpty {
      try requireUnchanged()
      let states = try encoder.encode(missing, layers: reading.layers)
      try requireUnchanged()
      for (text, states) in zip(missing, states) {
        known[text] = QwenEncoding(states: sideBySide(states), count: text.count)
      }
    }
    return texts.compactMap { known[$0] }
  }

  func context(
    _ encoding: QwenEncoding, chunkCount: Int, _ settings: TextSettings, for network: Network
  ) -> Network.Context { makeContext(encoding, network) }

  /// Layers are released as soon as they have run; this releases the encodings.
  func release() { known = [:] }

  /// The rows of several tensors of the same length, joined.
  private func sideBySide(_ parts: [Tensor]) -> Tensor {
    guard parts.count > 1, let first = parts.first else { return parts[0] }
    let joined = compute.tensor(
      batch: 1, height: 1, width: first.width, channels: parts.reduce(0) { $0 + $1.channels }, elementType: .fp32)
    for position in 0..<first.width {
      var next = joined.pixel(0, 0, position)
      for part in parts {
        next.update(from: part.pixel(0, 0, position), count: part.channels)
        next += part.channels
      }
    }
    return joined
  }
}
