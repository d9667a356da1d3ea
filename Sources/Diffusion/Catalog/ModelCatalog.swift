import Hashing
import DemoModel
import Foundation
import Networks
import Prompts
import Sampling
import Settings
import Text
import Tokenization
import TensorFiles
import Weights

/// The models of jobs: where they are, their names, and everything that is known without reading their weights.
final class ModelCatalog {
  private let executable: String
  private let digests: DigestCache
  private let vocabularies: VocabularyLocator
  private let adapters: AdapterCatalog
  private var models: [Checkpoint: Model] = [:]
  /// Notes about models for the user that were not returned yet.
  private var notes: [String] = []
  /// All notes so far, because each is returned only once.
  private var noted: Set<String> = []
  private var vaes: [ModelReference: VAE] = [:]
  private var upscalers: [String: Upscaler] = [:]
  private var faces: [FaceKey: FaceFiles] = [:]
  private var checked: [Key: (model: Model, vae: VAE?)] = [:]

  /// The checkpoint that a job names, and the files that complete it.
  struct Checkpoint: Hashable {
    let model: ModelReference
    let textEncoder: ModelReference?
    private let textEncoders: [ModelReference]
    /// The VAE that the job names, for families whose parts are in separate files.
    private let vae: ModelReference?
    private let folders: [String]

    init(_ settings: PassSettings) {
      (model, textEncoder) = (settings.model, settings.textEncoder)
      let hasParts = settings.traits.flow != nil
      textEncoders = hasParts ? settings.textEncoders : []
      vae = hasParts ? settings.vae : nil
      folders = hasParts ? settings.partFolders : []
    }

    init(_ model: ModelReference) {
      (self.model, textEncoder, textEncoders, vae, folders) = (model, nil, [], nil, [])
    }

    /// Settings with this checkpoint, and otherwise the defaults.
    var settings: PassSettings {
      var settings = PassSettings()
      (settings.model, settings.textEncoder) = (model, textEncoder)
      (settings.textEncoders, settings.vae, settings.partFolders) = (textEncoders, vae, folders)
      return settings
    }

    /// The files that complete it, by path; `demo` returns the path of the model inside the package.
    func parts(demo: () throws -> String) rethrows -> ModelParts {
      ModelParts(
        textEncoder: try textEncoder.map { try $0.path ?? demo() }, textEncoders: textEncoders.compactMap(\.path),
        vae: vae?.path, folders: folders)
    }
  }

  /// The checkpoint and VAE that a job names.
  struct Key: Hashable {
    let checkpoint: Checkpoint
    let vae: ModelReference?

    init(_ settings: PassSettings) { (checkpoint, vae) = (Checkpoint(settings), settings.vae) }
  }

  /// A checkpoint.
  struct Model {
    let files: any DiffusionModel
    let identity: ModelIdentity
  }

  /// A VAE in separate files.
  struct VAE {
    let archive: VAEArchive
    let identity: ModelIdentity
  }

  /// A network that enlarges images between their passes.
  struct Upscaler {
    let archive: UpscalerArchive
    let identity: ModelIdentity
  }

  /// The networks that restore faces.
  struct FaceFiles {
    let files: FaceRestorerFiles
    let identities: [ModelIdentity]
  }

  /// What determines the files that restore faces.
  private struct FaceKey: Hashable {
    let model: FaceRestorationModel
    let folders: [String]
  }

  /// Creates a catalogue for the user with these environment variables.
  ///
  /// - Parameters:
  ///   - executable: The path of the running program; the demo model is near it.
  ///   - environment: `XDG_CACHE_HOME`, `XDG_DATA_HOME` and `HOME` are read.
  init(executable: String, environment: [String: String]) {
    self.executable = executable
    digests = DigestCache(environment: environment)
    vocabularies = VocabularyLocator(environment: environment)
    adapters = AdapterCatalog(digests: digests)
  }

  /// The checkpoint of a job, and the VAE that replaces its own. The first call opens, audits and hashes the files.
  ///
  /// Throws `EngineError`, `WeightError` or `TokenizationError` if the job is not possible with them.
  func models(for settings: PassSettings) throws -> (model: Model, vae: VAE?) {
    let key = Key(settings)
    if let pair = checked[key] { return pair }
    let model = try model(Checkpoint(settings))
    let vae = try vae(of: settings)
    try model.files.check(hasSeparateVAE: vae != nil)
    if let vae { try model.files.requireMatch(vae.archive) }
    let factor = try model.decoder(vae).configuration.enlargement
    let expected = model.files.latents.pixelsPerPlace
    guard factor == expected else {
      throw EngineError.otherEnlargement(path: vae?.archive.path ?? model.files.path, factor, expected: expected)
    }
    checked[key] = (model, vae)
    return (model, vae)
  }

