import Foundation
import Prompts
import Settings

/// Parses a scalar as the value of a key.
struct ValueReader {
  let locator: ModelLocator
  let styles: StyleShelf
  /// Collects the positions of texts with wildcards.
  let mentions: WildcardMentions

  /// Why a text is not a value of a key: what was found, and what was expected.
  struct Complaint: Error {
    let message: String
  }

  /// Reads one value.
  func value(of scalar: YAMLScalar, for key: RecipeKey) throws(Complaint) -> KeyValue {
    let kind = key.kind
    if scalar.isNull {
      guard kind.takesNull else { throw unexpected(scalar, kind) }
      // An empty text means empty text, no limit, or nil.
      return kind == .text ? .text("") : kind == .bytes ? .integer(0) : .null
    }
    switch kind {
    case .text: return .text(scalar.text)
    case .integer(let range, let factor): return .integer(try integer(scalar, kind, range, factor))
    case .seed: return .integer(try integer(scalar, kind, -1...Int64.max, 1))
    case .number(let range), .otherNumber(let range): return .number(try number(scalar, kind, range))
    case .limit(let range):
      if let number = CoreNumber.number(scalar.text), number == 0 || number == .infinity { return .null }
      return .number(try number(scalar, kind, range))
    case .interval, .otherInterval:
      guard let interval = PassInterval(scalar.text) else { throw unexpected(scalar, kind) }
      return .setting(.interval(interval))
    case .layers:
      guard let layers = LayerList(scalar.text) else { throw unexpected(scalar, kind) }
      return .setting(.layers(layers))
    case .bytes: return .integer(try bytes(scalar))
    case .sampler: return try sampler(scalar)
    case .schedule: return try schedule(scalar)
    case .otherSampler: return isSame(scalar, "use same sampler") ? .null : try sampler(scalar)
    case .otherSchedule: return isSame(scalar, "use same scheduler") ? .null : try schedule(scalar)
    case .upscaler: return scalar.text.isEmpty ? .null : try upscaler(scalar)
    case .model: return try checkpoint(scalar)
    case .otherModel:
      return ["", "none", "use same checkpoint"].contains(scalar.text.lowercased())
        ? .null : try checkpoint(scalar, asVAE: true)
    case .models:
      return ["", "none"].contains(scalar.text.lowercased()) ? .null : .setting(.models([try part(scalar)]))
    case .vae: return try vae(scalar)
    case .styles: return .styles(try styles(named: names(scalar)))
    case .size: return try size(scalar)
    case .choice(let names): return .choice(try choice(scalar, names))
    case .choices(let names):
      if scalar.text.lowercased() == "none" { return .null }
      var found: [String] = []
      for piece in scalar.text.split(separator: ",") {
        let name = try choice(YAMLScalar(String(piece).trimmingBlanks), names)
        if !found.contains(name) { found.append(name) }
      }
      return .setting(.choices(found))
    case .flag: return .flag(try choice(scalar, ["true", "false"]) == "true")
    case .folders, .axes, .axisGroups, .cells, .path, .files, .sheet, .address, .nights, .notices:
      throw unexpected(scalar, kind)
    }
  }

  /// Checks the numbers of a row by its ends and its step; or all of them if they are truncated to integers.
  func check(_ row: some AxisRow, for key: RecipeKey) throws(Complaint) {
    // A key's range is an interval, and its multiples are evenly spaced. So it is enough to check both ends and two neighbours.
    var indices = Set([0, min(1, row.count - 1), row.count - 1]).sorted()
    if case .integer(_, let factor) = key.kind, factor > 1, row is RangeRow, row.count <= Recipe.jobLimit {
      indices = Array(0..<row.count)
    }
    for index in indices {
      let value = try value(of: YAMLScalar(row.text(at: index)), for: key)
      if key.kind == .seed, value.asInteger < 0 {
        throw Complaint(message: "found a row through -1, expected a row of seeds from 0 on")
      }
    }
  }

  private func unexpected(_ scalar: YAMLScalar, _ kind: SettingKind) -> Complaint {
    Complaint(message: "found \(YAMLNode.found(scalar)), expected \(kind.expectation)")
  }

  // MARK: Numbers

  private func integer(
    _ scalar: YAMLScalar, _ kind: SettingKind, _ range: ClosedRange<Int64>, _ factor: Int64
  ) throws(Complaint) -> Int64 {
    guard let integer = ExactDecimal(scalar.text)?.integer, range.contains(integer) else {
      throw unexpected(scalar, kind)
    }
    guard integer % factor == 0 else {
      let below = integer - integer % factor
      let near = [below, below + factor].filter(range.contains).map { "\($0)" }
      throw Complaint(
        message: "found \(integer), expected \(kind.expectation); the nearest are \(near.joined(separator: " and "))")
    }
    return integer
  }

