import Networks
import Settings

/// A family's text encoders: texts in, contexts for its denoising network out.
///
/// `PromptEncoder` handles schedules and remembers contexts; this knows tokens, emphasis and the encoders.
protocol PromptEncoding: AnyObject {
  /// The network that the contexts are for.
  associatedtype Network: DenoisingNetwork
  /// What the text encoders make of a text.
  associatedtype Encoding

  /// Lets prompts name the embeddings of a library; nil for none.
  func use(_ library: EmbeddingLibrary?)

  /// How many chunks of tokens a text has.
  ///
  /// Throws `PromptError`.
  func chunkCount(of text: String, _ emphasis: EmphasisChoice) throws -> Int

  /// The settings without those that this family ignores, so that texts that differ in these only are encoded once.
  func reduced(_ settings: TextSettings) -> TextSettings

  /// Does what `encode` needs for several schedules at once, so that layers that are read for each encoding are read once.
  ///
  /// Nothing by default. Throws what `encode` throws.
  func prefetch(_ schedules: [(texts: [(text: String, count: Int)], settings: TextSettings)]) throws

  /// Encodes the texts of one schedule.
  ///
  /// - Parameters:
  ///   - texts: Different texts, and how many entries of the schedule have each; emphasis takes the mean over all entries.
  ///   - settings: What else the encodings depend on.
  /// - Returns: One encoding for each text.
  /// - Throws: `PromptError`, `EngineError` for a clip skip that is too large, or what reading an encoder throws.
  func encode(_ texts: [(text: String, count: Int)], _ settings: TextSettings) throws -> [Encoding]

  /// What the network takes for an encoding.
  ///
  /// - Parameters:
  ///   - encoding: Of a text.
  ///   - chunkCount: The length to reach, at least the text's own.
  ///   - settings: Those that it was encoded with.
  ///   - network: The network.
  /// - Returns: The context.
  func context(
    _ encoding: Encoding, chunkCount: Int, _ settings: TextSettings, for network: Network
  ) -> Network.Context

  /// Releases the memory of the text encoders, which are read again when they are needed.
  func release()
}

extension PromptEncoding {
  func prefetch(_ schedules: [(texts: [(text: String, count: Int)], settings: TextSettings)]) throws {}
}