  /// The network that enlarges a job's image between its passes; nil for filters, and if there is no second pass.
  ///
  /// - Parameter settings: The settings of the job.
  /// - Returns: The network. The first call opens, audits and hashes its file.
  /// - Throws: `EngineError.noHiresUpscaler` if there is no such file, `WeightError` if it cannot be used,
  ///   `EngineError.noVAEEncoder` if the enlarged image cannot be encoded.
  func upscaler(for settings: ImageSettings) throws -> Upscaler? {
    guard let reference = settings.hires?.effectiveUpscaler, reference.enlargesImages else { return nil }
    if let second = try passes(of: settings).second {
      let (model, vae) = try models(for: second.begun)
      try model.requireEncoder(vae)
    }
    guard reference.kind == .network else { return nil }
    guard let path = reference.path else { throw EngineError.noHiresUpscaler(reference.name) }
    if let upscaler = upscalers[path] { return upscaler }
    let archive = try UpscalerArchive(path: path)
    let identity = ModelIdentity(
      name: Self.stem(path), path: path, sha256: try digests.sha256(ofFileAt: path), family: "upscaler")
    let upscaler = Upscaler(archive: archive, identity: identity)
    upscalers[path] = upscaler
    return upscaler
  }

  /// The networks that restore a job's faces; nil if faces are not restored.
  ///
  /// - Parameter settings: The settings of the job.
  /// - Returns: The networks. The first call opens, audits and hashes their files.
  /// - Throws: `FaceFilesMissing` if files are missing, `WeightError` if one cannot be used.
  func faces(for settings: PassSettings) throws -> FaceFiles? {
    guard settings.restoreFaces else { return nil }
    let key = FaceKey(model: settings.faceRestorationModel, folders: settings.faceFolders)
    if let found = faces[key] { return found }
    let files = try FaceFolders(roots: key.folders).files(for: key.model)
    let found = FaceFiles(
      files: files,
      identities: try files.all.map { archive in
        ModelIdentity(
          name: Self.stem(archive.path), path: archive.path, sha256: try digests.sha256(ofFileAt: archive.path),
          family: archive.kind.family)
      })
    faces[key] = found
    return found
  }

  /// The passes of a job, each with its checkpoints.
  ///
  /// Throws as `models(for:)` does, and `EngineError.otherLatents`.
  func passes(of job: ImageSettings) throws -> ImagePasses {
    let first = try pass(job.firstPass)
    guard var second = job.secondPass else { return ImagePasses(first: first, second: nil) }
    if second.model != job.model {
      second = try continued(
        second, from: job.base, to: second.model, asImage: job.hires?.enlargesImages == true, key: "hr_checkpoint_name"
      )
    }
    return ImagePasses(first: first, second: try pass(second))
  }

  /// A pass with these settings. A refiner equal to the base checkpoint is ignored.
  private func pass(_ settings: PassSettings) throws -> ImagePass {
    var begun = settings
    begun.refiner = nil
    guard let refiner = settings.refiner,
      try model(Checkpoint(refiner)).identity.sha256 != model(Checkpoint(settings)).identity.sha256
    else { return ImagePass(begun: begun, finished: nil) }
    return ImagePass(
      begun: begun, finished: try continued(begun, from: begun, to: refiner, key: "refiner_checkpoint"))
  }

  /// The settings with which a second checkpoint continues the work of the first.
  ///
  /// If the second checkpoint has no VAE, the first one's decodes. If it belongs to another family, it gets no LoRAs, because
  /// its layers are different. Latents must have the same meaning for both, unless an image is passed on.
  private func continued(
    _ settings: PassSettings, from first: PassSettings, to other: ModelReference, asImage isImage: Bool = false,
    key: String
  ) throws -> PassSettings {
    var named = settings
    named.model = other
    named.textEncoder = nil
    // The parts that the recipe names belong to the first checkpoint; another family has its own.
    if other.family != first.model.family { (named.textEncoders, named.vae) = ([], nil) }
    let (one, two) = (try model(Checkpoint(first)), try model(Checkpoint(named)))
    let hasSameLatents =
      one.files.latents == two.files.latents
      && (first.traits.flow == nil) == (named.traits.flow == nil)
    guard hasSameLatents || isImage else {
      throw EngineError.otherLatents(
        key: key, path: two.files.path, two.files.familyTitle, model: one.files.familyTitle)
    }
    var settings = named
    // The recipe's prediction type belongs to the first checkpoint.
    if one.identity.sha256 != two.identity.sha256 { settings.predictionType = .auto }
    let usesOwnVAE = settings.vae == nil || settings.vae == .ownVAE
    if two.files.decoder == nil, usesOwnVAE, companionVAE(of: settings) == nil, hasSameLatents {
      settings.vae = decoder(of: first)
    }
    if two.files.familyName != one.files.familyName { settings.prompt = ExtraNetworkTag.split(settings.prompt).text }
    return settings
  }

