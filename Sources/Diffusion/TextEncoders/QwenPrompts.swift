import Networks
import Settings
import Tensors
import Tokenization

/// What a model reads from a Qwen3.
struct QwenReading: Sendable {
  /// The text around a prompt.
  var template: ChatTemplate
  /// The layers after which states are read, ascending; the states of several layers are joined side by side.
  var layers: [Int]
  /// The length that texts are padded to with `<|endoftext|>`; nil for no padding.
  var leastLength: Int?
  /// The length that texts are truncated to; nil for no limit.
  var greatestLength: Int?

  /// Z-Image: the states before the last layer, for at most 512 tokens.
  static func zImage(_ archive: TextEncoderArchive) -> QwenReading {
    QwenReading(template: .answer, layers: [max(archive.layerCount - 1, 1)], greatestLength: 512)
  }

  /// FLUX.2 klein: the states after three layers, for at least 512 tokens.
  static let klein = QwenReading(template: .answerWithoutThought, layers: [9, 18, 27], leastLength: 512)
}

/// A prompt, encoded by a Qwen3.
struct QwenEncoding {
  /// `[1, 1, ids, width * layers]` in fp32.
  let states: Tensor
  /// The number of rows that are tokens; the rows after them are padding.
  let count: Int
}

/// The prompts of models whose encoder is a Qwen3. Brackets are plain text.
final class QwenPrompts<Network: DenoisingNetwork>: PromptEncoding {
  private let tokenizer: QwenTokenizer
  private let encoder: Qwen3Encoder
  private let requireUnchanged: () throws -> Void
  private let reading: QwenReading
  private let compute: Compute
  private let makeContext: (QwenEncoding, Network) -> Network.Context
  /// The encodings of texts since the last release.
  private var known: [TokenSequence: QwenEncoding] = [:]

  /// Creates the prompts of a model.
  ///
  /// - Parameters:
  ///   - tokenizer: The encoder's tokenizer.
  ///   - encoder: The encoder; its layers are read one after the other each time.
  ///   - requireUnchanged: Throws if the encoder's files are not those that were hashed.
  ///   - reading: What the model reads from it.
  ///   - compute: The machine and numerics to use.
  ///   - makeContext: Converts a prompt to an input of the network.
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

  /// The tokens of a prompt with the text around it.
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

  /// Joins the rows of several tensors of the same length.
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
