import Diffusion
import Foundation
import Infotext
import JSON
import Recipes
import Settings

/// Finds the models with which an image was made, by the names and hashes in its text.
struct ModelSearch {
  private let imageFile: ImageFile
  private let locators: [ModelLocator]
  private let engine: Engine
  private let environment: PlanningEnvironment

  /// Looks next to the image and in the current folder, in `models/` in both, and in `$SDBATCH_MODELS`; first where the image's
  /// run found the models.
  init(imageFile: ImageFile, environment: PlanningEnvironment, engine: Engine) {
    self.imageFile = imageFile
    self.engine = engine
    self.environment = environment
    let current = FileManager.default.currentDirectoryPath + "/."
    locators = [imageFile.path, current].map { ModelLocator(recipePath: $0, environment: environment) }
  }

  /// A file that may be the right one.
  private struct Candidate {
    var reference: ModelReference
    /// Whether its name or path matches; other files are only compared by hash.
    var isExpected: Bool
  }

  /// The image's settings with the models that were found.
  ///
  /// - Parameters:
  ///   - model: The checkpoint, if the user names it.
  ///   - vae: The VAE, if the user names it.
  /// - Returns: Settings whose models exist, can be used, and have the hashes in the text.
  /// - Throws: `ImageFileError.noModel` if there is none with the text's name and hash.
  func parameters(model: String?, vae: String?) throws -> ImageSettings {
    let settings = imageFile.settings
    let models = try model.map { [try given($0, "--model")] } ?? candidates(settings.model)
    var vaes: [Candidate?] = [nil]
    if let vae {
      vaes = [try given(vae, "--vae")]
    } else if let wanted = settings.vae {
      vaes = candidates(wanted)
    }
    let textEncoder = try settings.textEncoder.map {
      try checkpoint($0, called: "the text encoder's model", key: "text_encoder")
    }
    let refiner = try settings.refiner.map { try checkpoint($0, called: "the refiner", key: "refiner_checkpoint") }
    let hiresModel = try settings.hiresModel.map {
      try checkpoint($0, called: "the second pass's model", key: "hr_checkpoint_name")
    }
    var found: [String] = []
    var isTrying = false
    for model in models {
      for vae in vaes {
        var parameters = settings.settings
        // An image whose text names no VAE was decoded with the checkpoint's own VAE.
        (parameters.model, parameters.vae) = (model.reference, vae?.reference ?? .ownVAE)
        parameters.textEncoders = []
        if parameters.traits.flow != nil { placeParts(&parameters, vae?.reference) }
        parameters.textEncoder = textEncoder?.reference
        // LoRAs and embeddings are searched when the model is known.
        (parameters.prompt, parameters.negativePrompt) = ("", "")
        parameters.restoreFaces = false
        parameters.refiner = refiner?.reference
        parameters.hires?.checkpoint = hiresModel?.reference
        parameters.hires?.upscaler = nil
        let isExpected = model.isExpected && vae?.isExpected ?? true
        if !isExpected, !isTrying {
          // The first time, whole files are hashed, which may take some time.
          Console.error("note: no model with this name has the hash in the text; checking all others")
          isTrying = true
        }
        do {
          let ingredients = try engine.ingredients(for: parameters)
          var others = [ingredients.model].filter { !isSame($0, settings.model) }
          for (found, wanted) in [
            (ingredients.textEncoder, settings.textEncoder), (ingredients.refiner, settings.refiner),
            (ingredients.hiresModel, settings.hiresModel),
            (ingredients.vae, settings.vae),
          ] {
            if let found, let wanted, !isSame(found, wanted) { others.append(found) }
          }
          if others.isEmpty {
            (parameters.prompt, parameters.negativePrompt) = (
              settings.settings.prompt, settings.settings.negativePrompt
            )
            parameters.restoreFaces = settings.settings.restoreFaces
            parameters.hires?.upscaler = settings.settings.hires?.upscaler.map(placed)
            return parameters
          }
          if isExpected { found += others.map { "\($0.path ?? $0.name), whose hash is \($0.shortHash)" } }
        } catch {
          // The only file cannot be used.
          if models.count == 1, vaes.count == 1, isExpected { throw error }
          if isExpected { found.append("\(error)") }
        }
      }
    }
    // Without candidates, report the VAE as missing.
    let missing = vaes.isEmpty ? settings.vae ?? settings.model : settings.model
    throw ImageFileError.noModel(
      path: imageFile.path, wanted: (vaes.isEmpty ? "the VAE " : "the model ") + Self.text(missing),
      folders: Self.unique(locators.flatMap(\.folders)), found: Self.unique(found),
      option: vaes.isEmpty ? "--vae" : "--model")
  }

  /// Where to look for the networks in the prompts and for those that restore faces: first where the image's run found them,
  /// then in the folders of models.
  var adapterFolders: [String] {
    var folders: [String] = []
    if case .array(let models) = imageFile.manifest?["models"] {
      for path in models.compactMap({ $0["path"]?.text }) {
        for folder in ["/lora/", "/Lora/", "/embeddings/", "/Codeformer/", "/GFPGAN/", "/face/"] {
          if let range = path.range(of: folder, options: .backwards) {
            folders.append(String(path[..<range.lowerBound]))
          }
        }
      }
    }
    return Self.unique(folders + locators.flatMap(\.folders))
  }