  /// The decoder of a checkpoint's latents, as a VAE that another checkpoint can use.
  private func decoder(of settings: PassSettings) -> ModelReference {
    if let vae = companionVAE(of: settings) { return vae }
    if let found = try? foundVAE(of: settings) { return found }
    guard let textEncoder = settings.textEncoder, (try? vae(settings.model)) == nil else { return settings.model }
    return companionVAE(of: Checkpoint(textEncoder).settings) ?? textEncoder
  }

  /// The VAE that replaces the checkpoint's own: the one that the settings name, otherwise the one next to the checkpoint.
  private func vae(of settings: PassSettings) throws -> VAE? {
    if settings.vae == .ownVAE { return nil }
    if let named = settings.vae { return try vae(named) }
    if let found = try foundVAE(of: settings) { return try vae(found) }
    guard let companion = companionVAE(of: settings) else { return nil }
    do {
      let vae = try vae(companion)
      note(
        "\(settings.model.path ?? ""): decoded by \(companion.name) next to it, as in the webui; vae: none uses the checkpoint's "
          + "own VAE")
      return vae
    } catch {
      throw EngineError.companionVAE(reason: "\(error)")
    }
  }

  /// A VAE that was found for a checkpoint whose parts are in separate files; nil if there is none.
  private func foundVAE(of settings: PassSettings) throws -> ModelReference? {
    guard settings.traits.flow != nil, let path = try model(Checkpoint(settings)).files.foundVAE else { return nil }
    return ModelReference(name: URL(fileURLWithPath: path).lastPathComponent, path: path)
  }

  /// The VAE next to a checkpoint, or next to the one that completes it; nil if there is none.
  private func companionVAE(of settings: PassSettings) -> ModelReference? {
    let paths = [settings.model.path, settings.textEncoder?.path].compactMap { $0 }
    guard settings.vae == nil, let path = paths.lazy.compactMap({ CompanionFiles(of: $0).vae }).first else {
      return nil
    }
    return ModelReference(name: URL(fileURLWithPath: path).lastPathComponent, path: path)
  }

  /// The VAE next to a later checkpoint of a job, which affects its images; nil if the settings name one, or there is none.
  func otherVAE(of settings: PassSettings) throws -> ModelIdentity? {
    companionVAE(of: settings) == nil ? nil : try models(for: settings).vae?.identity
  }

  /// The identity of a pass's checkpoint, including what its files say unless the settings replace it.
  func identity(of settings: PassSettings) throws -> ModelIdentity {
    let model = try models(for: settings).model
    var identity = model.identity
    let isAuto = settings.predictionType == .auto
    identity.variant = model.files.variant(usesPrediction: isAuto)
    if !isAuto, let trained = model.files.trainedPrediction, trained.rawValue != settings.predictionType.rawValue {
      note(
        "\(model.files.path): prediction_type: \(settings.predictionType.rawValue) is used, although "
          + "\(model.files.predictionSource ?? "the model") says \(trained.rawValue)")
    }
    return identity
  }

  /// The identity of the checkpoint that completes a job's model; nil if there is none.
  func textEncoder(of settings: PassSettings) throws -> ModelIdentity? {
    guard let reference = settings.textEncoder else { return nil }
    let model = try model(Checkpoint(reference))
    var identity = model.identity
    // What it predicts does not matter, but how its text encoder reads positions does.
    identity.variant = model.files.variant(usesPrediction: false)
    return identity
  }

  /// The files of text encoders that complete a job's model, by digest; nil if the model contains them.
  func textEncoders(of settings: PassSettings) throws -> [ModelIdentity]? {
    let files = try model(Checkpoint(settings)).files
    guard !files.textEncoderFiles.isEmpty else { return nil }
    return try files.textEncoderFiles.map { path in
      ModelIdentity(
        name: Self.stem(path), path: path, sha256: try sha256(ofEncoderAt: path), family: "text_encoder")
    }
  }

  /// The digest of a text encoder's file, or of the files in its folder.
  private func sha256(ofEncoderAt path: String) throws -> String {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else {
      return try digests.sha256(ofFileAt: path)
    }
    let files = try FileManager.default.contentsOfDirectory(atPath: path).filter { name in
      [".json", ".safetensors", ".bin"].contains { name.hasSuffix($0) }
    }
    return try digests.sha256(ofFiles: files.sorted(), in: path)
  }

