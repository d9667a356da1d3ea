import Settings

/// Reads a recipe's `nightly`: the number of seeds that each date adds, or `{count: 16, keep: 30}`.
struct NightlyReader {
  let findings: Findings

  private static let names = ["count", "keep"]

  /// The series; nil, with an error reported, if it is not valid.
  func series(_ entry: YAMLEntry) -> NightlySeries? {
    let node = entry.value
    var series = NightlySeries(position: entry.keyPosition)
    guard let entries = node.entries else {
      guard let count = number(node, of: "nightly", NightlySeries.range) else { return nil }
      series.count = count
      return series
    }
    if entries.isEmpty {
      findings.error("nightly: found an empty mapping, expected \(SettingKind.nights.expectation)", at: node.position)
      return nil
    }
    var isValid = true
    for entry in entries {
      switch entry.name {
      case "count": series.count = number(entry.value, of: entry.name, NightlySeries.range)
      case "keep": series.keep = number(entry.value, of: entry.name, NightlySeries.keepRange)
      default:
        findings.error(
          KeyReader.unknown(entry.name, expected: SettingKind.list(Self.names), names: Self.names),
          at: entry.keyPosition)
        isValid = false
      }
      if entry.name == "count", series.count == nil { isValid = false }
    }
    return isValid ? series : nil
  }

  private func number(_ node: YAMLNode, of name: String, _ range: ClosedRange<Int>) -> Int? {
    if let text = node.scalar?.text, !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      let number = Int(text), range.contains(number)
    {
      return number
    }
    findings.error(
      "\(name): found \(node.found), expected a whole number from \(range.lowerBound) to \(range.upperBound)",
      at: node.position)
    return nil
  }
}