  /// The upscaler with its file, if it is a network that can be found: the one of the image's run, otherwise the first with
  /// this name. A text has no hash of it.
  private func placed(_ upscaler: UpscalerReference) -> UpscalerReference {
    guard upscaler.kind == .network else { return upscaler }
    var placed = upscaler
    if case .array(let models) = imageFile.manifest?["models"] {
      placed.path =
        models.first { model in
          model["family"] == "upscaler"
            && (models.count { $0["family"] == "upscaler" } == 1 || model["name"]?.text == upscaler.title)
        }?["path"]?.text
    }
    if let path = placed.path, FileManager.default.fileExists(atPath: path) { return placed }
    placed.path = locators.lazy.compactMap { $0.upscaler(upscaler.name) }.first
    return placed
  }

  /// Completes a model whose parts are separate files: it uses the files that the text names if they are found; the engine
  /// searches for the others.
  private func placeParts(_ parameters: inout ImageSettings, _ vae: ModelReference?) {
    parameters.vae = vae
    parameters.textEncoders = imageFile.settings.modules.compactMap { name in
      let ofRun = manifestPath(name, family: "text_encoder")
      return (ofRun ?? locators.lazy.compactMap { $0.path(of: name) }.first).map {
        ModelReference(name: name, path: $0)
      }
    }
    parameters.partFolders = Self.unique(locators.flatMap(\.folders))
    // The text's schedule may be the default of the sampler but not of the model family.
    if parameters.scheduler == .automatic, let named = imageFile.settings.namedSchedule { parameters.scheduler = named }
  }

  /// The path at which the image's run found a file.
  private func manifestPath(_ name: String, family: String) -> String? {
    guard case .array(let models) = imageFile.manifest?["models"] else { return nil }
    let path = models.first { $0["family"]?.text == family && $0["name"]?.text == name }?["path"]?.text
    return path.flatMap { FileManager.default.fileExists(atPath: $0) ? $0 : nil }
  }

  /// The reference, with how its model is sampled.
  private func withFamily(_ reference: ModelReference) -> ModelReference {
    var reference = reference
    if let path = reference.path, let family = environment.family { reference.family = family(path) }
    return reference
  }

  // MARK: Candidates

  /// Another checkpoint of the image: the file that its run used, or a file with the name or the hash.
  private func checkpoint(_ wanted: InfotextSettings.NamedModel, called name: String, key: String) throws -> Candidate {
    let all = candidates(wanted)
    let found = all.first { candidate in
      guard !candidate.isExpected else { return true }
      var parameters = ImageSettings()
      parameters.model = candidate.reference
      return (try? engine.ingredients(for: parameters)).map { isSame($0.model, wanted) } ?? false
    }
    guard let found else {
      throw ImageFileError.noModel(
        path: imageFile.path, wanted: "\(name) " + Self.text(wanted), folders: Self.unique(locators.flatMap(\.folders)),
        found: [], option: "--set \(key)")
    }
    return found
  }

  private func given(_ name: String, _ option: String) throws -> Candidate {
    // Paths from the user are relative to the current folder.
    if let path = locators.reversed().lazy.compactMap({ $0.path(of: name) }).first {
      return Candidate(reference: withFamily(ModelReference(name: name, path: path)), isExpected: true)
    }
    guard name != ModelReference.demo.name else { return Candidate(reference: .demo, isExpected: true) }
    throw ImageFileError.notFound(
      option: option, name: name, folders: Self.unique(locators.reversed().flatMap(\.folders)))
  }

  /// The file of the image's run; then the files with the name; then all checkpoints, since the file may have been renamed.
  private func candidates(_ wanted: InfotextSettings.NamedModel) -> [Candidate] {
    var expected = manifestModels(wanted)
    if wanted.name == ModelReference.demo.name { expected.append(.demo) }
    if let name = wanted.name {
      expected += locators.compactMap { $0.path(of: name) }.map { ModelReference(name: name, path: $0) }
    }
    var others: [ModelReference] = []
    if wanted.hash != nil {
      others = locators.flatMap { $0.checkpointPaths() }.map { ModelReference(name: $0, path: $0) }
    }
    let all =
      expected.map { Candidate(reference: withFamily($0), isExpected: true) }
      + others.map { Candidate(reference: withFamily($0), isExpected: false) }
    var paths: Set<String?> = []
    return all.filter { paths.insert($0.reference.path).inserted }
  }

  /// The manifest's job, if the image is in a run's `images/`.
  private func manifestModels(_ wanted: InfotextSettings.NamedModel) -> [ModelReference] {
    guard let hash = wanted.hash, case .array(let models) = imageFile.manifest?["models"] else { return [] }
    return models.compactMap { model in
      guard model["sha256"]?.text?.hasPrefix(hash) == true, let name = model["name"]?.text else { return nil }
      guard let path = model["path"]?.text else { return .demo }
      return FileManager.default.fileExists(atPath: path) ? ModelReference(name: name, path: path) : nil
    }
  }

  // MARK: Hashes

  /// Whether a model has the hash in the text; without a hash in the text, the name is enough.
  private func isSame(_ identity: ModelIdentity, _ wanted: InfotextSettings.NamedModel) -> Bool {
    guard let hash = wanted.hash else { return true }
    if identity.sha256.hasPrefix(hash) { return true }
    return hash.count == 8 && identity.path.flatMap(ModelInspection.oldHash) == hash
  }

  private static func text(_ model: InfotextSettings.NamedModel) -> String {
    [model.name.map { "\"\($0)\"" }, model.hash.map { "[\($0)]" }].compactMap { $0 }.joined(separator: " ")
  }

  private static func unique(_ texts: [String]) -> [String] {
    texts.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }
}
