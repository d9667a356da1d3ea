import Settings

/// The settings that an infotext describes, as if it were pasted into the webui.
///
/// A missing key has the value that its absence means: without `Clip skip` it is 1, without `RNG` it is the webui's
/// GPU. Texts of older versions are read as those versions meant them. Everything that could not be read is listed in
/// `remarks`.
///
/// Source: `parse_generation_parameters` and `infotext_versions` of stable-diffusion-webui 1.10.1.
public struct InfotextSettings: Hashable, Sendable {
  /// A model as an infotext names it.
  public struct NamedModel: Hashable, Sendable {
    /// The file's name, for checkpoints without the extension; nil if only the hash is known.
    public var name: String?
    /// The first digits of the file's SHA-256, normally ten, in lower case.
    public var hash: String?

    /// A model of this name and hash.
    init(name: String? = nil, hash: String? = nil) {
      self.name = name
      self.hash = hash
    }

    /// A model by its title in the webui, `name [hash]`.
    init(title: String) {
      guard let match = title.wholeMatch(of: #/(.*) \[([0-9a-fA-F]+)\]/#) else {
        name = title
        return
      }
      (name, hash) = (String(match.1), match.2.lowercased())
    }
  }

  /// A LoRA or an embedding as an infotext names it.
  public struct NamedAdapter: Hashable, Sendable {
    /// Its name in the prompt, without colons and commas.
    public var name: String
    /// The first digits of the webui's hash, normally twelve, in lower case.
    public var hash: String
  }

  /// A remark about something that the settings do not show.
  public struct Remark: Hashable, Sendable, CustomStringConvertible {
    /// What it means for reproducing the image.
    public enum Kind: String, Sendable {
      /// A value that every image needs is missing.
      case missing
      /// A value is not valid for its key.
      case wrong
      /// The image used a feature that is not supported.
      case unsupported
      /// The key is unknown, and the image may depend on it.
      case unknown
      /// A value was inferred from other parts of the text.
      case note
    }

    /// What it means for reproducing the image.
    public var kind: Kind
    /// The key that it concerns.
    public var key: String
    /// One sentence without the key.
    public var text: String

    /// One sentence.
    public var description: String { "\(key): \(text)" }
  }

  /// The settings; `model`, `vae`, `refiner` and `hiresModel` have the text's names, and no path.
  public private(set) var settings = ImageSettings()
  /// The checkpoint.
  public private(set) var model = NamedModel()
  /// The VAE that replaces the checkpoint's own.
  public private(set) var vae: NamedModel?
  /// The checkpoint whose text encoders were used.
  public private(set) var textEncoder: NamedModel?
  /// The files of text encoders and the VAE beside the checkpoint, by the names of Forge's `Module 1`, `Module 2` ...
  public private(set) var modules: [String] = []
  /// The schedule that the text names; nil if it names none, or `Automatic`. The settings have `automatic` for the sampler's
  /// default, which for some families is another one.
  public private(set) var namedSchedule: ScheduleID?
  /// The refiner's checkpoint.
  public private(set) var refiner: NamedModel?
  /// The checkpoint of the second pass.
  public private(set) var hiresModel: NamedModel?
  /// The LoRAs of the prompt's tags, if the text has their hashes.
  public private(set) var loras: [NamedAdapter] = []
  /// The embeddings that the prompts name.
  public private(set) var embeddings: [NamedAdapter] = []
  /// The program that made the image, such as `sdbatch 0.1.0`, `webui v1.10.1` or `ComfyUI`; nil if the text does not name it.
  public private(set) var program: String?
  /// Everything that the settings do not show.
  public private(set) var remarks: [Remark] = []

  /// Whether Civitai generated the image with Flux.
  private var isFluxOfCivitai = false

  /// Whether the settings are enough to reproduce the image.
  public var isComplete: Bool { obstacles.isEmpty }

  /// The remarks about what is needed to reproduce the image, except its model if the text lacks its name: that may be found
  /// by its hash, or named by the user.
  public var obstaclesBesidesModel: [Remark] { obstacles.filter { $0.kind != .missing || $0.key != "Model" } }

  private var obstacles: [Remark] { remarks.filter { [.missing, .wrong, .unsupported].contains($0.kind) } }

