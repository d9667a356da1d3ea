import Crypto
import DemoModel
import Foundation
import JSON
import Networks
import Prompts
import Sampling
import Settings
import Text
import Tokenization
import TensorFiles

/// Where models are, what they are made of, and what they are called: all that can be said without reading weights.
final class ModelCatalog {
  private let executable: String
  private let digests: DigestCache
  private let vocabularies: VocabularyLocator
  private let adapters: AdapterCatalog
  private var models: [ModelReference: Model] = [:]
  /// What is still to be told of models.
  private var notes: [String] = []
  private var vaes: [ModelReference: VAE] = [:]
  private var upscalers: [String: Upscaler] = [:]
  private var checked: [Key: (model: Model, vae: VAE?)] = [:]

  /// What a job says of its models.
  struct Key: Hashable {
    let model: ModelReference
    let vae: ModelReference?
  }

  /// A checkpoint.
  struct Model {
    let archive: ModelArchive
    let identity: ModelIdentity
    let tokenizer: CLIPTokenizer
    let vocabularySHA256: String
  }

  /// A VAE in files of its own.
  struct VAE {
    let archive: VAEArchive
    let identity: ModelIdentity
  }

  /// A network that enlarges images between their passes.
  struct Upscaler {
    let archive: UpscalerArchive
    let identity: ModelIdentity
  }

  /// A catalogue for the user with these environment variables.
  ///
  /// - Parameters:
  ///   - executable: The path of the running program, near which the demo model is.
  ///   - environment: `XDG_CACHE_HOME`, `XDG_DATA_HOME` and `HOME` are read.
  init(executable: String, environment: [String: String]) {
    self.executable = executable
    digests = DigestCache(environment: environment)
    vocabularies = VocabularyLocator(environment: environment)
    adapters = AdapterCatalog(digests: digests)
  }

  /// The checkpoint of a job, and the VAE that replaces its own; files are opened, audited and hashed on the first call.
  ///
  /// Throws `EngineError`, `WeightError` or `TokenizationError` for whatever would keep the job from being done.
  func models(for parameters: ImageSettings) throws -> (model: Model, vae: VAE?) {
    let key = Key(model: parameters.model, vae: parameters.vae)
    if let pair = checked[key] { return pair }
    let model = try model(parameters.model)
    let vae = try parameters.vae.map { try self.vae($0) }
    try model.archive.audit(vae: vae == nil ? .own : .separate).check()
    if let vae { try model.archive.requireMatch(vae.archive) }
    let factor = try model.decoderConfiguration(vae).enlargement
    guard factor == 8 else { throw EngineError.otherEnlargement(path: vae?.archive.path ?? model.archive.path, factor) }
    checked[key] = (model, vae)
    return (model, vae)
  }

