import Settings

/// Reads `sheet`.
struct SheetReader {
  let findings: Findings
  /// The names of the recipe's axes.
  let axes: [String]

  private static let names = ["x", "y", "super_x", "super_y", "pages"]

  /// The layout; nil for null and for a value that is not a mapping. Errors are added to the findings.
  func layout(_ node: YAMLNode) -> SheetLayout? {
    if node.isNull { return nil }
    guard let entries = node.entries else {
      findings.error("sheet: found \(node.found), expected \(SettingKind.sheet.expectation)", at: node.position)
      return nil
    }
    var layout = SheetLayout()
    var used: Set<String> = []
    for entry in entries {
      switch entry.name {
      case "x": layout.x = axis(entry.name, entry.value, &used)
      case "y": layout.y = axis(entry.name, entry.value, &used)
      case "super_x": layout.superX = axis(entry.name, entry.value, &used)
      case "super_y": layout.superY = axis(entry.name, entry.value, &used)
      case "pages":
        let nodes = entry.value.items ?? (entry.value.isNull ? [] : [entry.value])
        layout.pages = nodes.compactMap { axis(entry.name, $0, &used) }
      default:
        findings.error(
          KeyReader.unknown(entry.name, expected: SettingKind.list(Self.names), names: Self.names),
          at: entry.keyPosition)
      }
    }
    return layout
  }

  private func axis(_ direction: String, _ node: YAMLNode, _ used: inout Set<String>) -> String? {
    guard !node.isNull else { return nil }
    guard let text = node.scalar?.text else {
      findings.error("\(direction): found \(node.found), expected the name of an axis", at: node.position)
      return nil
    }
    let key = PlotLabels.key(text)
    let name = PlotLabels.axisName(text)
    guard axes.contains(name) else {
      if key?.isSetting == true {
        // This happens after --set, which removes an axis.
        findings.warning(
          "\(direction): found \(name), which is not an axis of this recipe; it is ignored", at: node.position)
      } else {
        findings.error(
          "\(direction): found \(Quoted.short(text)), expected the name of an axis"
            + (NearestName.find(text, among: axes).map { " (did you mean \"\($0)\"?)" }
              ?? (axes.isEmpty ? ", but there is none" : ": \(SettingKind.list(axes))")),
          at: node.position)
      }
      return nil
    }
    guard used.insert(name).inserted else {
      findings.error("\(direction): found \(name) a second time, expected every axis once", at: node.position)
      return nil
    }
    return name
  }
}
