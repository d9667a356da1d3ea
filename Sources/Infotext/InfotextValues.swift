import JSON
import Settings

/// The values of an infotext while they are read, and the remarks about them.
struct InfotextValues {
  private let infotext: ParsedInfotext
  /// The last value of each key.
  private let values: [String: String]
  private var taken: Set<String> = []
  private var remarks: [InfotextSettings.Remark] = []

  init(_ infotext: ParsedInfotext) {
    self.infotext = infotext
    values = Dictionary(infotext.items.map { ($0.key, $0.value) }) { $1 }
  }

  // MARK: Values

  /// The value of a key; nil if there is none. The key then counts as understood.
  mutating func take(_ key: String) -> String? {
    taken.insert(key)
    guard let value = values[key], !value.isEmpty else { return nil }
    return value
  }

  /// The names and hashes under a key, such as "a: 0123456789ab, b: cdef01234567"; each name once.
  ///
  /// With `orNames`, a value may be the name of a LoRA instead of a hash.
  mutating func readHashes(_ key: String, orNames allowsNames: Bool = false) -> [InfotextSettings.NamedAdapter] {
    guard let text = take(key) else { return [] }
    var adapters: [InfotextSettings.NamedAdapter] = []
    for item in text.split(separator: ",") {
      let sides = item.split(separator: ":", maxSplits: 1).map { $0.trimmingPrefix { $0 == " " } }
      let isHash = sides.last?.allSatisfy(\.isHexDigit) == true
      guard sides.count == 2, !sides[1].isEmpty, isHash || allowsNames else {
        complain(key, text, "names and hashes, such as name: 0123456789ab")
        return []
      }
      let adapter = InfotextSettings.NamedAdapter(
        name: String(sides[0]), hash: isHash ? sides[1].lowercased() : String(sides[1]))
      if !adapters.contains(adapter) { adapters.append(adapter) }
    }
    return adapters
  }

  /// Whether the text has the key, whatever its value.
  func has(_ key: String) -> Bool { values[key] != nil }

  /// The value of a key as a setting of this kind; nil if it is missing or, with a remark, if it is not valid.
  mutating func value(of key: String, kind: SettingKind) -> SettingValue? {
    guard let text = take(key) else { return nil }
    let value: SettingValue? =
      switch kind {
      case .text: .text(text)
      case .integer, .seed, .bytes: Self.integer(text).map { .integer($0) }
      case .number, .otherNumber: Self.number(text).map { .number($0) }
      case .limit:
        Double(text).flatMap { $0.isNaN ? nil : $0 == 0 || $0 == .infinity ? .null : .number($0) }
      case .interval, .otherInterval: PassInterval(text).map { .interval($0) }
      case .layers: LayerList(text).map { .layers($0) }
      case .flag: Self.flag(text).map { .flag($0) }
      case .choice(let names) where names.contains("true"): Self.flag(text).map { .choice($0 ? "true" : "false") }
      case .choice(let names): names.first { $0.lowercased() == text.lowercased() }.map { .choice($0) }
      case .sampler, .otherSampler: SamplerID.resolve(text).map { .sampler($0.sampler, $0.schedule) }
      case .schedule, .otherSchedule: ScheduleID.resolve(text).map { .schedule($0) }
      // These name files, which are not looked up here.
      case .model, .vae, .otherModel, .models, .upscaler, .folders, .styles, .size, .choices, .axes, .axisGroups,
        .cells,
        .path, .files, .sheet, .address, .nights, .notices:
        nil
      }
    guard let value else {
      complain(key, text, Self.expectation(of: kind))
      return nil
    }
    // A seed of -1 means a random one, so the text does not tell which it was.
    guard kind.accepts(value), !(kind == .seed && value == .integer(-1)) else {
      complain(key, text, kind == .seed ? "a whole number from 0 on" : kind.expectation)
      return nil
    }
    return value
  }

  /// Reads the value of a key into the setting with this name.
  mutating func read(_ key: String, as name: String, into settings: inout ImageSettings, isNeeded: Bool = false) {
    guard let row = SettingRow.named(name) else { return }
    if isNeeded, take(key) == nil { return miss(key) }
    if let value = value(of: key, kind: row.kind) { row.set(value, in: &settings) }
  }

  private static func expectation(of kind: SettingKind) -> String {
    switch kind {
    case .integer, .seed, .bytes: "a whole number"
    case .number, .otherNumber, .limit: "a number"
    case .flag: "True or False"
    case .choice(let names) where names.contains("true"): "True or False"
    case .choice(let names): "one of " + names.joined(separator: ", ")
    case .interval, .otherInterval: "two ascending numbers from 0 to 1, such as 0.2 to 0.8"
    case .layers: "numbers of layers, such as 7, 8, 9"
    case .text, .sampler, .schedule, .otherSampler, .otherSchedule, .upscaler, .model, .vae, .otherModel, .models,
      .styles, .size, .choices, .folders, .axes, .axisGroups, .cells, .path, .files, .sheet, .address, .nights,
      .notices:
      kind.expectation
    }
  }

  private static func number(_ text: String) -> Double? { Double(text).flatMap { $0.isFinite ? $0 : nil } }

  private static func flag(_ text: String) -> Bool? { ["true": true, "false": false][text.lowercased()] }

