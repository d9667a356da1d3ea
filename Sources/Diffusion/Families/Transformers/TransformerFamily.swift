import Networks
import Settings
import TensorFiles
import Tensors
import Tokenization
import Weights

/// A family whose network is a transformer, and whose text encoders and VAE may be in separate files.
protocol TransformerFamily {
  /// The sizes of the network.
  associatedtype Configuration: TransformerConfiguration where Configuration.Network == Prompts.Network
  /// Turns texts into contexts for the network.
  associatedtype Prompts: PromptEncoding
  /// The text encoders and tokenizers of a model.
  associatedtype Texts: TextParts

  /// How a model of this family is sampled.
  ///
  /// - Parameters:
  ///   - sizes: The sizes of the network.
  ///   - isDistilled: Whether it is distilled to a few steps without guidance; nil if the files do not state it.
  /// - Returns: The family.
  static func id(of sizes: Configuration, isDistilled: Bool?) -> FamilyID
  /// The latents that are sampled.
  static func latents(of sizes: Configuration) -> LatentFormat
  /// The usual names of the VAE's files.
  static var vaeFiles: [String] { get }

  /// Finds the text encoders and tokenizers; nil if one is missing, which the search records.
  ///
  /// Throws the errors of the search.
  static func texts(
    _ sizes: Configuration, _ search: PartSearch, _ vocabularies: VocabularyLocator
  ) throws -> Texts?
  /// The prompts of a model.
  static func prompts(_ texts: Texts, _ sizes: Configuration, _ compute: Compute, smallBytes: Int) -> Prompts
}

/// The text encoders and tokenizers of a model.
protocol TextParts: Sendable {
  /// The encoders, in the family's order.
  var archives: [TextEncoderArchive] { get }
  /// Everything that splits prompts into tokens, as bytes that are the same for every file format.
  var vocabulary: [UInt8] { get }
  /// The memory for encoding, in bytes.
  var memoryBytes: Int { get }
  /// The length of a text's context, counted as in `PromptEncoding.chunkCount`.
  ///
  /// Throws `PromptError`.
  func chunkCount(of text: String, _ emphasis: EmphasisChoice) throws -> Int
  /// Whether the files add tokens to a vocabulary, which texts may use.
  var addsTokens: Bool { get }
  /// The added tokens in texts as bytes, for digests; empty if they have none.
  func addedTokenBytes(in texts: [String]) -> [UInt8]
  /// What users should know about how the files were understood; empty if there is no doubt.
  var remarks: [String] { get }
  /// See ``DiffusionModel``.
  func textRepair(of text: String) -> Int?
  /// Finds missing and misshapen tensors, reading only headers.
  func audits() throws(WeightError) -> [WeightAudit]
  /// Throws `EngineError` or `WeightError` if encoders and tokenizers do not belong together.
  func check() throws
}

extension TextParts {
  /// nil by default: the text is used as it is.
  func textRepair(of text: String) -> Int? { nil }

  /// The vocabulary has all tokens already.
  var addsTokens: Bool { false }
  func addedTokenBytes(in texts: [String]) -> [UInt8] { [] }
  var remarks: [String] { [] }
}
