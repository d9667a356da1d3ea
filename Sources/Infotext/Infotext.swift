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
  ///   - parameters: The settings of the job.
  ///   - ingredients: The models, and the precision that runs.
  ///   - version: The version of this program.
  public init(_ parameters: JobParameters, _ ingredients: JobIngredients, version: String) {
    prompt = parameters.prompt
    negativePrompt = parameters.negativePrompt
    items = [
      Item(key: "Steps", value: .integer(Int64(parameters.steps))),
      Item(key: "Sampler", value: .string(parameters.sampler.rawValue)),
      Item(key: "Schedule type", value: .string(parameters.namedSchedule.label)),
      Item(key: "CFG scale", value: .number(parameters.cfgScale)),
      Item(key: "Seed", value: .integer(parameters.seed)),
      Item(key: "Size", value: .string("\(parameters.width)x\(parameters.height)")),
      Item(key: "Model hash", value: .string(ingredients.model.shortHash)),
      Item(key: "Model", value: .string(ingredients.model.name)),
    ]
    if let vae = ingredients.vae {
      items.append(Item(key: "VAE hash", value: .string(vae.shortHash)))
      items.append(Item(key: "VAE", value: .string(vae.fileName)))
    }
    if parameters.subseedMatters {
      items.append(Item(key: "Variation seed", value: .integer(parameters.subseed)))
      items.append(Item(key: "Variation seed strength", value: .number(parameters.subseedStrength)))
    }
    if parameters.seedResizeMatters {
      let size = "\(parameters.seedResizeFromW)x\(parameters.seedResizeFromH)"
      items.append(Item(key: "Seed resize from", value: .string(size)))
    }
    if let hires = parameters.hires {
      items.append(Item(key: "Denoising strength", value: .number(hires.denoisingStrength)))
    }
    if parameters.clipSkip > 1 { items.append(Item(key: "Clip skip", value: .integer(Int64(parameters.clipSkip)))) }
    if parameters.inAnyPass(\.etaNoiseSeedDeltaMatters) {
      items.append(Item(key: "ENSD", value: .integer(parameters.etaNoiseSeedDelta)))
    }
    if parameters.tokenMergingRatio != 0 {
      items.append(Item(key: "Token merging ratio", value: .number(parameters.tokenMergingRatio)))
    }
    if let second = parameters.secondPass, second.tokenMergingRatio != 0 {
      items.append(Item(key: "Token merging ratio hr", value: .number(second.tokenMergingRatio)))
    }
    items.append(Item(key: "RNG", value: .string(parameters.rng == .nv ? "NV" : "CPU")))
    if parameters.tiling { items.append(Item(key: "Tiling", value: true)) }
    extras = Self.extras(parameters, ingredients, version: version, for: .text)
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
    _ parameters: JobParameters, _ ingredients: JobIngredients, version: String, for reader: Reader
  ) -> [Item] {
    var extras =
      hiresExtras(parameters, ingredients, for: reader) + adapterExtras(ingredients) + promptExtras(parameters)
      + scheduleExtras(parameters, for: reader) + samplerExtras(parameters)
    extras += guidanceExtras(parameters) + refinerExtras(parameters, ingredients)
    if ingredients.vae?.isTiny == true { extras.append(Item(key: "VAE Decoder", value: "TAESD")) }
    if parameters.predictionType != .auto {
      extras.append(Item(key: "Prediction type", value: .string(parameters.predictionType.rawValue)))
    }
    if parameters.featureCache != 1 {
      extras.append(Item(key: "Feature cache", value: .integer(Int64(parameters.featureCache))))
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
    _ parameters: JobParameters, _ ingredients: JobIngredients, for reader: Reader
  ) -> [Item] {
    guard let hires = parameters.hires, let second = parameters.secondPass else { return [] }
    var extras: [Item] = []
    func add(_ key: String, _ value: JSONValue, when isTold: Bool) {
      if isTold { extras.append(Item(key: key, value: value)) }
    }
    add("Denoising strength", .number(hires.denoisingStrength), when: reader == .info)
    if let model = ingredients.hiresModel { add("Hires checkpoint", .string(model.title), when: true) }
    add("Hires sampler", .string(second.sampler.rawValue), when: second.sampler != parameters.sampler)
    let hasOwnSchedule = second.namedSchedule != parameters.namedSchedule
    switch reader {
    case .text:
      add("Hires prompt", .string(second.prompt), when: second.prompt != parameters.prompt)
      add(
        "Hires negative prompt", .string(second.negativePrompt),
        when: second.negativePrompt != parameters.negativePrompt)
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

  private static func promptExtras(_ parameters: JobParameters) -> [Item] {
    var extras: [Item] = []
    if parameters.emphasisMatters {
      extras.append(Item(key: "Emphasis", value: .string(parameters.emphasis.rawValue)))
    }
    if parameters.timelinesMatter { extras.append(Item(key: "Old prompt editing timelines", value: true)) }
    return extras
  }

  private static func scheduleExtras(_ parameters: JobParameters, for reader: Reader) -> [Item] {
    var extras: [Item] = []
    func add(_ key: String, _ value: JSONValue, when isRead: Bool) {
      if isRead { extras.append(Item(key: key, value: value)) }
    }
    add("Downcast alphas_cumprod", true, when: parameters.useDowncastedAlphaBar)
    add(
      "Noise Schedule", .string(parameters.sdNoiseSchedule.rawValue), when: parameters.sdNoiseSchedule != .standard)
    add("Discard penultimate sigma", true, when: parameters.inAnyPass(\.discardMatters))
    // The text has it among what every picture has.
    add(
      "Schedule type", .string(parameters.namedSchedule.label),
      when: reader == .info && parameters.namedSchedule != .automatic)
    let hasRange = parameters.inAnyPass(\.sigmaRangeMatters)
    add("Schedule min sigma", .number(parameters.sigmaMin), when: hasRange && parameters.sigmaMin != 0)
    add("Schedule max sigma", .number(parameters.sigmaMax), when: hasRange && parameters.sigmaMax != 0)
    add("Schedule rho", .number(parameters.rho), when: parameters.inAnyPass(\.rhoMatters))
    let isBeta = parameters.inAnyPass(\.betaMatters)
    add("Beta schedule alpha", .number(parameters.betaDistAlpha), when: isBeta && parameters.betaDistAlpha != 0.6)
    add("Beta schedule beta", .number(parameters.betaDistBeta), when: isBeta && parameters.betaDistBeta != 0.6)
    // The webui does not record this one.
    add("Old Karras scheduler sigmas", true, when: parameters.inAnyPass(\.oldSigmasMatter))
    // Nor this one.
    add("Quantized timesteps", true, when: parameters.inAnyPass(\.quantizationMatters))
    add("SGM noise multiplier", true, when: parameters.sgmNoiseMultiplierMatters)
    return extras
  }

  private static func guidanceExtras(_ parameters: JobParameters) -> [Item] {
    var extras: [Item] = []
    if parameters.skipEarlyCond != 0 {
      extras.append(Item(key: "Skip Early CFG", value: .number(parameters.skipEarlyCond)))
    }
    if parameters.sMinUncond != 0 {
      extras.append(Item(key: "NGMS", value: .number(parameters.sMinUncond)))
      if parameters.sMinUncondAll { extras.append(Item(key: "NGMS all steps", value: true)) }
    }
    return extras
  }

  private static func refinerExtras(_ parameters: JobParameters, _ ingredients: JobIngredients) -> [Item] {
    guard let refiner = ingredients.refiner else { return [] }
    var extras: [Item] = []
    if let pass = parameters.hires?.refinerPass, pass != .second {
      extras.append(Item(key: "Hires refiner", value: .string(pass.rawValue)))
    }
    extras.append(Item(key: "Refiner", value: .string(refiner.title)))
    extras.append(Item(key: "Refiner switch at", value: .number(parameters.refinerSwitchAt)))
    return extras
  }

  private static func samplerExtras(_ parameters: JobParameters) -> [Item] {
    var extras: [Item] = []
    func add(_ key: String, _ value: Double, unless usual: Double, _ isRead: Bool) {
      if isRead, value != usual { extras.append(Item(key: key, value: .number(value))) }
    }
    func isRead(_ reads: KeyPath<SamplerID, Bool>) -> Bool { parameters.inAnyPass { $0.sampler[keyPath: reads] } }
    add("Eta", parameters.eta, unless: 1, isRead(\.usesEta))
    add("Eta DDIM", parameters.etaDDIM, unless: 0, isRead(\.usesEtaDDIM))
    add("Sigma churn", parameters.sChurn, unless: 0, isRead(\.usesChurn))
    add("Sigma tmin", parameters.sTmin, unless: 0, isRead(\.usesChurn))
    if let sTmax = parameters.sTmax { add("Sigma tmax", sTmax, unless: .infinity, isRead(\.usesChurn)) }
    add("Sigma noise", parameters.sNoise, unless: 1, isRead(\.usesNoiseScale))
    guard parameters.inAnyPass(\.uniPCMatters) else { return extras }
    func add(_ key: String, _ value: JSONValue, unless usual: JSONValue) {
      if value != usual { extras.append(Item(key: key, value: value)) }
    }
    add("UniPC variant", .string(parameters.uniPCVariant.rawValue), unless: "bh1")
    add("UniPC skip type", .string(parameters.uniPCSkipType.rawValue), unless: "time_uniform")
    add("UniPC order", .integer(Int64(parameters.uniPCOrder)), unless: 3)
    add("UniPC lower order final", .bool(parameters.uniPCLowerOrderFinal), unless: true)
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
