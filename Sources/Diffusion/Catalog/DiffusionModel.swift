import Networks
import Sampling
import Settings
import TensorFiles
import Tensors
import Tokenization
import Weights

/// An opened checkpoint: everything that the engine needs to know about its family.
///
/// Each family is a type that conforms to it, in a folder of `Families/`, and an entry in `ModelFamilies.all`. Its networks are
/// in a folder of the target `Networks`.
protocol DiffusionModel: Sendable {
  /// Whether a file or folder is of this family.
  ///
  /// - Parameters:
  ///   - path: The file or folder.
  ///   - kind: The kind of transformer in it; nil if there is none.
  /// - Returns: True if it is.
  static func recognises(path: String, transformer kind: TransformerKind?) -> Bool

  /// How a file or folder of this family is sampled. This is called when recipes are read, so it reads no weights. A file that
  /// cannot be used counts as `.stableDiffusion`, because its error is reported when it is opened.
  static func family(ofModelAt path: String) -> FamilyID

  /// Opens a checkpoint, without reading its weights.
  ///
  /// - Parameters:
  ///   - path: The file or folder.
  ///   - parts: The files that complete it.
  ///   - vocabularies: Finds the vocabulary.
  /// - Throws: `WeightError`, `EngineError` or `TokenizationError` if it cannot be used.
  init(path: String, parts: ModelParts, vocabularies: VocabularyLocator) throws

  // MARK: Files

  /// The file or folder.
  var path: String { get }
  /// The name of the family in manifests and job ids.
  var familyName: String { get }
  /// The name of the family for messages.
  var familyTitle: String { get }
  /// Information for users about how the files were understood; empty if there is no doubt.
  var remarks: [String] { get }
  /// The checkpoint whose text encoders are used; nil if the model's own are used.
  var textEncoderPath: String? { get }
  /// The separate files of text encoders that are used, in the order of the family; empty if the checkpoint contains them.
  var textEncoderFiles: [String] { get }
  /// A file with a VAE that was found for a checkpoint without one, if the settings name none. It is used as if it were named.
  var foundVAE: String? { get }
  /// What the network predicts; nil if the files do not state it.
  var trainedPrediction: TrainedPrediction? { get }
  /// The file or tensor that states the prediction.
  var predictionSource: String? { get }
  /// What affects images besides the files' content, see `ModelArchive.variant(usesPrediction:)`.
  func variant(usesPrediction: Bool) -> String?
  /// The digest of everything that splits prompts into tokens.
  var vocabularySHA256: String { get }

  /// The SHA-256 of the file, or of the folder's files that are used.
  func sha256(_ digests: DigestCache) throws(TensorFileError) -> String

  /// Throws `WeightError` if tensors are missing, misshapen or unknown; with a separate VAE, the model's own is not checked.
  func check(hasSeparateVAE: Bool) throws(WeightError)

  /// Throws `TensorFileError.changed` if a file was written to after it was opened.
  func requireUnchanged() throws(TensorFileError)

  // MARK: Latents

  /// The latents that are sampled.
  var latents: LatentFormat { get }
  /// The model's own decoder; nil if it comes without one.
  var decoder: DecoderFiles? { get }
  /// The model's own encoder; nil if it comes without one.
  var encoder: EncoderFiles? { get }

  /// Throws `WeightError.configuration` if a VAE's latents are not those of this model.
  func requireMatch(_ vae: VAEArchive) throws(WeightError)

  // MARK: Sampling

  /// The noise levels that the checkpoint was trained on, or those that a job sets instead.
  func training(for job: PassSettings) -> TrainingSchedule

  /// The sizes of the denoising network.
  var denoiser: any DenoiserConfiguration { get }
  /// The name of the denoising network for messages.
  var denoiserTitle: String { get }
  /// The size of the denoising network's weights in memory, in bytes.
  ///
  /// - Parameters:
  ///   - precision: The precision of the network.
  ///   - packing: How its weights are packed.
  ///   - adapted: The tensors that LoRAs change.
  /// - Returns: An estimate, slightly too high.
  func denoiserBytes(_ precision: Precision, _ packing: WeightPacking, adapted: Set<String>) -> Int
  /// The size of the text encoders' weights in bytes.
  var textEncoderBytes: Int { get }

  /// The text encoders and the denoising network, which are read when they are first needed.
  ///
  /// - Parameters:
  ///   - compute: The machine and numerics of the denoising network.
  ///   - smallBytes: Networks smaller than this stay in memory after they are read.
  /// - Returns: The networks.
  /// - Throws: `WeightError`.
  func networks(_ compute: Compute, smallBytes: Int) throws -> any SamplingNetworks

  // MARK: Text

  /// The number of token chunks of a prompt's text, which is the length of its context.
  ///
  /// Throws `PromptError`, or `WeightError` for a damaged embedding.
  func chunkCount(of text: String, _ emphasis: EmphasisChoice, _ library: EmbeddingLibrary?) throws -> Int

  /// Whether the files add tokens to the vocabulary, which texts may use.
  var addsTokens: Bool { get }
  /// The digest of everything that splits these texts into tokens: `vocabularySHA256`, unless they use added tokens.
  func vocabularySHA256(for texts: [String]) -> String

  /// The version of the text cleaning, if an earlier version gave the text other tokens; images of such texts have other ids.
  /// Nil if the text has the same tokens in all versions.
  ///
  /// Families that repair text return the version of the repair; families that no longer repair it return 0.
  func textRepair(of text: String) -> Int?

  // MARK: Adapters

  /// The stores of the networks that LoRAs change: the denoising network's, then those of the text encoders.
  var adaptedStores: [WeightStore] { get }

  /// Finds the layers that LoRAs change.
  ///
  /// - Parameter files: The LoRAs.
  /// - Returns: A match for each file; networks are numbered as in `adaptedStores`.
  /// - Throws: `WeightError.adapter` for a LoRA that is not for this model.
  func match(_ files: [AdapterFile]) throws(WeightError) -> [AdapterMatch]

  /// The embeddings in some folders that prompts may name; nil if the family supports none.
  func embeddings(in folders: [String], _ digests: DigestCache) -> EmbeddingLibrary?
}

extension DiffusionModel {
  var addsTokens: Bool { false }
  func vocabularySHA256(for texts: [String]) -> String { vocabularySHA256 }

  static func family(ofModelAt path: String) -> FamilyID { .stableDiffusion }
  var textEncoderFiles: [String] { [] }
  var foundVAE: String? { nil }
  var denoiserTitle: String { "UNet" }

  /// LoRAs do not change the size, because all weights are packed.
  func denoiserBytes(_ precision: Precision, _ packing: WeightPacking, adapted: Set<String>) -> Int {
    denoiser.weightBytes(precision, packing)
  }
}

/// The files that complete a checkpoint.
struct ModelParts: Hashable, Sendable {
  /// A checkpoint whose text encoders are used instead of the model's own; nil for the model's own.
  var textEncoder: String?
  /// Files with text encoders that the settings name.
  var textEncoders: [String] = []
  /// The VAE that the settings name; nil for the model's own, or for one that is found.
  var vae: String?
  /// The folders that are searched for missing parts, in this order.
  var folders: [String] = []
}

/// The latents of a family.
struct LatentFormat: Hashable, Sendable {
  /// Planes of the latent.
  var channels: Int
  /// The scale, used if the VAE's files do not state it.
  var scale: LatentScale
  /// Image pixels per latent pixel, along each side.
  var pixelsPerPlace = 8
  /// The small decoder that reads them, as its file is called without `_decoder`: `taesd`, `taef1`.
  var tinyDecoder: String
}