  private func note(_ text: String) {
    if noted.insert(text).inserted { notes.append(text) }
  }

  /// The LoRAs in the tags of a job's prompt, see `AdapterCatalog.loras(for:_:)`.
  func loras(for settings: PassSettings) throws -> [AdapterCatalog.MatchedLoRA]? {
    try adapters.loras(for: settings, models(for: settings).model.files)
  }

  /// The embeddings that the prompts of a job may name, see `AdapterCatalog.library(for:_:)`.
  func library(for settings: PassSettings) throws -> EmbeddingLibrary? {
    try adapters.library(for: settings, try models(for: settings).model.files)
  }

  /// The version of the cleaning of a pass's texts, if it is part of the image's id, see ``DiffusionModel/textRepair(of:)``.
  ///
  /// - Parameters:
  ///   - settings: The settings of the pass.
  ///   - callsBefore: The calls of the first pass if this is the second; nil for the first.
  /// - Returns: The largest version of its texts; nil if there is none.
  /// - Throws: As `models(for:)`.
  func textRepair(of settings: PassSettings, callsBefore: Int?) throws -> Int? {
    guard [settings.prompt, settings.negativePrompt].contains(where: TextCleaning.mayMatter) else { return nil }
    let files = try models(for: settings).model.files
    return PromptTexts.runs(of: settings, callsBefore: callsBefore).compactMap(files.textRepair).max()
  }

  /// The digest of the vocabulary that splits the texts of a pass; parameters as in `textRepair`.
  func vocabularySHA256(_ settings: PassSettings, callsBefore: Int?) throws -> String {
    let files = try models(for: settings).model.files
    guard files.addsTokens else { return files.vocabularySHA256 }
    return files.vocabularySHA256(for: PromptTexts.runs(of: settings, callsBefore: callsBefore))
  }

  /// The digest of several vocabularies.
  static func vocabularySHA256(_ all: [String]) -> String {
    var digests: [String] = []
    for digest in all where !digests.contains(digest) { digests.append(digest) }
    return digests.count == 1 ? digests[0] : Hexadecimal.text(SHA256.hash(Array(digests.joined().utf8)))
  }

  /// Information for users about the files that were opened so far; each note is returned once.
  func takeNotes() -> [String] {
    defer { notes = [] }
    return notes + adapters.takeNotes()
  }

  /// The number of channels in the latents of a job's checkpoint.
  func channels(_ job: PassSettings) throws -> Int { try models(for: job).model.files.latents.channels }

  /// The noise levels that the checkpoint of a job was trained on, or those that the job sets instead.
  func training(_ job: PassSettings) throws -> TrainingSchedule {
    try models(for: job).model.files.training(for: job)
  }

  /// Networks smaller than this are packed again in every start, which takes no time.
  private static let leastCopiedBytes = 32 << 20

  /// A checkpoint; throws as `models(for:)` does.
  func model(_ checkpoint: Checkpoint) throws -> Model {
    if let model = models[checkpoint] { return model }
    let reference = checkpoint.model
    let path = try reference.path ?? demoFolder()
    let files = try ModelFamilies.open(
      path: path, parts: try checkpoint.parts(demo: demoFolder), vocabularies: vocabularies)
    for remark in files.remarks { note("\(path): \(remark)") }
    let identity = ModelIdentity(
      name: reference.path == nil ? reference.name : Self.stem(path), path: reference.path,
      sha256: try files.sha256(digests), family: files.familyName)
    for store in files.adaptedStores where store.fileBytes >= Self.leastCopiedBytes {
      store.setContentDigest(try digests.sha256(ofFilesAt: store.filePaths))
    }
    let model = Model(files: files, identity: identity)
    models[checkpoint] = model
    return model
  }

  private func vae(_ reference: ModelReference) throws -> VAE {
    if let vae = vaes[reference] { return vae }
    let path = try reference.path ?? demoFolder()
    let archive = try ModelArchive.openVAE(path: path)
    try archive.audit().check()
    let identity = ModelIdentity(
      name: URL(fileURLWithPath: path).lastPathComponent, path: reference.path, sha256: try archive.sha256(digests),
      family: archive.family)
    let vae = VAE(archive: archive, identity: identity)
    vaes[reference] = vae
    return vae
  }

  private func demoFolder() throws -> String {
    switch DemoModel.locate(executable: executable) {
    case .found(let folder): return folder
    case .missing(let folders): throw EngineError.demoModelMissing(folders)
    }
  }

  /// A file's name without its extension, or a folder's whole name.
  private static func stem(_ path: String) -> String {
    let url = URL(fileURLWithPath: path)
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else {
      return url.deletingPathExtension().lastPathComponent
    }
    return url.lastPathComponent
  }
}
