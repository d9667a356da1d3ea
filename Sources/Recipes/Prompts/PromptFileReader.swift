import Foundation
import JSON
import Settings
import Text

/// Reads the files of `prompts_from`: each line or row is one value of an axis, and may set any keys.
///
/// * Text: one prompt for each line, or the options of the webui's script. Blank lines and lines that start with `#` are
/// skipped.
/// * `.csv` and `.tsv`: the first row names the keys.
/// * `.jsonl`: one object of keys for each line.
/// * `-`: text from the standard input.
struct PromptFileReader {
  let locator: ModelLocator
  let values: ValueReader
  let findings: Findings
  let environment: PlanningEnvironment

  static let axisName = "prompts_from"

  /// The axis of all files that a recipe names; nil, with errors reported, if one of them is not valid.
  func axis(_ node: YAMLNode, at position: SourcePosition) -> Axis? {
    var rows: [AxisValue] = []
    var isSound = true
    for item in node.items ?? [node] {
      // On the command line, --set prompts_from=- is a list with a null in YAML.
      if node.items?.count == 1, item.isNull {
        if let read = read("-", at: item.position) { rows += read } else { isSound = false }
        continue
      }
      guard let name = item.scalar?.text, !name.isEmpty, !name.utf8.contains(0) else {
        findings.error(
          "\(Self.axisName): found \(item.found), expected a file, or - for the standard input", at: item.position)
        isSound = false
        continue
      }
      if let read = read(name, at: item.position) { rows += read } else { isSound = false }
      guard rows.count <= ValueBudget.limit else {
        findings.error(
          "\(Self.axisName): found too many lines, expected \(ValueBudget.limit) at most in one recipe",
          at: item.position)
        return nil
      }
    }
    guard isSound else { return nil }
    guard !rows.isEmpty else {
      findings.error("\(Self.axisName): found no prompts, expected at least one", at: node.position)
      return nil
    }
    return Axis(name: Self.axisName, key: nil, runs: [.values(rows)], position: position)
  }

  private func read(_ name: String, at position: SourcePosition) -> [AxisValue]? {
    do throws(RecipeErrors) {
      if name == "-" {
        let text = try self.text(of: environment.standardInput(), path: "standard input")
        return lines(of: text, path: "standard input")
      }
      guard let path = locator.file(name) ?? Self.file(environment.expanded(name)) else {
        findings.error(
          "\(Self.axisName): found \(Quoted.short(name)), expected a file of prompts, but there is none in "
            + locator.foldersLookedIn(for: name), at: position)
        return nil
      }
      let text = try TextFile.readText(path, expected: "a file of prompts")
      try checkNUL(text, path)
      switch URL(fileURLWithPath: path).pathExtension.lowercased() {
      case "csv": return try table(text, path: path, separator: UInt8(ascii: ","))
      case "tsv": return try table(text, path: path, separator: UInt8(ascii: "\t"))
      case "jsonl", "ndjson": return try objects(text, path: path)
      default: return lines(of: text, path: path)
      }
    } catch {
      findings.add(error.diagnostics)
      return nil
    }
  }

  /// The file at a path that is relative to the current folder.
  private static func file(_ path: String) -> String? { ModelLocator.isFile(path) ? path : nil }

  private func text(of bytes: [UInt8]?, path: String) throws(RecipeErrors) -> String {
    guard let bytes, let text = String(validating: bytes, as: UTF8.self) else {
      throw RecipeErrors(
        bytes == nil ? "cannot be read, expected prompts" : "found bytes that are not UTF-8, expected prompts in UTF-8",
        at: Self.position(path, line: 0, column: 0))
    }
    try checkNUL(text, path)
    return text
  }

  private func checkNUL(_ text: String, _ path: String) throws(RecipeErrors) {
    guard let nul = text.utf8.firstIndex(of: 0) else { return }
    let line = text[..<nul].utf8.lazy.filter { $0 == UInt8(ascii: "\n") }.count + 1
    throw RecipeErrors(
      "found a NUL character, expected prompts in UTF-8", at: Self.position(path, line: line, column: 1))
  }