  /// Width and height written as 512x768.
  ///
  /// - Parameters:
  ///   - key: The key.
  ///   - side: The setting that holds the width; sides have to be in its range.
  ///   - takesZero: Whether sides of 0 are valid too.
  /// - Returns: Both sides; nil if there are none or, with a remark, if they are not valid.
  mutating func size(_ key: String, of side: String, takesZero: Bool = false) -> (width: Int, height: Int)? {
    guard let text = take(key) else { return nil }
    guard let sides = ParsedInfotext.sides(text), let width = Int(sides.0), let height = Int(sides.1) else {
      complain(key, text, "a size, such as 512x768")
      return nil
    }
    guard let kind = SettingRow.named(side)?.kind else { return nil }
    guard [width, height].allSatisfy({ kind.accepts(.integer(Int64($0))) || (takesZero && $0 == 0) }) else {
      complain(key, text, "a size whose sides are each \(kind.expectation)")
      return nil
    }
    return (width, height)
  }

  private static func integer(_ text: String) -> Int64? {
    Int64(text) ?? Double(text).flatMap { Int64(exactly: $0) }
  }

  // MARK: Remarks

  mutating func miss(_ key: String, _ more: String? = nil) {
    remark(.missing, key, "is missing" + (more.map { "; \($0)" } ?? ""))
  }

  mutating func complain(_ key: String, _ value: String, _ expected: String) {
    remark(.wrong, key, "found \"\(value.abridged)\", expected \(expected)")
  }

  mutating func note(_ key: String, _ text: String) { remark(.note, key, text) }

  private mutating func remark(_ kind: InfotextSettings.Remark.Kind, _ key: String, _ text: String) {
    remarks.append(InfotextSettings.Remark(kind: kind, key: key, text: text))
  }

  /// All remarks, including those about keys that were not read.
  ///
  /// - Parameter prompt: The prompt, which is searched for tags that the webui acts on.
  /// - Returns: Remarks.
  mutating func finish(prompt: String) -> [InfotextSettings.Remark] {
    if let tag = prompt.firstMatch(of: #/<hypernet:[^>]*>/#) {
      remark(.unsupported, "Prompt", "found \(tag.output), but hypernetworks are not supported by this version")
    }
    var seen: Set<String> = []
    for item in infotext.items where !taken.contains(item.key) && seen.insert(item.key).inserted {
      let value = values[item.key] ?? ""
      switch InfotextKeyMeaning(item.key, value: value) {
      case .none: break
      case .unsupported(let what):
        remark(.unsupported, item.key, "found \"\(value.abridged)\", but \(what) not supported by this version")
      case .unknown: remark(.unknown, item.key, "found \"\(value.abridged)\", an unknown key")
      }
    }
    return remarks
  }
}

/// What an infotext key that has no setting means for the image's pixels.
private enum InfotextKeyMeaning {
  /// It has no effect.
  case none
  /// A feature that is not supported, and that changed the pixels; the text is its name with a verb.
  case unsupported(String)
  /// Unknown.
  case unknown

  init(_ key: String, value: String) {
    if Self.silent.contains(key) || Self.harmless[key] == value {
      self = .none
    } else if let what = Self.unsupported[key] ?? Self.families.first(where: { key.hasPrefix($0.prefix) })?.what {
      self = .unsupported(what)
    } else {
      self = .unknown
    }
  }

  /// Keys that do not affect pixels, or that repeat what other keys say.
  private static let silent: Set<String> = [
    "Version", "User", "Generator", "Batch size", "Batch pos", "Script", "X Type", "X Values", "Fixed X Values",
    "Y Type",
    "Y Values", "Fixed Y Values", "Z Type", "Z Values", "Fixed Z Values", "Hashes",
    "Cache FP16 weight for LoRA", "Noise multiplier", "Created Date", "Civitai resources",
    "Civitai metadata",
  ]

  /// Values that mean that a feature is off.
  private static let harmless = [
    // The API of webui 1.5 always writes this key; without the keys of a second pass it has no effect.
    "Denoising strength": "0", "VAE Decoder": "Full", "VAE Encoder": "Full", "FP8 weight": "Disable",
    "Token merging ratio hr": "0", "Pad conds": "False", "Pad conds v0": "False",
    // Forge always writes this key with a second pass.
    "Hires Module 1": "Use same choices",
  ]

  private static let unsupported = [
    "Denoising strength": "img2img is", "Extra noise": "img2img is",
    "Image CFG scale": "img2img is", "Init image hash": "img2img is", "Mask blur": "inpainting is",
    "Masked content": "inpainting is", "Masked area padding": "inpainting is", "Inpaint area": "inpainting is",
    "Conditional mask weight": "inpainting is",
    "FP8 weight": "FP8 is",
    "Hypernet": "hypernetworks are",
    "Hypernet strength": "hypernetworks are", "Refiner switch by sampling steps": "a switch to the refiner by steps is",
    "Pad conds": "padding of prompts is",
    "Pad conds v0": "padding of prompts is", "VAE Decoder": "another decoder is", "VAE Encoder": "another encoder is",
  ]

  private static let families: [(prefix: String, what: String)] = [
    ("Hires ", "this part of hires fix is"), ("ControlNet", "ControlNet is"), ("ADetailer", "ADetailer is"),
    ("AddNet", "Additional Networks is"), ("Tiled ", "tiled diffusion is"), ("AnimateDiff", "AnimateDiff is"),
  ]
}