  /// The network that enlarges a job's image between its passes; nothing for filters, and without a second pass.
  ///
  /// - Parameter parameters: The settings of the job.
  /// - Returns: The network, whose file is opened, audited and hashed on the first call.
  /// - Throws: `EngineError.noHiresUpscaler` where there is no such file, `WeightError` for one that is not usable;
  ///   `EngineError.noVAEEncoder` where the enlarged image cannot be encoded.
  func upscaler(for parameters: ImageSettings) throws -> Upscaler? {
    guard let reference = parameters.hires?.effectiveUpscaler, reference.enlargesImages else { return nil }
    if let second = try passes(of: parameters).second {
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

  /// The passes of a job, each with the checkpoints that take part in it.
  ///
  /// Throws as `models(for:)` does, and `EngineError.otherLatents`.
  func passes(of job: ImageSettings) throws -> ImagePasses {
    let first = try pass(ImageSettings(job.firstPass))
    guard var second = job.secondPass.map({ ImageSettings($0) }) else { return ImagePasses(first: first, second: nil) }
    if second.model != job.model {
      second = try handedOn(
        second, from: job.model, to: second.model, asImage: job.hires?.enlargesImages == true, key: "hr_checkpoint_name"
      )
    }
    return ImagePasses(first: first, second: try pass(second))
  }

  /// A pass with these settings; a refiner that is its own checkpoint is none.
  private func pass(_ settings: ImageSettings) throws -> ImagePass {
    var begun = settings
    begun.refiner = nil
    guard let refiner = settings.refiner,
      try model(refiner).identity.sha256 != model(settings.model).identity.sha256
    else { return ImagePass(begun: begun, finished: nil) }
    return ImagePass(
      begun: begun, finished: try handedOn(begun, from: settings.model, to: refiner, key: "refiner_checkpoint"))
  }

  /// The settings with which a checkpoint goes on with what another one began.
  ///
  /// One without a VAE leaves decoding to the first one's, and one of another family has other layers than the LoRAs are for.
  /// Images mean the same to all, so that what is handed on as one may be of any kind.
  private func handedOn(
    _ settings: ImageSettings, from first: ModelReference, to other: ModelReference, asImage isImage: Bool = false,
    key: String
  ) throws -> ImageSettings {
    let (one, two) = (try model(first), try model(other))
    let hasSameLatents = one.archive.hasLatents(of: two.archive)
    guard hasSameLatents || isImage else {
      throw EngineError.otherLatents(
        key: key, path: two.archive.path, two.archive.family.title, model: one.archive.family.title)
    }
    var settings = settings
    settings.model = other
    // What the recipe says of the prediction is of the first checkpoint.
    if one.identity.sha256 != two.identity.sha256 { settings.predictionType = .auto }
    if two.archive.vae == nil, settings.vae == nil, hasSameLatents { settings.vae = first }
    if two.archive.family != one.archive.family { settings.prompt = ExtraNetworkTag.split(settings.prompt).text }
    return settings
  }

  /// What the tags of a job's prompt ask for, see `AdapterCatalog.loras(for:_:)`.
  func loras(for parameters: ImageSettings) throws -> [AdapterCatalog.PlacedLoRA]? {
    try adapters.loras(for: parameters, models(for: parameters).model.archive)
  }

  /// The embeddings that the prompts of a job may name, see `AdapterCatalog.library(for:_:)`.
  func library(for parameters: ImageSettings) throws -> EmbeddingLibrary? {
    adapters.library(for: parameters, try models(for: parameters).model)
  }

  /// The digest of the vocabularies of checkpoints.
  static func vocabularySHA256(_ models: [Model]) -> String {
    var digests: [String] = []
    for model in models where !digests.contains(model.vocabularySHA256) { digests.append(model.vocabularySHA256) }
    return digests.count == 1 ? digests[0] : Hexadecimal.text(SHA256.hash(data: Array(digests.joined().utf8)))
  }

  /// What users should know of files that were looked at so far, each once.
  func takeNotes() -> [String] {
    defer { notes = [] }
    return notes + adapters.takeNotes()
  }

  /// How many channels the latents of a job's checkpoint have.
  func channels(_ job: ImageSettings) throws -> Int { try models(for: job).model.archive.unet.configuration.inChannels }

  /// The noise levels that the checkpoint of a job was trained on, or those that the job takes it to be trained on.
  func training(_ job: ImageSettings) throws -> TrainingSchedule {
    TrainingSchedule(job, try models(for: job).model.archive)
  }

  /// A checkpoint; throws as `models(for:)` does.
  func model(_ reference: ModelReference) throws -> Model {
    if let model = models[reference] { return model }
    let path = try reference.path ?? demoFolder()
    let archive = try ModelArchive.open(path: path)
    if let remark = archive.familyRemark { notes.append("\(path): \(remark)") }
    let vocabulary = try vocabularies.find(for: path)
    let known = archive.textEncoders.map(\.configuration.vocabularySize).min() ?? 0
    guard vocabulary.count <= known else {
      throw EngineError.vocabularyTooLarge(path: vocabulary.path, count: vocabulary.count, known: known)
    }
    // A prompt is cut into tokens once for all text encoders.
    for folder in archive.tokenizerFolders {
      let other = try vocabularies.read(in: folder)
      guard other.map({ $0.canonicalBytes == vocabulary.canonicalBytes }) != false else {
        throw EngineError.vocabulariesDiffer(path: path, folder: folder)
      }
    }
    let identity = ModelIdentity(
      name: reference.path == nil ? reference.name : Self.stem(path), path: reference.path,
      sha256: try archive.sha256(digests), family: archive.family.name)
    let model = Model(
      archive: archive, identity: identity, tokenizer: CLIPTokenizer(vocabulary),
      vocabularySHA256: Hexadecimal.text(SHA256.hash(data: vocabulary.canonicalBytes)))
    models[reference] = model
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
    case .missing(let places): throw EngineError.demoModelMissing(places)
    }
  }

  /// A file's name without its extension; a folder's name as it is.
  private static func stem(_ path: String) -> String {
    let url = URL(fileURLWithPath: path)
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else {
      return url.deletingPathExtension().lastPathComponent
    }
    return url.lastPathComponent
  }
}