  private func number(
    _ scalar: YAMLScalar, _ kind: SettingKind, _ range: ClosedRange<Double>
  ) throws(Complaint) -> Double {
    guard let number = CoreNumber.number(scalar.text), range.contains(number) else { throw unexpected(scalar, kind) }
    return number
  }

  /// Reads an amount such as `2.5GiB`, in any letter case and with blanks.
  private func bytes(_ scalar: YAMLScalar) throws(Complaint) -> Int64 {
    let text = scalar.text.trimmingBlanks.lowercased()
    let number = text.prefix { !($0.isLetter || $0 == " ") }
    let unit = String(text.dropFirst(number.count)).trimmingBlanks
    let units: [String: Double] = [
      "": 1, "b": 1, "kib": 0x1p10, "mib": 0x1p20, "gib": 0x1p30, "kb": 1e3, "mb": 1e6, "gb": 1e9,
    ]
    guard let factor = units[unit], let value = Double(number), value >= 0, value * factor < 0x1p53 else {
      throw unexpected(scalar, .bytes)
    }
    return Int64(value * factor)
  }

  /// Reads a size such as `512x768`, in any letter case and with blanks.
  private func size(_ scalar: YAMLScalar) throws(Complaint) -> KeyValue {
    let numbers = scalar.text.split(omittingEmptySubsequences: false) { "xX×".contains($0) }
    guard numbers.count == 2, let width = RecipeKey.named("width"), let height = RecipeKey.named("height") else {
      throw unexpected(scalar, .size)
    }
    func side(_ text: Substring, _ key: RecipeKey) throws(Complaint) -> Int {
      Int(try value(of: YAMLScalar(String(text).trimmingBlanks), for: key).asInteger)
    }
    return .size(try side(numbers[0], width), try side(numbers[1], height))
  }

  // MARK: Names

  /// The names in a text: one name if a style has exactly this name, otherwise names separated by commas.
  private func names(_ scalar: YAMLScalar) -> [String] {
    if (try? styles.style(scalar.text)) != nil { return [scalar.text] }
    guard let rows = try? CSVText.rows(scalar.text) else { return [scalar.text] }
    return rows.flatMap(\.fields).map(\.trimmingBlanks).filter { !$0.isEmpty }
  }

  /// The styles with these names, without `None`.
  func styles(named names: [String]) throws(Complaint) -> [PromptStyle] {
    var found: [PromptStyle] = []
    for name in names {
      if let style = try styles.style(name) { found.append(style) }
    }
    return found
  }

  private func sampler(_ scalar: YAMLScalar) throws(Complaint) -> KeyValue {
    if let found = SamplerID.resolve(scalar.text) { return .setting(.sampler(found.sampler, found.schedule)) }
    let names = SamplerID.allCases.map(\.rawValue)
    // A combined name is suggested only if its plain part is not closer.
    let combined = SamplerID.allCases.flatMap { sampler in
      ScheduleID.allCases.map { "\(sampler.rawValue) \($0.label)" }
    }
    let hint = NearestName.hint(scalar.text, among: names + combined)
    let list = hint.isEmpty ? ": \(SettingKind.list(names))" : hint
    throw Complaint(
      message:
        "found \(YAMLNode.found(scalar)), expected a sampler's name\(list)"
    )
  }

  private func schedule(_ scalar: YAMLScalar) throws(Complaint) -> KeyValue {
    if let found = ScheduleID.resolve(scalar.text) { return .setting(.schedule(found)) }
    let names = ScheduleID.allCases.map(\.rawValue)
    let unsupported =
      ScheduleID.unsupportedNames.contains(scalar.text.lowercased()) ? " which is not supported by this version," : ""
    throw Complaint(
      message: "found \(YAMLNode.found(scalar)),\(unsupported) expected \(SettingKind.list(names))"
        + NearestName.hint(scalar.text, among: names))
  }

  /// Whether the second pass should use the first pass's value: empty text, or the webui's words for it.
  private func isSame(_ scalar: YAMLScalar, _ words: String) -> Bool {
    scalar.text.isEmpty || scalar.text.lowercased() == words
  }

  private func upscaler(_ scalar: YAMLScalar) throws(Complaint) -> KeyValue {
    let wanted = scalar.text.lowercased()
    let filters = LatentFilter.allCases.map(\.rawValue) + PixelFilter.allCases.map(\.rawValue)
    if let name = filters.first(where: { $0.lowercased() == wanted }) {
      return .setting(.upscaler(UpscalerReference(name: name)))
    }
    if let path = locator.upscaler(scalar.text) {
      return .setting(.upscaler(UpscalerReference(name: scalar.text, path: path)))
    }
    let networks = locator.upscalerNames()
    let there = networks.isEmpty ? "there is none" : "there are only \(SettingKind.list(Array(networks.prefix(50))))"
    throw Complaint(
      message: "found \(YAMLNode.found(scalar)), expected \(filters.joined(separator: ", ")) or the file of a network "
        + "of the ESRGAN family, of which \(there) in \(locator.upscalerFoldersLookedIn(for: scalar.text))"
        + NearestName.hint(scalar.text, among: filters + networks))
  }

