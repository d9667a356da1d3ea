import Settings

/// Reads the axes of `grid` and `zip`.
struct AxisReader {
  let values: ValueReader
  let findings: Findings
  let budget: ValueBudget
  let prompts: PromptAxisReader
  let wildcards: WildcardShelf

  /// Reads one axis; nil, with an error reported, if it is not valid.
  func axis(_ entry: YAMLEntry) -> Axis? {
    let name = entry.name
    let key = PlotLabels.key(name)
    if let (kind, name) = PromptAxis.named(name) { return prompts.axis(kind, called: name, entry) }
    if let wildcard = key?.wildcard, let key, entry.value.isNull {
      return wildcards.entries(of: wildcard, at: entry.keyPosition).map { entries in
        Axis(name: name, key: key, runs: [.row(WildcardRow(key: key, entries: entries))], position: entry.keyPosition)
      }
    }
    if let key, !key.isSetting {
      findings.error(
        "found \(name) as an axis, expected a setting of a job; \(name) belongs to the top level",
        at: entry.keyPosition)
      return nil
    }
    if let key, key.isOfFiles {
      findings.error(key.refusalInCells, at: entry.keyPosition)
      return nil
    }
    if key == nil, !hasLongForm(entry.value) {
      if let refusal = PlotLabels.refusal(name) {
        findings.error(
          "found \(name) as an axis, which is not supported by this version; \(refusal)", at: entry.keyPosition)
        return nil
      }
      findings.error(
        KeyReader.unknown(
          name,
          expected: "a recipe key, or values of the form {title: ..., key: ...} for an axis with "
            + "another name", names: RecipeKey.settingNames), at: entry.keyPosition)
      return nil
    }
    if let key, key.name == "seed", let scalar = entry.value.scalar, NightlySeries.isMeant(scalar) {
      return nightly(scalar, key, entry)
    }
    guard let runs = runs(of: entry.value, name: name, key: key) else { return nil }
    guard runs.contains(where: { $0.count > 0 }) else {
      findings.error("\(name): found no values, expected at least one", at: entry.value.position)
      return nil
    }
    let axis = Axis(name: key?.name ?? name, key: key, runs: runs, position: entry.keyPosition)
    warnOfRepeats(axis, at: entry.value.position)
    return axis
  }

  /// The axis of a nightly series.
  func nightly(_ scalar: YAMLScalar, _ key: RecipeKey, _ entry: YAMLEntry) -> Axis? {
    guard let count = NightlySeries.count(scalar) else {
      findings.error(
        "\(entry.name): found \(Quoted.short(scalar.text)), expected \(NightlySeries.expectation)",
        at: entry.value.position)
      return nil
    }
    return NightlySeries.axis(count, key: key, at: entry.keyPosition)
  }

  private func hasLongForm(_ node: YAMLNode) -> Bool {
    node.items?.contains { $0.entries != nil } ?? false
  }

  private func runs(of node: YAMLNode, name: String, key: RecipeKey?) -> [Axis.Run]? {
    switch node.content {
    case .mapping:
      findings.error("\(name): found a mapping, expected a list of values", at: node.position)
      return nil
    case .scalar(let scalar):
      guard let key, !scalar.isNull else {
        findings.error("\(name): found no values, expected at least one", at: node.position)
        return nil
      }
      return pieces(of: scalar, at: node.position, name: name, key: key).flatMap { rows($0, name: name, key: key) }
    case .sequence(let items):
      guard let key, key.kind.hasProgressions else { return rows(items, name: name, key: key) }
      var nodes: [YAMLNode] = []
      for item in items {
        // One item of a list may be a row of numbers: [1, "10, 20, ..., 50"].
        guard let scalar = item.scalar else {
          nodes.append(item)
          continue
        }
        guard let pieces = pieces(of: scalar, at: item.position, name: name, key: key) else { return nil }
        nodes += pieces
      }
      return rows(nodes, name: name, key: key)
    }
  }

  private func pieces(of scalar: YAMLScalar, at position: SourcePosition, name: String, key: RecipeKey) -> [YAMLNode]? {
    guard budget.take(scalar.text) else {
      findings.error(
        "\(name): found too many values, expected \(ValueBudget.limit) at most in one recipe; "
          + "write a row such as 1, 2, ..., 1000 instead", at: position)
      return nil
    }
    return ValueSplitter.pieces(of: scalar, kind: key.kind).map { YAMLNode(.scalar($0), at: position) }
  }

  // MARK: Rows

