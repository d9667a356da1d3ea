import Hashing
import Networks
import Sampling
import Settings
import TensorFiles
import Tensors
import Text
import Tokenization
import Weights

/// A checkpoint of Stable Diffusion 1.x, 2.x or XL: a UNet, one or two CLIP text encoders, and a VAE.
struct StableDiffusionModel: DiffusionModel {
  let archive: ModelArchive
  let vocabularySHA256: String
  let textEncoderPath: String?
  private let tokenizer: CLIPTokenizer
  private let addedTokensRemark: String?

  /// True: this family comes last in the list, and knows the other kinds of files that people mistake for checkpoints.
  static func recognises(path: String, transformer kind: TransformerKind?) -> Bool { true }

  init(path: String, parts: ModelParts, vocabularies: VocabularyLocator) throws {
    let textEncoder = parts.textEncoder
    archive = try ModelArchive.open(path: path, textEncoder: textEncoder)
    textEncoderPath = textEncoder
    let vocabulary = try vocabularies.find(for: textEncoder ?? path)
    let known = archive.textEncoders.map(\.configuration.vocabularySize).min() ?? 0
    guard vocabulary.count <= known else {
      throw EngineError.vocabularyTooLarge(path: vocabulary.path, count: vocabulary.count, known: known)
    }
    try vocabulary.requireComplete(rows: known)
    // A prompt is cut into tokens once for all text encoders.
    for folder in archive.tokenizerFolders {
      let other = try vocabularies.read(in: folder)
      guard other.map({ $0.isSame(as: vocabulary) }) != false else {
        throw EngineError.vocabulariesDiffer(path: path, folder: folder)
      }
    }
    tokenizer = CLIPTokenizer(vocabulary, rows: known)
    let unknown = vocabulary.addedTokens(beyond: known)
    addedTokensRemark =
      unknown.isEmpty
      ? nil
      : "\(vocabulary.path): the files beside it add \(unknown.prefix(5).map(\.abridged).joined(separator: ", "))"
        + "\(unknown.count > 5 ? " ..." : "") to the vocabulary, but the text encoder knows \(known) tokens: prompts read it as "
        + "other words"
    vocabularySHA256 = Hexadecimal.text(SHA256.hash(vocabulary.canonicalBytes))
  }

  // MARK: Files

  var path: String { archive.path }
  var familyName: String { archive.family.name }
  var familyTitle: String { archive.family.title }
  var remarks: [String] { archive.remarks + (addedTokensRemark.map { [$0] } ?? []) }
  var trainedPrediction: TrainedPrediction? { archive.predictionType }
  var predictionSource: String? { archive.predictionSource }

  func variant(usesPrediction: Bool) -> String? { archive.variant(usesPrediction: usesPrediction) }

  func sha256(_ digests: DigestCache) throws(TensorFileError) -> String { try archive.sha256(digests) }

  func check(hasSeparateVAE: Bool) throws(WeightError) {
    try archive.audit(vae: hasSeparateVAE ? .separate : .own).check()
  }

  func requireUnchanged() throws(TensorFileError) { try archive.requireUnchanged() }

  // MARK: Latents

  var latents: LatentFormat {
    LatentFormat(
      channels: archive.unet.configuration.inChannels, scale: LatentScale(factor: archive.family.latentScale),
      tinyDecoder: archive.family.tinyDecoder)
  }

  var decoder: DecoderFiles? { archive.decoderFiles }
  var encoder: EncoderFiles? { archive.encoderFiles }

  func requireMatch(_ vae: VAEArchive) throws(WeightError) { try archive.requireMatch(vae) }

  // MARK: Sampling

  func training(for job: PassSettings) -> TrainingSchedule {
    TrainingSchedule(
      job, noise: archive.noise.hasZeroTerminalSNR ? .zeroTerminalSNR : .standard,
      alphasCumprod: archive.noise.alphasCumprod, alignedSteps: archive.family.alignedSteps)
  }