  /// Reads the settings out of an infotext.
  ///
  /// - Parameters:
  ///   - infotext: The parsed text.
  ///   - width: The width in pixels of the image that the text describes, in case the text has no size.
  ///   - height: The height that goes with `width`.
  public init(_ infotext: ParsedInfotext, width: Int? = nil, height: Int? = nil) {
    settings.prompt = infotext.prompt
    settings.negativePrompt = infotext.negativePrompt
    // Without the key, the webui's GPU drew the numbers, which are the same as NV's.
    settings.rng = .nv
    let origin = InfotextProgram(infotext)
    let text = infotext.text
    isFluxOfCivitai = text.contains("Civitai") && text.contains("FLUX")
    program = origin.name
    var values = InfotextValues(infotext)
    readImage(&values, width: width, height: height)
    readModels(&values)
    readSampler(&values)
    readNoise(&values, origin)
    readRows(of: .every, &values)
    readEta(&values, origin)
    readSecondPass(&values)
    if settings.hires != nil { readRows(of: .second, &values) }
    readOldVersion(origin, &values)
    if isFluxOfCivitai { readFluxOfCivitai() }
    remarks = values.finish(prompt: origin.isOurs ? "" : infotext.prompt)
    settings.model =
      model.name == ModelReference.demo.name ? .demo : ModelReference(name: model.name ?? "", path: nil)
    settings.vae = vae.map { ModelReference(name: $0.name ?? $0.hash ?? "", path: nil) }
    settings.textEncoder = textEncoder.map { ModelReference(name: $0.name ?? $0.hash ?? "", path: nil) }
    settings.textEncoders = modules.map { ModelReference(name: $0, path: nil) }
    settings.refiner = refiner.map { ModelReference(name: $0.name ?? $0.hash ?? "", path: nil) }
    settings.hires?.checkpoint = hiresModel.map { ModelReference(name: $0.name ?? $0.hash ?? "", path: nil) }
  }

  private mutating func readImage(_ values: inout InfotextValues, width: Int?, height: Int?) {
    values.read("Steps", as: "steps", into: &settings, isNeeded: true)
    values.read("CFG scale", as: "cfg_scale", into: &settings, isNeeded: true)
    values.read("Seed", as: "seed", into: &settings, isNeeded: true)
    // The webui takes any other text as true, and keeps the model of its options.
    if let name = values.take("Face restoration"), name != "False" {
      settings.restoreFaces = true
      if let model = FaceRestorationModel.allCases.first(where: { $0.rawValue.lowercased() == name.lowercased() }) {
        settings.faceRestorationModel = model
      } else {
        values.note("Face restoration", "found \"\(name.abridged)\"; CodeFormer is used")
      }
    }
    if values.has("Size") {
      if let size = values.size("Size", of: "width") { (settings.width, settings.height) = size }
    } else if let width, let height {
      (settings.width, settings.height) = (width, height)
      values.note("Size", "is missing; taken from the image, which is \(width)x\(height)")
    } else {
      values.miss("Size")
    }
  }

  private mutating func readModels(_ values: inout InfotextValues) {
    model = NamedModel(name: values.take("Model"), hash: values.take("Model hash")?.lowercased())
    if model.name == nil { values.miss("Model", model.hash.map { "the text has only its hash, \($0)" }) }
    let named = NamedModel(name: values.take("VAE"), hash: values.take("VAE hash")?.lowercased())
    // In the webui these mean the checkpoint's own VAE.
    if named != NamedModel(), !["Automatic", "None"].contains(named.name) { vae = named }
    textEncoder = values.take("Text encoder").map { NamedModel(title: $0) }
    loras = values.readHashes("Lora hashes")
    embeddings = values.readHashes("TI hashes", orNames: true)
    // Our own texts name the TAESD here. The webui does not, and writes the VAE that it did not use.
    if let name = vae?.name?.lowercased(), ["taesd", "taef"].contains(where: name.contains), values.has("VAE Decoder") {
      _ = values.take("VAE Decoder")
    }
    readModules(&values)
    if let title = values.take("Refiner") {
      refiner = NamedModel(title: title)
      // If the webui's text has no switch point, the refiner takes over at the start.
      settings.refinerSwitchAt = 0
      values.read("Refiner switch at", as: "refiner_switch_at", into: &settings)
    }
  }

  /// What Forge writes about files beside the checkpoint, and how it stored weights.
  private mutating func readModules(_ values: inout InfotextValues) {
    var number = 1
    while let name = values.take("Module \(number)") {
      if vae == nil, ModelReference(name: name, path: nil).isNamedLikeVAE {
        vae = NamedModel(name: name)
      } else if vae?.name.map({ Self.stem($0) }) != name {
        modules.append(name)
      }
      number += 1
    }
    if let storage = values.take("Diffusion in Low Bits"), !storage.hasPrefix("Automatic") {
      values.note(
        "Diffusion in Low Bits", "found \"\(storage.abridged)\"; here weights keep the precision of their file")
    }
  }

  private static func stem(_ name: String) -> String {
    let endings = [".safetensors", ".gguf", ".ckpt", ".pth", ".pt", ".bin"]
    return endings.first { name.lowercased().hasSuffix($0) }.map { String(name.dropLast($0.count)) } ?? name
  }

  /// Civitai's generator writes the guidance that the network reads as `CFG scale`, and no sampler, which is Euler on `simple`.
  /// Its clip skip says nothing.
  ///
  /// Source: `parse_generation_parameters` of Forge.
  private mutating func readFluxOfCivitai() {
    (settings.distilledCFGScale, settings.cfgScale) = (settings.cfgScale, 1)
    settings.clipSkip = 1
  }