  private func rows(_ nodes: [YAMLNode], name: String, key: RecipeKey?) -> [Axis.Run]? {
    var runs: [Axis.Run] = []
    var listed: [AxisValue] = []
    var isSound = true
    /// The two numbers before the current one, if both are plain numbers.
    var last: [ExactDecimal] = []
    var index = 0
    while index < nodes.count, !findings.isFull {
      let node = nodes[index]
      if let key, key.kind.hasProgressions, node.scalar.map(ValueSplitter.isEllipsis) == true {
        let end = index + 1 < nodes.count ? nodes[index + 1] : nil
        if let progression = progression(after: last, through: end, at: node.position, name: name, key: key) {
          if !listed.isEmpty { runs.append(.values(listed)) }
          listed = []
          runs.append(.row(ProgressionRow(key: key, numbers: progression)))
          last = [progression[progression.count - 1]]
        } else {
          isSound = false
          last = []
        }
        index += 2
        continue
      }
      if let key, key.kind.hasProgressions, let scalar = node.scalar {
        switch range(scalar.text, at: node.position, name: name, key: key) {
        case .success(let row?):
          if !listed.isEmpty { runs.append(.values(listed)) }
          listed = []
          runs.append(.row(row))
          last = []
          index += 1
          continue
        case .success(nil): break
        case .failure:
          isSound = false
          index += 1
          continue
        }
      }
      if let value = value(node, name: name, key: key) { listed.append(value) } else { isSound = false }
      if let number = node.scalar.flatMap({ ExactDecimal($0.text) }) {
        last = last.suffix(1) + [number]
      } else {
        last = []
      }
      index += 1
    }
    if !listed.isEmpty { runs.append(.values(listed)) }
    return isSound ? runs : nil
  }

  private func progression(
    after last: [ExactDecimal], through end: YAMLNode?, at position: SourcePosition, name: String, key: RecipeKey
  ) -> Progression? {
    guard last.count == 2 else {
      findings.error(
        "\(name): found ... without two numbers before it, expected a row such as 1, 2, ..., 8",
        at: position)
      return nil
    }
    guard let text = end?.scalar?.text, let number = ExactDecimal(text) else {
      let found = end.map { "found \($0.found)" } ?? "found no value"
      findings.error(
        "\(name): \(found) after ..., expected the number the row ends with, as in 1, 2, ..., 8",
        at: end?.position ?? position)
      return nil
    }
    let row = "\(last[0]), \(last[1]), ..., \(number)"
    do {
      let progression = try Progression(after: last[0], last[1], through: number)
      do {
        try values.check(ProgressionRow(key: key, numbers: progression), for: key)
      } catch {
        findings.error("\(name): in \(row): \(error.message)", at: end?.position ?? position)
        return nil
      }
      return progression
    } catch {
      let why =
        switch error {
        case .noStep: "found the same number twice before ..., expected two different ones"
        case .wrongWay: "the row leads away from \(number), expected an end beyond \(last[1])"
        case .missed(let below, let above):
          "the row skips \(number), expected an end such as \(below) or \(above)"
        case .tooManyDigits: "found too many digits, expected numbers of 18 digits at most"
        }
      findings.error("\(name): in \(row): \(why)", at: end?.position ?? position)
      return nil
    }
  }

  /// Thrown after the error was reported.
  private struct Reported: Error {}

  /// A range in the form of the webui's plot; nil if the text is something else.
  private func range(
    _ text: String, at position: SourcePosition, name: String, key: RecipeKey
  ) -> Result<RangeRow?, Reported> {
    func fail(_ message: String) -> Result<RangeRow?, Reported> {
      findings.error("\(name): in \(Quoted.bounded(text)): \(message)", at: position)
      return .failure(Reported())
    }
    do {
      guard let range = try PlotRange.read(text, isWhole: key.kind.isWhole) else { return .success(nil) }
      let row = RangeRow(key: key, range: range)
      do {
        try values.check(row, for: key)
      } catch {
        return fail(error.message)
      }
      return .success(row)
    } catch {
      return fail(error.message)
    }
  }

  // MARK: Values

  private func value(_ node: YAMLNode, name: String, key: RecipeKey?) -> AxisValue? {
    switch node.content {
    case .mapping(let entries): return longValue(entries, at: node.position, name: name, key: key)
    case .sequence(let items) where key?.kind == .styles:
      guard let key,
        let setting = KeyReader.styles(key, items, named: name, at: node.position, values, findings)
      else { return nil }
      let text = Self.text(node, key)
      return AxisValue(text: text, title: text, settings: [setting], isNamed: false)
    case .sequence where key.flatMap(node.scalar(for:)) != nil:
      guard let key, let scalar = node.scalar(for: key) else { return nil }
      return value(YAMLNode(.scalar(scalar), at: node.position), name: name, key: key)
    case .sequence:
      findings.error("\(name): found a list within the list, expected a value", at: node.position)
      return nil
    case .scalar(let scalar):
      guard let key else {
        findings.error(
          "\(name): found \(node.found), expected {title: ..., key: ...}, because \(name) is not a recipe key"
            + NearestName.hint(name, among: RecipeKey.settingNames), at: node.position)
        return nil
      }
      guard let setting = KeyReader.setting(key, scalar, named: name, at: node.position, values, findings) else {
        return nil
      }
      return AxisValue(
        text: Self.text(scalar, key), title: Self.title(scalar, key), settings: [setting], isNamed: false,
        position: node.position)
    }
  }