  private func choice(_ scalar: YAMLScalar, _ names: [String]) throws(Complaint) -> String {
    let wanted = scalar.text.lowercased()
    if let name = names.first(where: { $0.lowercased() == wanted }) { return name }
    // The webui's GPU draws the same numbers as its NV.
    if wanted == "gpu", names.contains(NoiseSourceID.nv.rawValue) { return NoiseSourceID.nv.rawValue }
    if wanted == "jpg", names.contains(FileFormat.jpeg.rawValue) { return FileFormat.jpeg.rawValue }
    throw Complaint(
      message: "found \(YAMLNode.found(scalar)), expected \(SettingKind.list(names))"
        // For names as short as cpu and gpu, the nearest name is rarely the right one.
        + (wanted.utf8.count > 3 ? NearestName.hint(scalar.text, among: names) : ""))
  }

  /// Reads a VAE. In the webui, `Automatic` is the VAE next to the checkpoint, if there is one, and `None` the checkpoint's
  /// own.
  private func vae(_ scalar: YAMLScalar) throws(Complaint) -> KeyValue {
    switch scalar.text.lowercased() {
    case "", "auto", "automatic": .null
    case "none": .setting(.model(.ownVAE))
    default: try model(scalar, asVAE: true)
    }
  }

  /// A checkpoint, and how it is sampled.
  private func checkpoint(_ scalar: YAMLScalar, asVAE isVAE: Bool = false) throws(Complaint) -> KeyValue {
    guard case .setting(.model(var reference)) = try model(scalar, asVAE: isVAE) else { return .null }
    if let path = reference.path, let family = locator.environment.family { reference.family = family(path) }
    return .setting(.model(reference))
  }

  /// A file with a part of a model.
  func part(_ scalar: YAMLScalar) throws(Complaint) -> ModelReference {
    guard case .setting(.model(let reference)) = try model(scalar, asVAE: true) else {
      throw unexpected(scalar, .models)
    }
    return reference
  }

  private func model(_ scalar: YAMLScalar, asVAE isVAE: Bool = false) throws(Complaint) -> KeyValue {
    if scalar.text == ModelReference.demo.name { return .setting(.model(.demo)) }
    if let path = locator.exactPath(of: scalar.text) {
      return .setting(.model(ModelReference(name: scalar.text, path: path)))
    }
    guard !scalar.text.isEmpty else { throw unexpected(scalar, .model) }
    switch locator.find(scalar.text, asVAE: isVAE) {
    case .found(let path):
      // Hashes and paths of other machines are hard to recognise, so the file's name is shown.
      return .setting(.model(ModelReference(name: URL(fileURLWithPath: path).lastPathComponent, path: path)))
    case .several(let paths):
      throw Complaint(
        message: "found \(Quoted.short(scalar.text)), which may be any of \(paths.count) files: "
          + paths.prefix(5).joined(separator: ", ") + (paths.count > 5 ? " and others" : "")
          + "; name one with its folder")
    case .otherHash(let path):
      throw Complaint(
        message: "found \(Quoted.short(scalar.text)), but \(path) has another hash, so it is another model; "
          + "name it without the hash to use it")
    case .nothing:
      throw Complaint(
        message: "found \(Quoted.short(scalar.text)), expected a file or folder, but there is none in "
          + locator.foldersLookedIn(for: scalar.text)
          + NearestName.hint(ModelTitle(scalar.text).name, among: locator.knownNames()))
    }
  }
}

extension YAMLNode {
  /// The scalar; for kinds that accept lists of numbers, such a list as one scalar.
  func scalar(for key: RecipeKey) -> YAMLScalar? {
    guard let items else { return scalar }
    if case .choices = key.kind {
      let names = items.compactMap { $0.scalar.flatMap { $0.isNull ? nil : $0.text } }
      return names.count == items.count ? YAMLScalar(names.joined(separator: ",")) : nil
    }
    let numbers = items.compactMap(\.scalar?.text)
    guard numbers.count == items.count else { return nil }
    return switch key.kind {
    case .interval, .otherInterval: numbers.count == 2 ? YAMLScalar("\(numbers[0]) to \(numbers[1])") : nil
    case .layers: YAMLScalar(numbers.joined(separator: ", "))
    default: scalar
    }
  }

  /// The scalar in the form for messages.
  static func found(_ scalar: YAMLScalar) -> String { scalar.isNull ? "no value" : Quoted.short(scalar) }
}
