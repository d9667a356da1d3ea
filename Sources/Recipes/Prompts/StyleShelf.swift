import Foundation
import Prompts
import Settings
import Text

/// The styles that a recipe may name. Their files are read when the first style is looked up.
final class StyleShelf {
  private let locator: ModelLocator
  private let findings: Findings
  /// The files that the recipe names; nil if it names none.
  private let named: [(pattern: String, position: SourcePosition)]?
  private var shelf: Shelf?

  private struct Shelf {
    var styles: [String: PromptStyle] = [:]
    /// Names by their lower-case form.
    var folded: [String: [String]] = [:]
    var files: [String] = []
    /// Whether a file has errors, which have been reported.
    var isBroken = false
  }

  static let defaultFile = "styles.csv"

  /// Creates the shelf of the files that `styles_file` names, by default `styles.csv`.
  init(_ entry: YAMLEntry?, locator: ModelLocator, findings: Findings) {
    self.locator = locator
    self.findings = findings
    guard let value = entry?.value, !value.isNull else {
      named = nil
      return
    }
    named = (value.items ?? [value]).compactMap { node in
      guard let text = node.scalar?.text, !text.isEmpty, !text.utf8.contains(0) else {
        findings.error(
          "styles_file: found \(node.found), expected \(SettingKind.files.expectation)", at: node.position)
        return nil
      }
      return (text, node.position)
    }
    _ = read()
  }

  /// The style with this name; nil for `None`.
  func style(_ name: String) throws(ValueReader.Complaint) -> PromptStyle? {
    let shelf = read()
    if let style = shelf.styles[name] { return style }
    let others = shelf.folded[name.lowercased()] ?? []
    if others.count == 1, let style = shelf.styles[others[0]] { return style }
    if name.lowercased() == "none" { return nil }
    // The files' errors have been reported.
    if shelf.isBroken { return PromptStyle(name: name, prompt: "", negativePrompt: "") }
    guard !shelf.files.isEmpty else {
      throw ValueReader.Complaint(
        message: "found \(Quoted.short(name)), expected a style of \(Self.defaultFile), but there is none in "
          + "\(SettingKind.list(locator.folders)); styles_file names another file")
    }
    let hint =
      others.count > 1
      ? " (did you mean \(SettingKind.list(others.sorted().map { "\"\($0)\"" }))?)"
      : NearestName.hint(name, among: shelf.styles.keys.sorted())
    throw ValueReader.Complaint(
      message: "found \(Quoted.short(name)), expected a style of \(SettingKind.list(shelf.files))\(hint)")
  }

  // MARK: Files

  private func read() -> Shelf {
    if let shelf { return shelf }
    var read = Shelf()
    read.files = paths(&read.isBroken)
    for path in read.files {
      do {
        // As in the webui, later styles replace earlier ones with the same name.
        for style in try Self.styles(of: path) { read.styles[style.name] = style }
      } catch {
        findings.add(error.diagnostics)
        read.isBroken = true
      }
    }
    for name in read.styles.keys { read.folded[name.lowercased(), default: []].append(name) }
    shelf = read
    return read
  }

  private func paths(_ isBroken: inout Bool) -> [String] {
    guard let named else { return locator.file(Self.defaultFile).map { [$0] } ?? [] }
    var paths: [String] = []
    for (pattern, position) in named {
      let found =
        pattern.split(separator: "/").last.map { $0.contains("*") || $0.contains("?") } == true
        ? locator.files(like: pattern) : locator.file(pattern).map { [$0] } ?? []
      if found.isEmpty {
        findings.error(
          "styles_file: found \(Quoted.short(pattern)), expected a CSV file of styles, but there is none in "
            + locator.foldersLookedIn(for: pattern), at: position)
        isBroken = true
      }
      paths += found.filter { !paths.contains($0) }
    }
    return paths
  }

  /// The styles in a file, in order; lines whose name starts with `#` are comments.
  static func styles(of path: String) throws(RecipeErrors) -> [PromptStyle] {
    func position(_ line: Int) -> SourcePosition {
      SourcePosition(source: path, line: line, column: 1, rank: SourcePosition.besides)
    }
    let text = try TextFile.readText(path, expected: "a CSV file of styles")
    if let nul = text.utf8.firstIndex(of: 0) {
      let line = text[..<nul].utf8.lazy.filter { $0 == UInt8(ascii: "\n") }.count + 1
      throw RecipeErrors("found a NUL character, expected a CSV file of styles in UTF-8", at: position(line))
    }
    let rows: [CSVText.Row]
    do {
      rows = try CSVText.rows(text.withoutControls)
    } catch {
      throw RecipeErrors(
        "found an unclosed quote, expected a closing one at the end of the field", at: position(error.line))
    }
    guard let header = rows.first else { return [] }
    let names = header.fields.map { $0.trimmingBlanks.lowercased() }
    guard let nameColumn = names.lastIndex(of: "name"),
      let promptColumn = names.lastIndex(of: "prompt") ?? names.lastIndex(of: "text")
    else {
      throw RecipeErrors(
        "found the columns \(Quoted.short(header.fields.joined(separator: ","))), expected name,prompt,negative_prompt",
        at: position(header.line))
    }
    let negativeColumn = names.lastIndex(of: "negative_prompt")
    return rows.dropFirst().compactMap { row in
      func field(_ column: Int?) -> String { column.map { $0 < row.fields.count ? row.fields[$0] : "" } ?? "" }
      let name = field(nameColumn)
      guard !name.isEmpty, !name.hasPrefix("#") else { return nil }
      return PromptStyle(name: name, prompt: field(promptColumn), negativePrompt: field(negativeColumn))
    }
  }
}
