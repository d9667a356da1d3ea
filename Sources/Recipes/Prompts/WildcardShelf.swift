import Foundation
import Prompts
import Settings
import Text

/// The lists of wildcards: `wildcards/name.txt` next to the recipe, in its `models/`, or in a folder of
/// `$SDBATCH_MODELS`. Each is read once.
///
/// An entry may contain wildcards; it is then expanded with each of their entries.
final class WildcardShelf {
  private let locator: ModelLocator
  private let findings: Findings
  private var lists: [String: [String]] = [:]
  private var broken: Set<String> = []
  private var entriesLeft = ValueBudget.limit
  private var bytesLeft = 64 << 20

  init(locator: ModelLocator, findings: Findings) {
    self.locator = locator
    self.findings = findings
  }

  /// The entries of a list; nil, with an error reported, if it is not valid.
  ///
  /// - Parameters:
  ///   - name: The name between the underscores.
  ///   - position: The position of the wildcard.
  /// - Returns: At least one entry.
  func entries(of name: String, at position: SourcePosition) -> [String]? {
    entries(of: name, at: position, within: [])
  }

  private func entries(of name: String, at position: SourcePosition, within outer: [String]) -> [String]? {
    if let list = lists[name] { return list }
    // This has already been reported.
    if broken.contains(name) { return nil }
    let list = read(name, at: position, within: outer)
    if let list { lists[name] = list } else { broken.insert(name) }
    return list
  }

  private func read(_ name: String, at position: SourcePosition, within outer: [String]) -> [String]? {
    func fail(_ message: String) -> [String]? {
      findings.error("\(Quoted.bounded(Wildcard.text(name))): \(message)", at: position)
      return nil
    }
    guard !outer.contains(name) else {
      let way = (outer + [name]).map(Wildcard.text).joined(separator: " → ")
      return fail("found a list that includes itself (\(Quoted.bounded(way))), expected none")
    }
    guard outer.count < 16 else { return fail("found more than 16 nested lists, expected fewer") }
    guard !name.hasPrefix("/"), !name.split(separator: "/").contains(".."), !name.utf8.contains(0) else {
      return fail("found a name outside the folder wildcards, expected one inside it")
    }
    let folders = locator.folders.map { $0 + "/wildcards" }
    let paths = folders.map { "\($0)/\(name).txt" }
    guard let path = paths.first(where: ModelLocator.isFile) else {
      return fail(
        "found no \(Quoted.bounded(name)).txt in \(SettingKind.list(folders)); expected a file with one entry per "
          + "line, or a key \(Quoted.bounded(Wildcard.text(name))) with the replacement as its value, or "
          + "enable_wildcards: false")
    }
    let text: String
    do {
      text = try TextFile.readText(path, expected: "a list with one entry per line")
    } catch {
      findings.add(error.diagnostics)
      return nil
    }
    guard !text.utf8.contains(0) else {
      return fail("found a NUL character in \(path), expected a list in UTF-8")
    }
    return flattened(text, of: path, within: outer + [name], fail)
  }

  private func flattened(
    _ text: String, of path: String, within outer: [String], _ fail: (String) -> [String]?
  ) -> [String]? {
    var list: [String] = []
    // A carriage return followed by a line feed is one newline.
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    for (index, line) in lines.enumerated() {
      let entry = String(line).withoutControls.trimmingBlanks
      guard !entry.isEmpty, !entry.hasPrefix("#") else { continue }
      let position = SourcePosition(source: path, line: index + 1, column: 1, rank: SourcePosition.besides)
      guard let entries = expanded(entry, at: position, within: outer) else { return nil }
      for entry in entries {
        entriesLeft -= 1
        bytesLeft -= entry.utf8.count
        guard entriesLeft >= 0, bytesLeft >= 0 else {
          return fail("found too many entries, expected \(ValueBudget.limit) at most in the lists of one recipe")
        }
        list.append(entry)
      }
    }
    return list.isEmpty ? fail("found no entry in \(path), expected one per line") : list
  }

  /// The entry with each combination of its wildcards' entries; the last one varies fastest.
  private func expanded(_ entry: String, at position: SourcePosition, within outer: [String]) -> [String]? {
    let names = Wildcard.names(in: entry)
    guard !names.isEmpty else { return [entry] }
    var choices: [[String: String]] = [[:]]
    for name in names {
      guard let inner = entries(of: name, at: position, within: outer) else { return nil }
      // Neither number exceeds the limit, so the product does not overflow.
      guard choices.count * inner.count <= ValueBudget.limit else {
        findings.error(
          "found more than \(ValueBudget.limit) ways to expand \(Quoted.short(entry)), expected fewer", at: position)
        return nil
      }
      choices = choices.flatMap { choice in inner.map { choice.merging([name: $0]) { $1 } } }
    }
    return choices.map { Wildcard.replaced(in: entry, by: $0) }
  }
}

/// The entries of a list as the values of an axis.
struct WildcardRow: AxisRow {
  let key: RecipeKey
  let entries: [String]

  var count: Int { entries.count }
  var isNamed: Bool { false }

  func text(at index: Int) -> String { entries[index] }

  func setting(at index: Int) -> KeyValue { .text(entries[index]) }
}
