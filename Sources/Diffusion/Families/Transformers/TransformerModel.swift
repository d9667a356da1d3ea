import Foundation
import Hashing
import Networks
import Sampling
import Settings
import TensorFiles
import Tensors
import Text
import Tokenization
import Weights

/// A checkpoint with a transformer: a diffusers folder, or a single file that other files complete.
struct TransformerModel<Family: TransformerFamily>: DiffusionModel {
  private let archive: TransformerArchive
  private let sizes: Family.Configuration
  private let texts: Family.Texts
  private let ownVAE: VAEArchive?
  /// A VAE that was found for a model without one; nil if the settings name one.
  let foundVAE: String?
  let vocabularySHA256: String
  let textEncoderFiles: [String]
  private let id: FamilyID

  static func recognises(path: String, transformer kind: TransformerKind?) -> Bool { kind == Family.Configuration.kind }

  static func family(ofModelAt path: String) -> FamilyID {
    guard let archive = try? TransformerArchive.open(path: path),
      let sizes = archive.configuration as? Family.Configuration
    else { return .stableDiffusion }
    return Family.id(of: sizes, isDistilled: archive.isDistilled)
  }

  init(path: String, parts: ModelParts, vocabularies: VocabularyLocator) throws {
    let archive = try TransformerArchive.open(path: path)
    guard let sizes = archive.configuration as? Family.Configuration else {
      throw WeightError.unsupported(
        path: path, found: "a \(archive.title) model", advice: "use a model of \(Family.Configuration.kind.title)")
    }
    self.archive = archive
    self.sizes = sizes
    id = Family.id(of: sizes, isDistilled: archive.isDistilled)
    let search = PartSearch(
      model: path, family: id.traits.title, named: parts.textEncoders, folders: parts.folders,
      shared: vocabularies.sharedFolder)
    let texts = try Family.texts(sizes, search, vocabularies)
    ownVAE = archive.hasVAE ? try ModelArchive.openVAE(path: path) : nil
    let vaes = VAESearch(model: path, folders: parts.folders, channels: Family.latents(of: sizes).channels)
    foundVAE = ownVAE == nil && parts.vae == nil ? vaes.find() : nil
    if ownVAE == nil, parts.vae == nil, foundVAE == nil {
      search.addMissing(
        MissingParts.Part(title: "the VAE", fileNames: Family.vaeFiles, folders: vaes.searched, key: "vae:"))
    }
    try search.requireComplete()
    guard let texts else {
      throw MissingParts(model: path, family: id.traits.title, parts: search.missing)
    }
    try texts.check()
    self.texts = texts
    vocabularySHA256 = Hexadecimal.text(SHA256.hash(texts.vocabulary))
    // Text encoders inside the model are part of its digest.
    textEncoderFiles = texts.archives.map(\.path).filter { $0 != path && !$0.hasPrefix(path + "/") }
  }

  // MARK: Files

  var path: String { archive.path }
  var familyName: String { id.rawValue }
  var familyTitle: String { id.traits.title }

  /// What was found without being named, and tokens that cannot be used.
  var remarks: [String] { (foundVAE.map { ["its VAE is \($0)"] } ?? []) + texts.remarks }

  var textEncoderPath: String? { nil }
  var trainedPrediction: TrainedPrediction? { nil }
  var predictionSource: String? { nil }

  func variant(usesPrediction: Bool) -> String? { nil }

  func sha256(_ digests: DigestCache) throws(TensorFileError) -> String {
    try archive.sha256(digests, with: folderFiles)
  }

  /// The files of a diffusers folder that are read besides those of the transformer, relative to the folder.
  private var folderFiles: [String] {
    guard ModelFiles.isFolder(path) else { return [] }
    let own = texts.archives.map(\.path).filter { $0.hasPrefix(path + "/") }.map {
      String($0.dropFirst(path.count + 1))
    }
    return (own + (ownVAE == nil ? [] : ["vae"])).sorted().flatMap { folder in
      ((try? FileManager.default.contentsOfDirectory(atPath: "\(path)/\(folder)")) ?? []).sorted()
        .filter { name in [".json", ".safetensors", ".bin"].contains { name.hasSuffix($0) } }
        .map { "\(folder)/\($0)" }
    }
  }

