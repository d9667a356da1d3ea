import JSON
import Settings
import Text

/// The text that describes a picture in the webui's way and stands in its PNG under the keyword `parameters`.
///
/// Source: stable-diffusion-webui 1.10.1, as an API request is recorded there. There is no `Version`, which the webui
/// would take for its own and change its arithmetic by; `Precision` and `Generator` stand in its place.
public struct Infotext: Hashable, Sendable {
  /// One key and its value; numbers are written in Python's form.
  public struct Item: Hashable, Sendable {
    /// What stands before the colon.
    public var key: String
    /// What stands after it.
    public var value: JSONValue
  }

  /// The prompt as it was asked for.
  public var prompt: String
  /// The negative prompt as it was asked for.
  public var negativePrompt: String
  /// The settings that every picture has, and then those of this picture.
  public var items: [Item]
  /// Settings that the webui calls extra generation parameters; they follow `items`.
  public var extras: [Item]

  /// Describes the picture that a job makes.
  ///
  /// - Parameters:
  ///   - settings: The settings of the job.
  ///   - ingredients: The models, and the precision that runs.
  ///   - version: The version of this program.
  public init(_ settings: ImageSettings, _ ingredients: JobIngredients, version: String) {
    prompt = settings.prompt
    negativePrompt = settings.negativePrompt
    items = [
      Item(key: "Steps", value: .integer(Int64(settings.steps))),
      Item(key: "Sampler", value: .string(settings.sampler.rawValue)),
      Item(key: "Schedule type", value: .string(settings.namedSchedule.label)),
      Item(key: "CFG scale", value: .number(settings.cfgScale)),
      Item(key: "Seed", value: .integer(settings.seed)),
      Item(key: "Size", value: .string("\(settings.width)x\(settings.height)")),
      Item(key: "Model hash", value: .string(ingredients.model.shortHash)),
      Item(key: "Model", value: .string(ingredients.model.name)),
    ]
    if let vae = ingredients.vae {
      items.append(Item(key: "VAE hash", value: .string(vae.shortHash)))
      items.append(Item(key: "VAE", value: .string(vae.fileName)))
    }
    if settings.subseedMatters {
      items.append(Item(key: "Variation seed", value: .integer(settings.subseed)))
      items.append(Item(key: "Variation seed strength", value: .number(settings.subseedStrength)))
    }
    if settings.seedResizeMatters {
      let size = "\(settings.seedResizeFromW)x\(settings.seedResizeFromH)"
      items.append(Item(key: "Seed resize from", value: .string(size)))
    }
    if let hires = settings.hires {
      items.append(Item(key: "Denoising strength", value: .number(hires.denoisingStrength)))
    }
    if settings.clipSkip > 1 { items.append(Item(key: "Clip skip", value: .integer(Int64(settings.clipSkip)))) }
    if settings.inAnyPass(\.etaNoiseSeedDeltaMatters) {
      items.append(Item(key: "ENSD", value: .integer(settings.etaNoiseSeedDelta)))
    }
    if settings.tokenMergingRatio != 0 {
      items.append(Item(key: "Token merging ratio", value: .number(settings.tokenMergingRatio)))
    }
    if let second = settings.secondPass, second.tokenMergingRatio != 0 {
      items.append(Item(key: "Token merging ratio hr", value: .number(second.tokenMergingRatio)))
    }
    items.append(Item(key: "RNG", value: .string(settings.rng == .nv ? "NV" : "CPU")))
    if settings.tiling { items.append(Item(key: "Tiling", value: true)) }
    extras = Self.extras(settings, ingredients, version: version, for: .text)
  }

  /// Who reads the extra generation parameters.
  enum Reader {
    /// Whoever reads the text in a picture, where settings that are like those of the first pass are left out.
    case text
    /// Whoever reads the `info` of a response, whose object has in it what the webui has not made text of yet.
    case info
  }

  /// What the webui calls extra generation parameters, in the order in which it finds them out.
  static func extras(
    _ settings: ImageSettings, _ ingredients: JobIngredients, version: String, for reader: Reader
  ) -> [Item] {
    var extras =
      hiresExtras(settings, ingredients, for: reader) + adapterExtras(ingredients) + promptExtras(settings)
      + scheduleExtras(settings, for: reader) + samplerExtras(settings)
    extras += guidanceExtras(settings) + refinerExtras(settings, ingredients)
    if ingredients.vae?.isTiny == true { extras.append(Item(key: "VAE Decoder", value: "TAESD")) }
    if settings.predictionType != .auto {
      extras.append(Item(key: "Prediction type", value: .string(settings.predictionType.rawValue)))
    }
    if settings.featureCache != 1 {
      extras.append(Item(key: "Feature cache", value: .integer(Int64(settings.featureCache))))
    }
    if let packing = ingredients.weightPacking {
      extras.append(Item(key: "Weight packing", value: .string(packing)))
    }
    extras.append(Item(key: "Precision", value: .string(ingredients.precision)))
    extras.append(Item(key: "Generator", value: .string("sdbatch \(version)")))
    return extras
  }