  var denoiser: any DenoiserConfiguration { archive.unet.configuration }

  /// They run in fp32: they are a hundredth of the work.
  var textEncoderBytes: Int {
    archive.textEncoders.reduce(0) { $0 + $1.configuration.parameterCount * ElementType.fp32.size }
  }

  func networks(_ compute: Compute, smallBytes: Int) throws -> any SamplingNetworks {
    let configuration = archive.unet.configuration
    let unet = PagedNetwork(
      bytes: configuration.parameterCount * compute.elementType.size, smallBytes: smallBytes,
      profiler: compute.profiler, copies: compute.machine.packedCopies, requireUnchanged: archive.requireUnchanged
    ) { [archive] in try UNet(archive.unet.weights, configuration: configuration, compute: compute) }
    let isProbed = archive.predictionType == nil && archive.family.isPredictionProbed
    let prediction =
      try archive.predictionType ?? (isProbed && unet.get().predictsVelocity(compute) ? .vPrediction : .epsilon)
    return PagedSamplingNetworks(
      prompts(compute.with(.fp32), smallBytes: smallBytes), unet, readsGuidance: configuration.readsGuidance,
      trainedPrediction: prediction == .vPrediction ? .vPrediction : .epsilon, compute: compute)
  }

  private func prompts(_ compute: Compute, smallBytes: Int) -> CLIPPrompts {
    let encoders = zip(archive.family.textEncoders, archive.textEncoders).map { role, network in
      let encoder = PagedNetwork(
        bytes: network.configuration.parameterCount * compute.elementType.size, smallBytes: smallBytes,
        profiler: compute.profiler, copies: compute.machine.packedCopies, requireUnchanged: archive.requireUnchanged
      ) { try CLIPTextModel(network.weights, configuration: network.configuration, compute: compute) }
      return TextEncoder(
        role: role, model: encoder, configuration: network.configuration, endID: tokenizer.vocabulary.endID,
        compute: compute)
    }
    return CLIPPrompts(
      family: archive.family, tokenizer: tokenizer, encoders: encoders, numberWidth: archive.vectorNumberWidth,
      compute: compute)
  }

  // MARK: Text

  func chunkCount(of text: String, _ emphasis: EmphasisChoice, _ library: EmbeddingLibrary?) throws -> Int {
    let cleanings = Set(archive.family.textEncoders.map(\.cleaning))
    return try CLIPPrompts.chunks(text, emphasis, tokenizer, cleanings: cleanings, library).values.map(\.count).max()
      ?? 1
  }

  var addsTokens: Bool { tokenizer.addsTokens }

  func vocabularySHA256(for texts: [String]) -> String {
    let cleanings = archive.family.textEncoders.map(\.cleaning)
    let added = Set(texts).sorted().flatMap { tokenizer.addedTokenBytes(in: $0, by: cleanings) }
    return added.isEmpty
      ? vocabularySHA256
      : Hexadecimal.text(SHA256.hash(tokenizer.vocabulary.canonicalBytes + Array("added\n".utf8) + added))
  }

  func textRepair(of text: String) -> Int? {
    let cleanings = archive.family.textEncoders.map(\.cleaning)
    return tokenizer.isRepaired(text, by: cleanings) ? CLIPTokenizer.repairVersion : nil
  }

  // MARK: Adapters

  var adaptedStores: [WeightStore] { archive.adaptedStores }

  func match(_ files: [AdapterFile]) throws(WeightError) -> [AdapterMatch] { try archive.match(files) }

  func embeddings(in folders: [String], _ digests: DigestCache) -> EmbeddingLibrary? {
    EmbeddingLibrary(
      folders: folders, tokenizer: tokenizer, cleanings: archive.family.textEncoders.map(\.cleaning),
      widths: archive.textEncoders.map(\.configuration.width), digests: digests)
  }
}
