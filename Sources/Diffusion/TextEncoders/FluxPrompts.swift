import Networks
import Prompts
import Settings
import Tensors
import Tokenization

/// The prompts of Flux.1: T5's encoding of at least 256 tokens, and CLIP-L's pooled encoding of the first 75 tokens.
///
/// As in Forge, prompts are never truncated, and emphasis changes T5's tokens. Unlike in Forge, the text after a `BREAK` is
/// used, and CLIP's text is not repaired, see `JointParts.cleaning`.
final class FluxPrompts<Network: DenoisingNetwork>: PromptEncoding {
  private let clipL: TextEncoder
  private let t5: T5Texts
  private let compute: Compute
  private let makeContext: (JointEncoding, Network) -> Network.Context

  /// The smallest number of T5's tokens.
  private static var leastLength: Int { 256 }

  /// Creates the prompts of a model.
  ///
  /// - Parameters:
  ///   - clipL: CLIP-L.
  ///   - t5: T5.
  ///   - compute: The machine for everything around the encoders, in fp32.
  ///   - makeContext: Converts a prompt to an input of the network.
  init(
    clipL: TextEncoder, t5: T5Texts, compute: Compute,
    makeContext: @escaping (JointEncoding, Network) -> Network.Context
  ) {
    self.clipL = clipL
    self.t5 = t5
    self.compute = compute.with(.fp32)
    self.makeContext = makeContext
  }

  func use(_ library: EmbeddingLibrary?) {}

  /// The number of T5's tokens, which is the length of the context.
  func chunkCount(of text: String, _ emphasis: EmphasisChoice) throws -> Int { try tokens(text, emphasis).ids.count }

  func reduced(_ settings: TextSettings) -> TextSettings {
    var reduced = settings
    (reduced.clipSkip, reduced.width, reduced.height, reduced.isNegative) = (1, 0, 0, false)
    return reduced
  }

  func prefetch(_ schedules: [(texts: [(text: String, count: Int)], settings: TextSettings)]) throws {
    try t5.states(
      schedules.flatMap { schedule in
        try schedule.texts.map { try tokens($0.text, schedule.settings.emphasis).ids }
      })
  }

  func encode(_ texts: [(text: String, count: Int)], _ settings: TextSettings) throws -> [JointEncoding] {
    let tokens = try texts.map { try self.tokens($0.text, settings.emphasis) }
    let states = try t5.states(tokens.map(\.ids))
    let model = try clipL.model.get()
    return try zip(texts, zip(tokens, states)).map { text, t5 in
      // Weights change the numbers in place, and equal texts share them.
      let z = compute.stacked([t5.1], channels: t5.1.channels)
      settings.emphasis.apply(to: [EncodedChunk(z: z, pooled: nil, weights: t5.0.weights, count: 1)])
      let runs = try PromptAttention.Run.runs(text.text, settings.emphasis)
      let chunk = PromptChunks(runs: runs, tokenizer: clipL.tokenizer, cleaning: JointParts.cleaning).chunks[0]
      let pooled = clipL.forward(model, chunk, clipSkip: 1) { _ in [] }.pooled
      return JointEncoding(tokens: z, pooled: pooled?.values ?? [])
    }
  }

  func context(
    _ encoding: JointEncoding, chunkCount: Int, _ settings: TextSettings, for network: Network
  ) -> Network.Context { makeContext(encoding.lengthened(to: chunkCount, compute), network) }

  func release() {
    clipL.model.release()
    t5.release()
  }

  private func tokens(_ text: String, _ emphasis: EmphasisChoice) throws -> T5Texts.Tokens {
    t5.filled(t5.tokens(try PromptAttention.Run.runs(text, emphasis)), to: Self.leastLength)
  }
}