  private func longValue(
    _ entries: [YAMLEntry], at position: SourcePosition, name: String, key: RecipeKey?
  ) -> AxisValue? {
    guard !entries.isEmpty else {
      findings.error("\(name): found an empty mapping, expected {title: ..., key: ...}", at: position)
      return nil
    }
    let reader = KeyReader(values: values, findings: findings)
    var title: String?
    var isNamed = false
    var value: String?
    var written: [String] = []
    var settings: [Setting] = []
    var isSound = true
    for entry in entries {
      switch entry.name {
      case "title":
        guard let text = entry.value.scalar?.text else {
          findings.error("title: found \(entry.value.found), expected text", at: entry.value.position)
          isSound = false
          continue
        }
        title = text
        isNamed = true
      case "value":
        guard let key else {
          findings.error(
            "found value on the axis \(name), expected the keys to set, because \(name) is not a recipe key"
              + NearestName.hint(name, among: RecipeKey.settingNames), at: entry.keyPosition)
          isSound = false
          continue
        }
        guard let setting = reader.setting(key, of: entry, among: settings, or: ["title", "value"]) else {
          isSound = false
          continue
        }
        settings.append(setting)
        value = Self.text(entry.value, key)
        title = title ?? entry.value.scalar(for: key).map { Self.title($0, key) }
      default:
        guard let setting = reader.setting(of: entry, among: settings, or: ["title", "value"]) else {
          isSound = false
          continue
        }
        settings.append(setting)
        written.append("\(entry.name): \(entry.value.scalar?.text ?? Self.text(entry.value, setting.key))")
      }
    }
    guard isSound, reader.checkTogether(settings, in: entries) else { return nil }
    let text = value ?? (written.isEmpty ? title ?? "" : written.joined(separator: ", "))
    return AxisValue(
      text: text, title: title ?? text, settings: settings, isNamed: isNamed || key == nil, position: position)
  }

  static func text(_ scalar: YAMLScalar, _ key: RecipeKey) -> String {
    scalar.isNull ? key.kind == .text ? "" : "none" : scalar.text
  }

  /// The text of a scalar, or the texts of a list separated by commas.
  static func text(_ node: YAMLNode, _ key: RecipeKey) -> String {
    if let scalar = node.scalar(for: key) { return text(scalar, key) }
    let names = (node.items ?? []).map { $0.scalar?.text ?? "" }
    return names.isEmpty ? "none" : names.joined(separator: ", ")
  }

  /// The title of a value. Models are shown by their file's name.
  static func title(_ scalar: YAMLScalar, _ key: RecipeKey) -> String {
    switch key.kind {
    case .model, .vae, .otherModel, .models:
      let file = scalar.text.split(separator: "/").last.map(String.init) ?? scalar.text
      for ending in [".safetensors", ".ckpt"] where file.hasSuffix(ending) {
        return String(file.dropLast(ending.count))
      }
      return scalar.isNull || file.isEmpty ? "none" : file
    case .upscaler:
      // "none" would be the name of another upscaler.
      return scalar.isNull || scalar.text.isEmpty
        ? UpscalerReference.latent.name : UpscalerReference(name: scalar.text).title
    default: return text(scalar, key)
    }
  }

  private func warnOfRepeats(_ axis: Axis, at position: SourcePosition) {
    var seen: Set<String> = []
    for (_, value) in axis.listed where !value.hasRandomSeed {
      guard !seen.insert(value.title).inserted else { continue }
      findings.warning(
        "\(axis.name): found \(Quoted.short(value.title)) more than once, expected different values",
        at: position)
      return
    }
  }
}

/// Limits how many values one recipe may split from texts; the size of a file alone would allow millions.
final class ValueBudget {
  static let limit = 250_000
  private var left = limit

  /// Counts the values in a text; returns whether they are still within the limit.
  func take(_ text: String) -> Bool {
    left -=
      1
      + text.utf8.lazy.filter {
        $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "|") || $0 == UInt8(ascii: "\n")
      }.count
    return left >= 0
  }
}
