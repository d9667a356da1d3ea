import Settings

/// The settings that an infotext stands for, as pasting it into the webui sets them.
///
/// What the text does not say has the value that its absence means: no `Clip skip` is 1, no `RNG` is the webui's GPU. Texts
/// of older versions are read as those versions meant them. Everything that could not be taken over is in `remarks`.
///
/// Source: `parse_generation_parameters` and `infotext_versions` of stable-diffusion-webui 1.10.1.
public struct InfotextSettings: Hashable, Sendable {
  /// A model as an infotext names it.
  public struct NamedModel: Hashable, Sendable {
    /// The file's name, for checkpoints without the extension; nothing where only the hash is written.
    public var name: String?
    /// The first digits of the file's SHA-256, usually ten, in lower case.
    public var hash: String?

    /// A model of this name and hash.
    init(name: String? = nil, hash: String? = nil) {
      self.name = name
      self.hash = hash
    }

    /// A model by the webui's title of it, `name [hash]`.
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
    /// What the prompt calls it, without colons and commas.
    public var name: String
    /// The first digits of the webui's hash, usually twelve, in lower case.
    public var hash: String
  }

  /// Something that the settings do not show.
  public struct Remark: Hashable, Sendable, CustomStringConvertible {
    /// What it means for making the picture again.
    public enum Kind: String, Sendable {
      /// A value that every picture has is not there.
      case missing
      /// A value is none that its key may have.
      case wrong
      /// The picture took something that this program does not do.
      case unsupported
      /// Nobody here knows the key; the picture may depend on it.
      case unknown
      /// What was concluded from other parts of the text.
      case note
    }

    /// What it means for making the picture again.
    public var kind: Kind
    /// The key that it is about.
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
  /// The checkpoint that finishes the picture.
  public private(set) var refiner: NamedModel?
  /// The checkpoint of the second pass.
  public private(set) var hiresModel: NamedModel?
  /// The LoRAs of the prompt's tags, where the text has their hashes.
  public private(set) var loras: [NamedAdapter] = []
  /// The embeddings that the prompts name.
  public private(set) var embeddings: [NamedAdapter] = []
  /// What made the picture, such as `sdbatch 0.1.0` or `webui v1.10.1`, where the text says so.
  public private(set) var program: String?
  /// What the settings do not show.
  public private(set) var remarks: [Remark] = []

  /// Whether the settings are all that the picture takes.
  public var isComplete: Bool { !remarks.contains { [.missing, .wrong, .unsupported].contains($0.kind) } }

  /// Reads the settings out of an infotext.
  ///
  /// - Parameters:
  ///   - infotext: What was parsed.
  ///   - width: Of the picture that the text is about, for a text without a size; in pixels.
  ///   - height: The height that goes with `width`.
  public init(_ infotext: ParsedInfotext, width: Int? = nil, height: Int? = nil) {
    settings.prompt = infotext.prompt
    settings.negativePrompt = infotext.negativePrompt
    // Texts without the key are of the webui's GPU, whose numbers are those of NV.
    settings.rng = .nv
    let version = infotext.value(of: "Version")
    program = infotext.value(of: "Generator") ?? version.map { "webui \($0)" }
    var values = InfotextValues(infotext)
    readImage(&values, width: width, height: height)
    readModels(&values)
    readSampler(&values)
    readNoise(&values)
    readRows(of: .every, &values)
    readEta(&values)
    readSecondPass(&values)
    if settings.hires != nil { readRows(of: .second, &values) }
    let isOurs = program?.hasPrefix("sdbatch ") == true
    if !isOurs { readOldVersion(version, &values) }
    remarks = values.finish(prompt: isOurs ? "" : infotext.prompt)
    settings.model =
      model.name == ModelReference.demo.name ? .demo : ModelReference(name: model.name ?? "", path: nil)
    settings.vae = vae.map { ModelReference(name: $0.name ?? $0.hash ?? "", path: nil) }
    settings.refiner = refiner.map { ModelReference(name: $0.name ?? $0.hash ?? "", path: nil) }
    settings.hires?.checkpoint = hiresModel.map { ModelReference(name: $0.name ?? $0.hash ?? "", path: nil) }
  }

  private mutating func readImage(_ values: inout InfotextValues, width: Int?, height: Int?) {
    values.read("Steps", into: &settings.steps, isNeeded: true)
    values.read("CFG scale", into: &settings.cfgScale, isNeeded: true)
    values.read("Seed", into: &settings.seed, isNeeded: true)
    if values.has("Size") {
      if let size = values.size("Size") { (settings.width, settings.height) = size }
    } else if let width, let height {
      (settings.width, settings.height) = (width, height)
      values.note("Size", "is not there; taken from the picture, which is \(width)x\(height)")
    } else {
      values.miss("Size")
    }
  }

