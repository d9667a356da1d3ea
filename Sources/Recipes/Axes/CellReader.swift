import Settings

/// Reads the cells of `exclude` and `include`.
struct CellReader {
  let values: ValueReader
  let findings: Findings
  /// The values of each axis by title; if titles are equal, the first one.
  private let titles: [String: [String: AxisValue]]
  /// Axes with errors. Their titles are unknown, so titles are not checked against them.
  private let broken: Set<String>

  init(values: ValueReader, findings: Findings, axes: [Axis], broken: Set<String>) {
    self.values = values
    self.findings = findings
    self.broken = broken
    var titles: [String: [String: AxisValue]] = [:]
    for axis in axes {
      titles[axis.name] = Dictionary(axis.named.map { ($0.value.title, $0.value) }, uniquingKeysWith: { a, _ in a })
    }
    self.titles = titles
  }

  // MARK: Exclude

  func filters(_ node: YAMLNode) -> [CellFilter] {
    mappings(node, of: "exclude").compactMap { entries, position in
      guard !entries.isEmpty else {
        findings.error("found an empty mapping, which would exclude every cell; expected {key: value}", at: position)
        return nil
      }
      let conditions = entries.compactMap(condition)
      return conditions.count == entries.count ? CellFilter(conditions: conditions, position: position) : nil
    }
  }

  private func condition(_ entry: YAMLEntry) -> CellFilter.Condition? {
    guard let (key, titles) = target(of: entry) else { return nil }
    var condition = CellFilter.Condition(name: PlotLabels.axisName(entry.name), key: key, values: [], titles: [])
    guard let scalars = scalars(entry, kind: key?.kind ?? .text) else { return nil }
    for (scalar, position) in scalars {
      let isTitle = titles[scalar.text] != nil
      if isTitle { condition.titles.insert(scalar.text) }
      guard let key else {
        if !isTitle {
          findings.error(
            "\(entry.name): found \(Quoted.short(scalar.text)), expected a title of this axis"
              + NearestName.hint(scalar.text, among: Array(titles.keys)), at: position)
          return nil
        }
        continue
      }
      do {
        for scalar in try numbers(scalar, for: key) {
          condition.values.insert(try values.value(of: scalar, for: key))
        }
      } catch {
        guard !isTitle, !broken.contains(key.name) else { continue }
        findings.error("\(entry.name): \(error.message)", at: position)
        return nil
      }
    }
    return condition
  }

  /// The numbers in a range in the form of the webui's plot, or the value itself.
  private func numbers(_ scalar: YAMLScalar, for key: RecipeKey) throws(ValueReader.Complaint) -> [YAMLScalar] {
    guard key.kind.hasProgressions else { return [scalar] }
    do throws(PlotRange.Complaint) {
      guard let range = try PlotRange.read(scalar.text, isWhole: key.kind.isWhole) else { return [scalar] }
      guard range.count <= ValueBudget.limit else {
        throw PlotRange.Complaint(message: "found \(range.count) numbers, expected \(ValueBudget.limit) at most")
      }
      return (0..<range.count).map { YAMLScalar(range.text(at: $0)) }
    } catch {
      throw ValueReader.Complaint(message: "in \(Quoted.bounded(scalar.text)): \(error.message)")
    }
  }

  /// The alternatives: one value, several values separated by bars or commas, or a list.
  private func scalars(_ entry: YAMLEntry, kind: SettingKind) -> [(YAMLScalar, SourcePosition)]? {
    let position = entry.value.position
    switch entry.value.content {
    case .scalar(let scalar):
      return ValueSplitter.pieces(of: scalar, kind: kind).map { ($0, position) }
    case .sequence(let items):
      let scalars = items.compactMap { item in item.scalar.map { ($0, item.position) } }
      if !scalars.isEmpty, scalars.count == items.count { return scalars }
    case .mapping: break
    }
    findings.error("\(entry.name): found \(entry.value.found), expected a value or a list of values", at: position)
    return nil
  }

  // MARK: Include

  func extras(_ node: YAMLNode) -> [ExtraCell] {
    let reader = KeyReader(values: values, findings: findings)
    return mappings(node, of: "include").compactMap { entries, position in
      var cell = ExtraCell(settings: [], positions: [], position: position)
      var isSound = true
      for entry in entries {
        guard let (key, titles) = target(of: entry) else {
          isSound = false
          continue
        }
        if let value = entry.value.scalar.flatMap({ titles[$0.text] }) {
          cell.settings += value.settings
          cell.positions.append(
            AxisPosition(name: PlotLabels.axisName(entry.name), value: value.text, title: value.title))
        } else if let key, let setting = reader.setting(key, of: entry, among: cell.settings) {
          cell.settings.append(setting)
          let text = AxisReader.text(entry.value, key)
          let title = entry.value.scalar.map { AxisReader.title($0, key) } ?? text
          cell.positions.append(AxisPosition(name: key.name, value: text, title: title))
        } else {
          if key == nil {
            findings.error(
              "\(entry.name): found \(entry.value.found), expected a title of this axis"
                + NearestName.hint(entry.value.scalar?.text ?? "", among: Array(titles.keys)),
              at: entry.value.position)
          }
          isSound = false
        }
      }
      return isSound && reader.checkTogether(cell.settings, in: entries) ? cell : nil
    }
  }

  // MARK: Both

  private func mappings(_ node: YAMLNode, of name: String) -> [(entries: [YAMLEntry], position: SourcePosition)] {
    guard let items = node.items else {
      let hint = node.entries == nil ? "" : "; put - before its first key"
      findings.error("\(name): found \(node.found), expected a list of mappings\(hint)", at: node.position)
      return []
    }
    return items.compactMap { item in
      guard let entries = item.entries else {
        findings.error("\(name): found \(item.found), expected a mapping such as {cfg_scale: 7}", at: item.position)
        return nil
      }
      return (entries, item.position)
    }
  }

  /// The key that an entry names, and the titles of the axis that it names. Both, if the axis has the name of a key.
  private func target(of entry: YAMLEntry) -> (RecipeKey?, [String: AxisValue])? {
    let key = PlotLabels.key(entry.name)
    let axis = titles[PlotLabels.axisName(entry.name)]
    if let key, key.isOfFiles {
      findings.error(key.refusalInCells, at: entry.keyPosition)
      return nil
    }
    if key?.isSetting == true || (key == nil && axis != nil) { return (key, axis ?? [:]) }
    guard !broken.contains(PlotLabels.axisName(entry.name)) else { return nil }
    findings.error(
      KeyReader.unknown(
        entry.name, expected: "a setting of a job or an axis",
        names: RecipeKey.settingNames + titles.keys.sorted() + broken.sorted()),
      at: entry.keyPosition)
    return nil
  }
}