  private mutating func readSampler(_ values: inout InfotextValues) {
    let type = values.take("Schedule type")
    guard let name = values.take("Sampler") else { return values.miss("Sampler") }
    if isFluxOfCivitai, name == "Undefined" {
      (settings.sampler, settings.scheduler, namedSchedule) = (.euler, .simple, .simple)
      return
    }
    guard let (sampler, named) = SamplerID.resolve(name) else {
      return values.complain("Sampler", name, "a sampler's name")
    }
    settings.sampler = sampler
    var schedule = named ?? .automatic
    if let type {
      guard let resolved = ScheduleID.resolve(type) else {
        return values.complain("Schedule type", type, "a schedule's name")
      }
      // "Automatic" keeps the schedule of a combined sampler name.
      if resolved != .automatic { schedule = resolved }
    } else if named == nil, sampler.defaultSchedule != .automatic, sampler != .restart {
      // Before 1.9 a plain name meant the uniform schedule. The webui itself pastes these wrong.
      schedule = .uniform
      values.note("Schedule type", "is missing, as before webui 1.9, when plain \(sampler.rawValue) ran on uniform")
    }
    if schedule != .automatic { namedSchedule = schedule }
    settings.scheduler = schedule == sampler.defaultSchedule ? .automatic : schedule
  }

  private mutating func readNoise(_ values: inout InfotextValues, _ origin: InfotextProgram) {
    if let size = values.size("Seed resize from", of: "seed_resize_from_w") {
      (settings.seedResizeFromW, settings.seedResizeFromH) = size
    }
    guard let source = values.take("RNG") else {
      if let name = origin.name, !origin.isWebui {
        values.note(
          "RNG", "is missing; taken as the webui's default, the noise of a GPU, but \(name) may draw other noise")
      }
      return
    }
    switch source.uppercased() {
    case "GPU", "NV": settings.rng = .nv
    case "CPU": settings.rng = .cpu
    default: values.complain("RNG", source, "GPU, NV or CPU")
    }
  }

  /// The keys that each belong to one setting, read by the setting's kind.
  private mutating func readRows(of pass: SettingRow.Pass, _ values: inout InfotextValues) {
    for row in SettingRow.all where row.pass == pass {
      for entry in row.infotext where entry.reading == .byKind {
        for key in [entry.key] + entry.spellings {
          if let value = values.value(of: key, kind: row.kind) { row.set(value, in: &settings) }
        }
      }
    }
  }

  private mutating func readEta(_ values: inout InfotextValues, _ origin: InfotextProgram) {
    // Before DDIM's eta had a key of its own, it was written under the general one.
    let isOfDDIM = settings.sampler.usesEtaDDIM && !origin.isOurs
    values.read("Eta", as: isOfDDIM ? "eta_ddim" : "eta", into: &settings)
    values.read("Eta DDIM", as: "eta_ddim", into: &settings)
  }

  private mutating func readSecondPass(_ values: inout InfotextValues) {
    guard let hires = values.hires(settings) else { return }
    if let first = hires.firstSize { (settings.width, settings.height) = first }
    hiresModel = hires.checkpoint.map { NamedModel(title: $0) }
    settings.hires = hires.settings
  }

  /// Behaviour of older versions that their texts do not record.
  private mutating func readOldVersion(_ origin: InfotextProgram, _ values: inout InfotextValues) {
    guard let version = origin.version, let text = origin.name?.split(separator: " ").last else { return }
    if version < WebuiVersion(1, 6, 0) {
      if (settings.prompt + settings.negativePrompt).contains("[") {
        settings.timelines = .old
        values.note("Version", "\(text) read the numbers of prompt editing by the old timelines")
      }
      if [.ddim, .plms].contains(settings.sampler) {
        values.note(
          "Version",
          "\(text) took different steps with \(settings.sampler.rawValue) than later versions, which are used here")
      }
    }
    if version < WebuiVersion(1, 9, 0), settings.restoreFaces {
      values.note(
        "Face restoration", "\(text) restored faces in another way than later versions, which are followed here")
    }
    if version < WebuiVersion(1, 7, 0, commits: 225) {
      settings.useDowncastedAlphaBar = true
      values.note("Version", "\(text) rounded the training's noise levels to half precision")
    }
  }
}

extension InfotextSettings.NamedAdapter {
  /// Whether the text means this LoRA; older versions of the webui wrote digits of a different hash.
  public func isSame(_ lora: LoRAIdentity) -> Bool {
    name == Infotext.keyed(lora.name) && (lora.shortHash.hasPrefix(hash) || lora.sha256.hasPrefix(hash))
  }

  /// Whether the text means this embedding.
  public func isSame(_ embedding: EmbeddingIdentity) -> Bool {
    // The webui has the LoRA's name instead of a hash for an embedding inside a LoRA.
    name == Infotext.keyed(embedding.name)
      && (embedding.bundle.map { Infotext.keyed($0).lowercased() == hash.lowercased() } == true
        || embedding.sha256.hasPrefix(hash))
  }
}