  private mutating func readModels(_ values: inout InfotextValues) {
    model = NamedModel(name: values.take("Model"), hash: values.take("Model hash")?.lowercased())
    let named = NamedModel(name: values.take("VAE"), hash: values.take("VAE hash")?.lowercased())
    // The webui's words for the checkpoint's own.
    if named != NamedModel(), !["Automatic", "None"].contains(named.name) { vae = named }
    loras = values.readHashes("Lora hashes")
    embeddings = values.readHashes("TI hashes")
    // A TAESD that the text names; the webui names none, and writes the VAE that it did not use.
    if vae?.name?.lowercased().contains("taesd") == true, values.has("VAE Decoder") { _ = values.take("VAE Decoder") }
    if let title = values.take("Refiner") {
      refiner = NamedModel(title: title)
      // Where the webui's text does not say when, it is at once.
      settings.refinerSwitchAt = 0
      values.read("Refiner switch at", into: &settings.refinerSwitchAt)
    }
  }

  private mutating func readSampler(_ values: inout InfotextValues) {
    let type = values.take("Schedule type")
    guard let name = values.take("Sampler") else { return values.miss("Sampler") }
    guard let (sampler, named) = SamplerID.resolve(name) else {
      return values.complain("Sampler", name, "a sampler's name")
    }
    settings.sampler = sampler
    var schedule = named ?? .automatic
    if let type {
      guard let resolved = ScheduleID.resolve(type) else {
        return values.complain("Schedule type", type, "a schedule's name")
      }
      // Where the line says nothing of its own, a combined name's schedule stands.
      if resolved != .automatic { schedule = resolved }
    } else if named == nil, sampler.defaultSchedule != .automatic, sampler != .restart {
      // Before 1.9 a plain name meant the uniform schedule. The webui itself pastes these wrong.
      schedule = .uniform
      values.note("Schedule type", "is not there, as before webui 1.9, when plain \(sampler.rawValue) ran on uniform")
    }
    settings.scheduler = schedule == sampler.defaultSchedule ? .automatic : schedule
  }

  private mutating func readNoise(_ values: inout InfotextValues) {
    if let size = values.size("Seed resize from") {
      (settings.seedResizeFromW, settings.seedResizeFromH) = size
    }
    guard let source = values.take("RNG") else { return }
    switch source.uppercased() {
    case "GPU", "NV": settings.rng = .nv
    case "CPU": settings.rng = .cpu
    default: values.complain("RNG", source, "GPU, NV or CPU")
    }
  }

  /// The keys that one setting alone decides, each as the setting's kind says.
  private mutating func readRows(of pass: SettingRow.Pass, _ values: inout InfotextValues) {
    for row in SettingRow.all where row.pass == pass {
      for entry in row.infotext where entry.reading == .byKind {
        for key in [entry.key] + entry.spellings {
          if let value = values.value(of: key, kind: row.kind) { row.set(value, in: &settings) }
        }
      }
    }
  }

  private mutating func readEta(_ values: inout InfotextValues) {
    // Before DDIM's eta had a key of its own, it was under the common one.
    if settings.sampler.usesEtaDDIM, program?.hasPrefix("sdbatch ") != true {
      values.read("Eta", into: &settings.etaDDIM)
    } else {
      values.read("Eta", into: &settings.eta)
    }
    values.read("Eta DDIM", into: &settings.etaDDIM)
  }

  private mutating func readSecondPass(_ values: inout InfotextValues) {
    guard let hires = values.hires(settings) else { return }
    if let first = hires.firstSize { (settings.width, settings.height) = first }
    hiresModel = hires.checkpoint.map { NamedModel(title: $0) }
    settings.hires = hires.settings
  }

  /// What older versions did without a word about it.
  private mutating func readOldVersion(_ text: String?, _ values: inout InfotextValues) {
    guard let text, let version = WebuiVersion(text) else { return }
    if version < WebuiVersion(1, 6, 0) {
      if (settings.prompt + settings.negativePrompt).contains("[") {
        settings.timelines = .old
        values.note("Version", "\(text) read the numbers of prompt editing by the old timelines")
      }
      if [.ddim, .plms].contains(settings.sampler) {
        values.note(
          "Version", "\(text) took other steps with \(settings.sampler.rawValue) than later ones, which count here")
      }
    }
    if version < WebuiVersion(1, 7, 0, commits: 225) {
      settings.useDowncastedAlphaBar = true
      values.note("Version", "\(text) rounded the training's noise levels to half precision")
    }
  }
}

extension InfotextSettings.NamedAdapter {
  /// Whether a LoRA is the one that the text means; older versions of the webui wrote other digits of it.
  public func isSame(_ lora: LoRAIdentity) -> Bool {
    name == Infotext.keyed(lora.name) && (lora.shortHash.hasPrefix(hash) || lora.sha256.hasPrefix(hash))
  }

  /// Whether an embedding is the one that the text means.
  public func isSame(_ embedding: EmbeddingIdentity) -> Bool {
    name == Infotext.keyed(embedding.name) && embedding.sha256.hasPrefix(hash)
  }
}
