import Networks
import Sampling
import Settings
import TensorFiles
import Tensors
import Tokenization
import Weights

/// A checkpoint, opened: everything that the engine needs to know about its family.
///
/// A family is one type that conforms, in a folder of `Families/`, and an entry in `ModelFamilies.all`. Its networks are a
/// folder of the target `Networks`.
protocol DiffusionModel: Sendable {
  /// Whether a file or folder is of this family.
  ///
  /// - Parameters:
  ///   - path: The file or folder.
  ///   - kind: The kind of transformer in it; nil for none.
  /// - Returns: Whether it is.
  static func recognises(path: String, transformer kind: TransformerKind?) -> Bool

  /// How a file or folder of this family is sampled. It is asked for when recipes are read, so it reads no weights; a file that
  /// cannot be used is `.stableDiffusion`, because its error is reported when it is opened.
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
  /// What manifests and the identities of jobs call the family.
  var familyName: String { get }
  /// What people call the family.
  var familyTitle: String { get }
  /// What users should know about how the files were understood; empty if there is no doubt.
  var remarks: [String] { get }
  /// The checkpoint whose text encoders are used; nil if they are the model's own.
  var textEncoderPath: String? { get }
  /// The files of text encoders beside the checkpoint that are used, in the order of the family; empty if it has its own.
  var textEncoderFiles: [String] { get }
  /// A file with a VAE that was found for a checkpoint without one, if the settings name none; it decodes as if it were named.
  var foundVAE: String? { get }
  /// What the network predicts; nil if the files do not state it.
  var trainedPrediction: TrainedPrediction? { get }
  /// Which file or tensor states it.
  var predictionSource: String? { get }
  /// What decides images besides the files' content, see `ModelArchive.variant(usesPrediction:)`.
  func variant(usesPrediction: Bool) -> String?
  /// The digest of everything that cuts prompts into tokens.
  var vocabularySHA256: String { get }

  /// The SHA-256 of the file, or of the folder's files that are used.
  func sha256(_ digests: DigestCache) throws(TensorFileError) -> String

  /// Throws `WeightError` if tensors are missing, misshapen or unknown; with a separate VAE, the model's own is not checked.
  func check(hasSeparateVAE: Bool) throws(WeightError)

  /// Throws `TensorFileError.changed` if a file was written to since it was opened.
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

  /// The noise levels that the checkpoint was trained on, or those that a job asks for instead.
  func training(for job: PassSettings) -> TrainingSchedule

  /// The sizes of the denoising network.
  var denoiser: any DenoiserConfiguration { get }
  /// What people call the denoising network.
  var denoiserTitle: String { get }
  /// Bytes of the denoising network's weights in memory.
  ///
  /// - Parameters:
  ///   - precision: What it computes in.
  ///   - packing: How its weights are packed.
  ///   - adapted: The tensors that LoRAs change.
  /// - Returns: An estimate, a little too high.
  func denoiserBytes(_ precision: Precision, _ packing: WeightPacking, adapted: Set<String>) -> Int
  /// Bytes of the text encoders' weights.
  var textEncoderBytes: Int { get }

  /// The text encoders and the denoising network, which are read when they are first needed.
  ///
  /// - Parameters:
  ///   - compute: What the denoising network runs on.
  ///   - smallBytes: Networks smaller than this stay in memory once they are read.
  /// - Returns: The networks.
  /// - Throws: `WeightError`.
  func networks(_ compute: Compute, smallBytes: Int) throws -> any SamplingNetworks

  // MARK: Text

  /// How many chunks of tokens a prompt's text has, which is the length of its context.
  ///
  /// Throws `PromptError`, or `WeightError` for a damaged embedding.
  func chunkCount(of text: String, _ emphasis: EmphasisChoice, _ library: EmbeddingLibrary?) throws -> Int

  /// Whether the files add tokens to the vocabulary, which texts may use.
  var addsTokens: Bool { get }
  /// The digest of everything that cuts these texts into tokens: `vocabularySHA256`, unless they use added tokens.
  func vocabularySHA256(for texts: [String]) -> String

  /// How a text was cleaned, if an earlier version gave it other tokens: images of such texts have other identities. Nil if it
  /// has the same tokens as always.
  ///
  /// Families whose text is repaired return the version of the repair; those that stopped repairing it, 0.
  func textRepair(of text: String) -> Int?

  // MARK: Adapters

  /// The stores of the networks that LoRAs change: the denoising network's, then the text encoders'.
  var adaptedStores: [WeightStore] { get }

  /// Finds the layers that LoRAs change.
  ///
  /// - Parameter files: The LoRAs.
  /// - Returns: A match for each file; networks are counted as in `adaptedStores`.
  /// - Throws: `WeightError.adapter` for one that is not for this model.
  func match(_ files: [AdapterFile]) throws(WeightError) -> [AdapterMatch]

  /// The embeddings in some folders that prompts may name; nil if the family has none.
  func embeddings(in folders: [String], _ digests: DigestCache) -> EmbeddingLibrary?
}

extension DiffusionModel {
  var addsTokens: Bool { false }
  func vocabularySHA256(for texts: [String]) -> String { vocabularySHA256 }

  static func family(ofModelAt path: String) -> FamilyID { .stableDiffusion }
  var textEncoderFiles: [String] { [] }
  var foundVAE: String? { nil }
  var denoiserTitle: String { "UNet" }

  /// LoRAs change no size: all weights are packed.
  func denoiserBytes(_ precision: Precision, _ packing: WeightPacking, adapted: Set<String>) -> Int {
    denoiser.weightBytes(precision, packing)
  }
}

/// The files that complete a checkpoint.
struct ModelParts: Hashable, Sendable {
  /// A checkpoint whose text encoders are used instead of the model's own; nil for its own.
  var textEncoder: String?
  /// Files with text encoders that the settings name.
  var textEncoders: [String] = []
  /// The VAE that the settings name; nil for the model's own, or one that is found.
  var vae: String?
  /// The folders that are searched for what is missing, in this order.
  var folders: [String] = []
}

/// The latents of a family.
struct LatentFormat: Hashable, Sendable {
  /// Planes of the latent.
  var channels: Int
  /// Their scale, if the VAE's files do not state it.
  var scale: LatentScale
  /// Pixels of the image per latent pixel, along a side.
  var pixelsPerPlace = 8
  /// The small decoder that reads them, as its file is called without `_decoder`: `taesd`, `taef1`.
  var tinyDecoder: String
}