  func check(hasSeparateVAE: Bool) throws(WeightError) {
    var audit = archive.audit()
    for other in try texts.audits() { audit = audit.merged(with: other) }
    if !hasSeparateVAE, let ownVAE { audit = audit.merged(with: ownVAE.audit()) }
    try audit.check()
  }

  func requireUnchanged() throws(TensorFileError) {
    try archive.requireUnchanged()
    for encoder in texts.archives { try encoder.requireUnchanged() }
    try ownVAE?.requireUnchanged()
  }

  // MARK: Latents

  var latents: LatentFormat { Family.latents(of: sizes) }
  var decoder: DecoderFiles? { ownVAE?.decoderFiles }
  var encoder: EncoderFiles? { ownVAE?.encoderFiles }

  func requireMatch(_ vae: VAEArchive) throws(WeightError) {
    guard vae.latentChannels == latents.channels else {
      throw .configuration(
        path: vae.path, key: "channels of the VAE's latent", found: "\(vae.latentChannels)",
        expected: "\(latents.channels), the number for \(familyTitle); its VAE is usually called "
          + Family.vaeFiles.joined(separator: " or "))
    }
  }

  // MARK: Sampling

  func training(for job: PassSettings) -> TrainingSchedule { TrainingSchedule(flow: job) }

  var denoiser: any DenoiserConfiguration { sizes }
  var denoiserTitle: String { "transformer" }
  var textEncoderBytes: Int { texts.memoryBytes }

  func denoiserBytes(_ precision: Precision, _ packing: WeightPacking, adapted: Set<String>) -> Int {
    archive.weightBytes(precision, Self.storage, adapted: adapted)
  }

  /// Weights stay in the form of the file if that is smaller. A step has so many tokens that unpacking the weights costs only a
  /// few percent, and packing the larger networks would need more memory than most machines have.
  private static var storage: WeightStorage { .kept }

  func networks(_ compute: Compute, smallBytes: Int) throws -> any SamplingNetworks {
    let network = PagedNetwork(
      bytes: denoiser.parameterCount * compute.elementType.size, smallBytes: smallBytes, profiler: compute.profiler,
      copies: compute.machine.packedCopies, requireUnchanged: archive.requireUnchanged
    ) { [archive, sizes] in try sizes.network(archive.weights, compute.with(Self.storage)) }
    return PagedSamplingNetworks(
      Family.prompts(texts, sizes, compute.unquantized, smallBytes: smallBytes), network, readsGuidance: false,
      trainedPrediction: .flow, compute: compute)
  }

  // MARK: Text

  func chunkCount(of text: String, _ emphasis: EmphasisChoice, _ library: EmbeddingLibrary?) throws -> Int {
    try texts.chunkCount(of: text, emphasis)
  }

  func textRepair(of text: String) -> Int? { texts.textRepair(of: text) }

  var addsTokens: Bool { texts.addsTokens }

  func vocabularySHA256(for texts: [String]) -> String {
    let added = self.texts.addedTokenBytes(in: Set(texts).sorted())
    return added.isEmpty
      ? vocabularySHA256
      : Hexadecimal.text(SHA256.hash(self.texts.vocabulary + Array("added\n".utf8) + added))
  }

  // MARK: Adapters

  var adaptedStores: [WeightStore] { [archive.weights.store] }

  func match(_ files: [AdapterFile]) throws(WeightError) -> [AdapterMatch] { try archive.match(files) }

  func embeddings(in folders: [String], _ digests: DigestCache) -> EmbeddingLibrary? { nil }
}