  private static func position(_ path: String, line: Int, column: Int) -> SourcePosition {
    SourcePosition(source: path, line: line, column: column, rank: SourcePosition.besides)
  }

  // MARK: Text

  private func lines(of text: String, path: String) -> [AxisValue]? {
    var rows: [AxisValue] = []
    var isSound = true
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
      let line = String(line).withoutControls
      let prompt = line.trimmingBlanks
      guard !prompt.isEmpty, !prompt.hasPrefix("#"), !findings.isFull else { continue }
      let column = line.unicodeScalars.prefix { $0 == " " || $0 == "\t" }.count + 1
      let position = Self.position(path, line: index + 1, column: column)
      if !PromptFileLine.hasOptions(prompt) {
        values.mentions.note(prompt, at: position)
        rows.append(
          Self.row(
            prompt, [prompt].compactMap { text in RecipeKey.named("prompt").map { Setting($0, .text(text)) } },
            at: position))
      } else if let row = options(prompt, at: position) {
        rows.append(contentsOf: row)
      } else {
        isSound = false
      }
    }
    return isSound ? rows : nil
  }

  private static func row(_ title: String, _ settings: [Setting], at position: SourcePosition) -> AxisValue {
    AxisValue(text: title, title: title, settings: settings, isNamed: true, position: position)
  }

  /// The images of a line with options; several for `--batch_size` and `--n_iter`.
  private func options(_ line: String, at position: SourcePosition) -> [AxisValue]? {
    func columnPosition(_ column: Int) -> SourcePosition {
      Self.position(position.source, line: position.line, column: position.column + column - 1)
    }
    let options: [PromptFileLine.Option]
    do throws(PromptFileLine.Problem) {
      options = try PromptFileLine(line).options
    } catch {
      findings.error(error.message, at: columnPosition(error.column))
      return nil
    }
    var entries: [YAMLEntry] = []
    var images = 1
    var isSound = true
    for option in options {
      switch option.name {
      case "batch_size", "n_iter":
        guard let count = Int(option.value), (1...10_000).contains(count), images * count <= 10_000 else {
          findings.error(
            "--\(option.name): found \(Quoted.short(option.value)), expected a whole number from 1 to 10000",
            at: columnPosition(option.valueColumn))
          isSound = false
          continue
        }
        images *= count
      // The text that the webui shows instead of the prompt, and the sheet, which has its own key here.
      case "prompt_for_display", "do_not_save_grid": break
      case "outpath_samples", "outpath_grids":
        findings.error(
          "found --\(option.name), but output names the folder; remove it", at: columnPosition(option.column))
        isSound = false
      default:
        let name = option.name == "sd_model" ? "model" : option.name
        // The script reads "true" as true, and every other text as false.
        let isFlag = RecipeKey.named(name)?.kind == .flag || name == "do_not_save_samples"
        let value = isFlag ? (option.value == "true" ? "true" : "false") : option.value
        if RefusedSetting.named(name)?.harmless.contains(value.lowercased()) == true { continue }
        let isText = RecipeKey.named(name)?.kind == .text
        entries.append(
          YAMLEntry(
            key: YAMLScalar(name), keyPosition: columnPosition(option.column),
            value: YAMLNode(
              .scalar(YAMLScalar(value, style: isText ? .doubleQuoted : .plain)), at: columnPosition(option.valueColumn)
            )))
      }
    }
    guard let first = row(entries, at: position), isSound else { return nil }
    guard images > 1 else { return [first] }
    return (0..<images).map { number in
      var row = first
      row.settings.append(Setting(.seedOffset, .integer(Int64(number))))
      row.title += " (\(number + 1) of \(images))"
      row.text = row.title
      return row
    }
  }

  // MARK: Tables

  private func table(_ text: String, path: String, separator: UInt8) throws(RecipeErrors) -> [AxisValue]? {
    let rows: [CSVText.Row]
    do throws(CSVText.Unclosed) {
      rows = try CSVText.rows(text.withoutControls, separator: separator)
    } catch {
      throw RecipeErrors(
        "found an unclosed quote, expected a closing one at the end of the field",
        at: Self.position(path, line: error.line, column: 1))
    }
    guard let header = rows.first else { return [] }
    let names = header.fields.map(\.trimmingBlanks)
    var isSound = true
    for (index, name) in names.enumerated() where !name.isEmpty {
      let position = Self.position(path, line: header.line, column: 1)
      if name != "title", Self.key(name)?.isSetting != true {
        findings.error(
          "column \(index + 1): "
            + KeyReader.unknown(
              name, expected: "a setting of a job or title", names: RecipeKey.settingNames + ["title"]),
          at: position)
        isSound = false
      } else if names[..<index].contains(name) {
        findings.error("column \(index + 1): found \(name) a second time, expected it once", at: position)
        isSound = false
      }
    }
    guard isSound else { return nil }
    var values: [AxisValue] = []
    for row in rows.dropFirst() where !findings.isFull {
      let position = Self.position(path, line: row.line, column: 1)
      guard row.fields.count <= names.count else {
        findings.error(
          "found \(row.fields.count) fields, expected \(names.count) at most, as in the first row; put a text with a "
            + "separator in quotes", at: position)
        isSound = false
        continue
      }
      let entries = zip(names, row.fields).filter { !$0.isEmpty && !$1.isEmpty }.map { name, field in
        let isText = name == "title" || Self.key(name)?.kind == .text
        return YAMLEntry(
          key: YAMLScalar(Self.key(name)?.name ?? name), keyPosition: position,
          value: YAMLNode(
            .scalar(isText ? YAMLScalar(field, style: .doubleQuoted) : YAMLScalar(field.trimmingBlanks)), at: position))
      }
      if let value = self.row(entries, at: position) { values.append(value) } else { isSound = false }
    }
    return isSound ? values : nil
  }

  private static func key(_ name: String) -> RecipeKey? { PlotLabels.key(name) }

  private func objects(_ text: String, path: String) throws(RecipeErrors) -> [AxisValue]? {
    let source = RequestText(Array(text.utf8), path: path)
    var rows: [AxisValue] = []
    var isSound = true
    for range in source.nonblankLines where !findings.isFull {
      let node = try source.value(in: range, findings).withoutControls { findings.error($0, at: $1) }
      guard let entries = node.entries else {
        findings.error("found \(node.found), expected an object of keys on each line", at: node.position)
        isSound = false
        continue
      }
      let kept = entries.filter { !$0.value.isNull }
      if let value = row(kept, at: node.position) { rows.append(value) } else { isSound = false }
    }
    return isSound ? rows : nil
  }

  // MARK: Values

  /// A value that sets keys; nil, with an error reported, if one of them is not valid.
  private func row(_ entries: [YAMLEntry], at position: SourcePosition) -> AxisValue? {
    let reader = KeyReader(values: values, findings: findings)
    var title: String?
    var prompt: String?
    var written: [String] = []
    var settings: [Setting] = []
    var isSound = true
    for entry in entries {
      if entry.name == "title" {
        title = entry.value.scalar?.text
        continue
      }
      guard let setting = reader.setting(of: entry, among: settings, or: ["title"]) else {
        isSound = false
        continue
      }
      settings.append(setting)
      let text = AxisReader.text(entry.value, setting.key)
      if setting.key.name == "prompt" { prompt = text } else { written.append("\(setting.key.name): \(text)") }
    }
    guard isSound, reader.checkTogether(settings, in: entries) else { return nil }
    let text = ([prompt].compactMap { $0 } + written).joined(separator: ", ")
    return Self.row(title ?? text, settings, at: position)
  }
}
