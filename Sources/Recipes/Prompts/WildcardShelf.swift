import Foundation
import Prompts
import Settings

/// The lists that wildcards stand for: `wildcards/name.txt` beside the recipe, in `models/` there, or in a folder of
/// `$SDBATCH_MODELS`. Each is read once.
///
/// An entry may hold wildcards itself; it then stands for an entry of its own with each of theirs.
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

  /// The entries of a list; nothing when something is wrong with it, which is then among the findings.
  ///
  /// - Parameters:
  ///   - name: What stands between the underscores.
  ///   - position: Where it stands.
  /// - Returns: At least one entry.
  func entries(of name: String, at position: SourcePosition) -> [String]? {
    entries(of: name, at: position, within: [])
  }

  private func entries(of name: String, at position: SourcePosition, within outer: [String]) -> [String]? {
    if let list = lists[name] { return list }
    // Was told already.
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
      return fail("found a list that needs itself (\(Quoted.bounded(way))), expected none")
    }
    guard outer.count < 16 else { return fail("found more than 16 lists one in another, expected less") }
    guard !name.hasPrefix("/"), !name.split(separator: "/").contains(".."), !name.utf8.contains(0) else {
      return fail("found a name that leads out of the folder wildcards, expected one below it")
    }
    let folders = locator.places.map { $0 + "/wildcards" }
    let paths = folders.map { "\($0)/\(name).txt" }
    guard let path = paths.first(where: ModelLocator.isFile) else {
      return fail(
        "found no \(Quoted.bounded(name)).txt in \(SettingKind.list(folders)); expected a file with one entry a line, or "
          + "what the wildcard stands for as the value of a key \(Quoted.bounded(Wildcard.text(name))), or "
          + "enable_wildcards: false")
    }
    let text: String
    do {
      text = try TextFile.readText(path, expected: "a list with one entry a line")
    } catch {
      findings.add(error.diagnostics)
      return nil
    }
    return flattened(text, of: path, within: outer + [name], fail)
  }

  private func flattened(
    _ text: String, of path: String, within outer: [String], _ fail: (String) -> [String]?
  ) -> [String]? {
    var list: [String] = []
    // A carriage return and a line feed are one newline.
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    for (index, line) in lines.enumerated() {
      let entry = String(line).trimmingBlanks
      guard !entry.isEmpty, !entry.hasPrefix("#") else { continue }
      let place = SourcePosition(source: path, line: index + 1, column: 1, rank: SourcePosition.besides)
      guard let entries = written(out: entry, at: place, within: outer) else { return nil }
      for entry in entries {
        entriesLeft -= 1
        bytesLeft -= entry.utf8.count
        guard entriesLeft >= 0, bytesLeft >= 0 else {
          return fail("found too many entries, expected \(ValueBudget.limit) at most in the lists of one recipe")
        }
        list.append(entry)
      }
    }
    return list.isEmpty ? fail("found no entry in \(path), expected one a line") : list
  }

  /// The entry with each choice for the wildcards in it, the last varying fastest.
  private func written(out entry: String, at place: SourcePosition, within outer: [String]) -> [String]? {
    let names = Wildcard.names(in: entry)
    guard !names.isEmpty else { return [entry] }
    var choices: [[String: String]] = [[:]]
    for name in names {
      guard let inner = entries(of: name, at: place, within: outer) else { return nil }
      // Neither number is beyond the limit, so the product is an Int.
      guard choices.count * inner.count <= ValueBudget.limit else {
        findings.error(
          "found more than \(ValueBudget.limit) ways to write out \(Quoted.short(entry)), expected less", at: place)
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
