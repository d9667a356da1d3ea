import Networks
import Settings

/// A family's text encoders: they turn texts into contexts for its denoising network.
///
/// `PromptEncoder` handles schedules and remembers contexts; this type handles tokens, emphasis and the encoders.
protocol PromptEncoding: AnyObject {
  /// The network that the contexts are for.
  associatedtype Network: DenoisingNetwork
  /// A text, encoded by the text encoders.
  associatedtype Encoding

  /// Sets the library of embeddings that prompts may name; nil for none.
  func use(_ library: EmbeddingLibrary?)

  /// The number of token chunks of a text.
  ///
  /// Throws `PromptError`.
  func chunkCount(of text: String, _ emphasis: EmphasisChoice) throws -> Int

  /// The settings without those that this family ignores, so that texts that differ only in these are encoded once.
  func reduced(_ settings: TextSettings) -> TextSettings

  /// Does the work for `encode` for several schedules together, so that layers that are read for each encoding are read only
  /// once.
  ///
  /// Does nothing by default. Throws the errors of `encode`.
  func prefetch(_ schedules: [(texts: [(text: String, count: Int)], settings: TextSettings)]) throws

  /// Encodes the texts of one schedule.
  ///
  /// - Parameters:
  ///   - texts: Distinct texts, and the number of schedule entries with each text; emphasis uses the mean over all entries.
  ///   - settings: The settings that the encodings also depend on.
  /// - Returns: One encoding for each text.
  /// - Throws: `PromptError`, `EngineError` for a clip skip that is too large, or the error of reading an encoder.
  func encode(_ texts: [(text: String, count: Int)], _ settings: TextSettings) throws -> [Encoding]

  /// The input of the network for an encoding.
  ///
  /// - Parameters:
  ///   - encoding: The encoding of a text.
  ///   - chunkCount: The length to reach, at least that of the text.
  ///   - settings: The settings with which the text was encoded.
  ///   - network: The network.
  /// - Returns: The context.
  func context(
    _ encoding: Encoding, chunkCount: Int, _ settings: TextSettings, for network: Network
  ) -> Network.Context

  /// Releases the memory of the text encoders; they are read again when they are needed.
  func release()
}

extension PromptEncoding {
  func prefetch(_ schedules: [(texts: [(text: String, count: Int)], settings: TextSettings)]) throws {}
}