  /// What the second pass does otherwise than the first.
  private static func hiresExtras(
    _ settings: ImageSettings, _ ingredients: JobIngredients, for reader: Reader
  ) -> [Item] {
    guard let hires = settings.hires, let second = settings.secondPass else { return [] }
    var extras: [Item] = []
    func add(_ key: String, _ value: JSONValue, when isTold: Bool) {
      if isTold { extras.append(Item(key: key, value: value)) }
    }
    add("Denoising strength", .number(hires.denoisingStrength), when: reader == .info)
    if let model = ingredients.hiresModel { add("Hires checkpoint", .string(model.title), when: true) }
    add("Hires sampler", .string(second.sampler.rawValue), when: second.sampler != settings.sampler)
    let hasOwnSchedule = second.namedSchedule != settings.namedSchedule
    switch reader {
    case .text:
      add("Hires prompt", .string(second.prompt), when: second.prompt != settings.prompt)
      add(
        "Hires negative prompt", .string(second.negativePrompt),
        when: second.negativePrompt != settings.negativePrompt)
      // The webui leaves out "Automatic" here, and takes the first pass's schedule when it reads its text again.
      add("Hires schedule type", .string(second.namedSchedule.label), when: hasOwnSchedule)
    case .info:
      // Functions there, of which JSON knows nothing; and a place that is kept.
      add("Hires prompt", .null, when: true)
      add("Hires negative prompt", .null, when: true)
      let isTold = hasOwnSchedule && second.namedSchedule != .automatic
      add("Hires schedule type", isTold ? .string(second.namedSchedule.label) : .null, when: true)
    }
    if hires.resizeX == 0, hires.resizeY == 0 {
      add("Hires upscale", .number(hires.scale), when: true)
    } else {
      add("Hires resize", .string("\(hires.resizeX)x\(hires.resizeY)"), when: true)
    }
    add("Hires steps", .integer(Int64(hires.steps)), when: hires.steps != 0)
    if let upscaler = hires.upscaler { add("Hires upscaler", .string(upscaler.title), when: true) }
    return extras
  }

  private static func adapterExtras(_ ingredients: JobIngredients) -> [Item] {
    // Of two tags with one name the last is told.
    var loras: [(name: String, hash: String)] = []
    for lora in (ingredients.loras ?? []) + (ingredients.hiresLoRAs ?? []) {
      let name = keyed(lora.name)
      if let index = loras.firstIndex(where: { $0.name == name }) {
        loras[index].hash = lora.shortHash
      } else {
        loras.append((name, lora.shortHash))
      }
    }
    let embeddings = ingredients.embeddings.map { (name: keyed($0.name), hash: $0.shortHash) }
    return [("Lora hashes", loras), ("TI hashes", embeddings)].compactMap { key, hashes in
      hashes.isEmpty
        ? nil : Item(key: key, value: .string(hashes.map { "\($0.name): \($0.hash)" }.joined(separator: ", ")))
    }
  }

  /// A name without what parts the names of a list.
  static func keyed(_ name: String) -> String { String(name.unicodeScalars.filter { $0 != ":" && $0 != "," }) }

  private static func promptExtras(_ settings: ImageSettings) -> [Item] {
    var extras: [Item] = []
    if settings.emphasisMatters {
      extras.append(Item(key: "Emphasis", value: .string(settings.emphasis.rawValue)))
    }
    if settings.timelinesMatter { extras.append(Item(key: "Old prompt editing timelines", value: true)) }
    return extras
  }

  private static func scheduleExtras(_ settings: ImageSettings, for reader: Reader) -> [Item] {
    var extras: [Item] = []
    func add(_ key: String, _ value: JSONValue, when isRead: Bool) {
      if isRead { extras.append(Item(key: key, value: value)) }
    }
    add("Downcast alphas_cumprod", true, when: settings.useDowncastedAlphaBar)
    add(
      "Noise Schedule", .string(settings.sdNoiseSchedule.rawValue), when: settings.sdNoiseSchedule != .standard)
    add("Discard penultimate sigma", true, when: settings.inAnyPass(\.discardMatters))
    // The text has it among what every picture has.
    add(
      "Schedule type", .string(settings.namedSchedule.label),
      when: reader == .info && settings.namedSchedule != .automatic)
    let hasRange = settings.inAnyPass(\.sigmaRangeMatters)
    add("Schedule min sigma", .number(settings.sigmaMin), when: hasRange && settings.sigmaMin != 0)
    add("Schedule max sigma", .number(settings.sigmaMax), when: hasRange && settings.sigmaMax != 0)
    add("Schedule rho", .number(settings.rho), when: settings.inAnyPass(\.rhoMatters))
    let isBeta = settings.inAnyPass(\.betaMatters)
    add("Beta schedule alpha", .number(settings.betaDistAlpha), when: isBeta && settings.betaDistAlpha != 0.6)
    add("Beta schedule beta", .number(settings.betaDistBeta), when: isBeta && settings.betaDistBeta != 0.6)
    // The webui does not record this one.
    add("Old Karras scheduler sigmas", true, when: settings.inAnyPass(\.oldSigmasMatter))
    // Nor this one.
    add("Quantized timesteps", true, when: settings.inAnyPass(\.quantizationMatters))
    add("SGM noise multiplier", true, when: settings.sgmNoiseMultiplierMatters)
    return extras
  }

