import Networks
import Prompts
import Settings
import Tensors
import Tokenization
import Weights

/// The prompts of Stable Diffusion 3: chunks of 77 tokens by CLIP-L and CLIP-G side by side, then the same number of tokens by
/// T5.
///
/// As in the webui 1.10, emphasis changes only the CLIPs' tokens, and `clip_skip` has no effect. Without a T5, its tokens are
/// zeros. Unlike in the webui, text is not repaired, see `JointParts.cleaning`.
final class SD3Prompts<Network: DenoisingNetwork>: PromptEncoding {
  private let clipL: TextEncoder
  private let clipG: TextEncoder
  private let t5: T5Texts?
  private let width: Int
  private let compute: Compute
  private let makeContext: (JointEncoding, Network) -> Network.Context

  /// Creates the prompts of a model.
  ///
  /// - Parameters:
  ///   - clipL: CLIP-L.
  ///   - clipG: CLIP-G.
  ///   - t5: T5; nil for a model without it.
  ///   - width: The width of the context.
  ///   - compute: The machine for everything around the encoders, in fp32.
  ///   - makeContext: Converts a prompt to an input of the network.
  init(
    clipL: TextEncoder, clipG: TextEncoder, t5: T5Texts?, width: Int, compute: Compute,
    makeContext: @escaping (JointEncoding, Network) -> Network.Context
  ) {
    self.clipL = clipL
    self.clipG = clipG
    self.t5 = t5
    self.width = width
    self.compute = compute.with(.fp32)
    self.makeContext = makeContext
  }

  func use(_ library: EmbeddingLibrary?) {}

  func chunkCount(of text: String, _ emphasis: EmphasisChoice) throws -> Int {
    try max(chunks(text, emphasis, clipL).count, chunks(text, emphasis, clipG).count)
  }

  func reduced(_ settings: TextSettings) -> TextSettings {
    var reduced = settings
    (reduced.clipSkip, reduced.width, reduced.height, reduced.isNegative) = (1, 0, 0, false)
    return reduced
  }

  func prefetch(_ schedules: [(texts: [(text: String, count: Int)], settings: TextSettings)]) throws {
    try t5?.states(
      schedules.flatMap { schedule in
        let emphasis = schedule.settings.emphasis
        let length = try schedule.texts.map { try chunkCount(of: $0.text, emphasis) }.max() ?? 1
        return try t5IDs(schedule.texts.map(\.text), emphasis, count: length * (PromptChunks.capacity + 2))
      })
  }

  func encode(_ texts: [(text: String, count: Int)], _ settings: TextSettings) throws -> [JointEncoding] {
    let length = try texts.map { try chunkCount(of: $0.text, settings.emphasis) }.max() ?? 1
    func padded(_ encoder: TextEncoder) throws -> [[PromptChunks.Chunk]] {
      let empty = try self.chunks("", settings.emphasis, encoder)[0]
      return try texts.map { text in
        let own = try self.chunks(text.text, settings.emphasis, encoder)
        return own + Array(repeating: empty, count: length - own.count)
      }
    }
    // Both have the same tokens, unless their tokenizers have other added ones.
    let chunks = try zip(padded(clipL), padded(clipG)).map { zip($0, $1).map { Pair(l: $0, g: $1) } }
    let rows = length * (PromptChunks.capacity + 2)
    let states = try t5States(texts.map(\.text), settings.emphasis, count: rows)

    // One CLIP after the other, so that they need not be in memory together.
    let left = try encoded(chunks.joined().map(\.l), by: clipL)
    let right = try encoded(chunks.joined().map(\.g), by: clipG)
    var columns: [[Pair: EncodedChunk]] = []
    for index in 0..<length {
      var column: [Pair: EncodedChunk] = [:]
      var order: [Pair] = []
      for (text, chunks) in zip(texts, chunks) {
        let chunk = chunks[index]
        if column[chunk] == nil, let l = left[chunk.l], let g = right[chunk.g] {
          let joined = TextEncoding(
            joining: [TextEncoding(tokens: l.tokens, pooled: nil), TextEncoding(tokens: g.tokens, pooled: nil)], compute
          )
          column[chunk] = EncodedChunk(
            z: joined.tokens, pooled: nil, weights: chunk.l.weights, others: (chunk.g.weights, l.tokens.channels))
          order.append(chunk)
        }
        column[chunk]?.count += text.count
      }
      settings.emphasis.apply(to: order.compactMap { column[$0] })
      columns.append(column)
    }
    return texts.indices.map { text in
      let parts = (0..<length).compactMap { columns[$0][chunks[text][$0]]?.z }
      let first = chunks[text][0]
      return JointEncoding(
        tokens: compute.stacked(parts + [states[text]], channels: width),
        pooled: (left[first.l]?.pooled?.values ?? []) + (right[first.g]?.pooled?.values ?? []))
    }
  }

  func context(
    _ encoding: JointEncoding, chunkCount: Int, _ settings: TextSettings, for network: Network
  ) -> Network.Context {
    makeContext(encoding.lengthened(to: 2 * chunkCount * (PromptChunks.capacity + 2), compute), network)
  }

  func release() {
    for encoder in [clipL, clipG] { encoder.model.release() }
    t5?.release()
  }

  /// A chunk as each CLIP reads it.
  private struct Pair: Hashable {
    let l: PromptChunks.Chunk
    let g: PromptChunks.Chunk
  }

  private func chunks(
    _ text: String, _ emphasis: EmphasisChoice, _ encoder: TextEncoder
  ) throws -> [PromptChunks.Chunk] {
    PromptChunks(
      runs: try PromptAttention.Run.runs(text, emphasis), tokenizer: encoder.tokenizer, cleaning: JointParts.cleaning
    ).chunks
  }

  /// Encodes each distinct chunk once.
  private func encoded(
    _ chunks: [PromptChunks.Chunk], by encoder: TextEncoder
  ) throws -> [PromptChunks.Chunk: CLIPTextModel.Encoding] {
    let model = try encoder.model.get()
    var encoded: [PromptChunks.Chunk: CLIPTextModel.Encoding] = [:]
    for chunk in chunks where encoded[chunk] == nil {
      encoded[chunk] = encoder.forward(model, chunk, clipSkip: 1) { _ in [] }
    }
    encoder.model.release()
    return encoded
  }

  /// The states of T5 for each text.
  private func t5States(_ texts: [String], _ emphasis: EmphasisChoice, count: Int) throws -> [Tensor] {
    guard let t5 else { return texts.map { _ in compute.zeros(count, channels: width) } }
    return try t5.states(try t5IDs(texts, emphasis, count: count))
  }

  private func t5IDs(_ texts: [String], _ emphasis: EmphasisChoice, count: Int) throws -> [[Int32]] {
    guard let t5 else { return [] }
    return try texts.map { t5.cut(t5.tokens(try PromptAttention.Run.runs($0, emphasis)), to: count) }
  }
}