  private static func guidanceExtras(_ settings: ImageSettings) -> [Item] {
    var extras: [Item] = []
    if settings.skipEarlyCond != 0 {
      extras.append(Item(key: "Skip Early CFG", value: .number(settings.skipEarlyCond)))
    }
    if settings.sMinUncond != 0 {
      extras.append(Item(key: "NGMS", value: .number(settings.sMinUncond)))
      if settings.sMinUncondAll { extras.append(Item(key: "NGMS all steps", value: true)) }
    }
    return extras
  }

  private static func refinerExtras(_ settings: ImageSettings, _ ingredients: JobIngredients) -> [Item] {
    guard let refiner = ingredients.refiner else { return [] }
    var extras: [Item] = []
    if let pass = settings.hires?.refinerPass, pass != .second {
      extras.append(Item(key: "Hires refiner", value: .string(pass.rawValue)))
    }
    extras.append(Item(key: "Refiner", value: .string(refiner.title)))
    extras.append(Item(key: "Refiner switch at", value: .number(settings.refinerSwitchAt)))
    return extras
  }

  private static func samplerExtras(_ settings: ImageSettings) -> [Item] {
    var extras: [Item] = []
    func add(_ key: String, _ value: Double, unless usual: Double, _ isRead: Bool) {
      if isRead, value != usual { extras.append(Item(key: key, value: .number(value))) }
    }
    func isRead(_ reads: KeyPath<SamplerID, Bool>) -> Bool { settings.inAnyPass { $0.sampler[keyPath: reads] } }
    add("Eta", settings.eta, unless: 1, isRead(\.usesEta))
    add("Eta DDIM", settings.etaDDIM, unless: 0, isRead(\.usesEtaDDIM))
    add("Sigma churn", settings.sChurn, unless: 0, isRead(\.usesChurn))
    add("Sigma tmin", settings.sTmin, unless: 0, isRead(\.usesChurn))
    if let sTmax = settings.sTmax { add("Sigma tmax", sTmax, unless: .infinity, isRead(\.usesChurn)) }
    add("Sigma noise", settings.sNoise, unless: 1, isRead(\.usesNoiseScale))
    guard settings.inAnyPass(\.uniPCMatters) else { return extras }
    func add(_ key: String, _ value: JSONValue, unless usual: JSONValue) {
      if value != usual { extras.append(Item(key: key, value: value)) }
    }
    add("UniPC variant", .string(settings.uniPCVariant.rawValue), unless: "bh1")
    add("UniPC skip type", .string(settings.uniPCSkipType.rawValue), unless: "time_uniform")
    add("UniPC order", .integer(Int64(settings.uniPCOrder)), unless: 3)
    add("UniPC lower order final", .bool(settings.uniPCLowerOrderFinal), unless: true)
    return extras
  }

  /// The infotext: the prompt, the negative prompt unless it is empty, and one line of settings.
  ///
  /// Two things are changed so that the text reads back as it was meant: lines of prompts are trimmed, and one that
  /// begins with `Negative prompt:` begins with a small letter instead, which the tokenizer sees no difference in.
  public var text: String {
    var text = Self.promptLines(prompt)
    if !negativePrompt.isEmpty { text += "\nNegative prompt: " + Self.promptLines(negativePrompt) }
    text += "\n" + (items + extras).map(Self.text).joined(separator: ", ")
    return String(PythonText.stripped(Substring(text).unicodeScalars))
  }

  private static func promptLines(_ prompt: String) -> String {
    PythonText.lines(prompt).map { line in
      let line = String(PythonText.stripped(line))
      return line.utf8.starts(with: "Negative prompt:".utf8) ? "n" + String(line.unicodeScalars.dropFirst()) : line
    }.joined(separator: "\n")
  }

  private static func text(_ item: Item) -> String {
    let value = item.value.pythonText
    return value == item.key ? item.key : "\(item.key): \(quoted(value))"
  }

  /// A value as the settings line holds it: what the line's own grammar would tear or unquote becomes a JSON string.
  private static func quoted(_ value: String) -> String {
    let utf8 = value.utf8
    let isTorn = utf8.contains { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "\n") }
    let isUnquoted = utf8.first == UInt8(ascii: "\"") && utf8.last == UInt8(ascii: "\"")
    return isTorn || isUnquoted ? JSONString.quoted(value) : value
  }
}

extension JSONValue {
  /// The value as Python's `str` writes it.
  fileprivate var pythonText: String {
    switch self {
    case .null: "None"
    case .bool(let value): value ? "True" : "False"
    case .integer(let value): String(value)
    case .number(let value): PythonNumber.repr(value)
    case .string(let text): text
    case .array, .object: jsonText
    }
  }
}

extension ModelIdentity {
  /// What the webui calls the short title of a checkpoint.
  fileprivate var title: String { "\(name) [\(shortHash)]" }

  /// The name with the extension, which the webui uses for VAE files.
  var fileName: String {
    guard let last = path?.split(separator: "/").last else { return name }
    return String(last)
  }
}
