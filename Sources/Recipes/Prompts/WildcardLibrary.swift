import Foundation
import Prompts
import Settings
import Text

/// The lists that wildcards of dynamic prompts name: files `wildcards/NAME.txt`, and the keys of YAML and JSON files in the
/// same folders.
///
/// A file is read when a wildcard first names it.
final class WildcardLibrary {
  private let folders: [String]
  private let findings: Findings
  private let stripsComments: Bool
  /// The lists by the names and patterns that were looked up; nil for those that do not exist.
  private var lists: [String: DynamicList?] = [:]
  /// Every list by its name; nil until a list is needed that is not simply a text file.
  private var shelf: [String: Source]?
  /// The entries of text files that have been read, by path; nil for a file with an error.
  private var files: [String: [Entry]?] = [:]
  private var origins: [(text: String, position: SourcePosition)] = []
  private var entriesLeft = ValueBudget.limit
  private var bytesLeft = 64 << 20
  private var filesLeft = 20_000
  private var isFull = false

  /// The location of a list.
  private enum Source {
    case file(String)
    case entries([Entry])
  }

  private struct Entry {
    var text: String
    var weight: Double
    var position: SourcePosition
  }

  /// Creates the library.
  ///
  /// - Parameters:
  ///   - locator: Provides the folders.
  ///   - stripsComments: Whether `#` in an entry starts a comment.
  ///   - findings: Receives errors of files.
  init(locator: ModelLocator, stripsComments: Bool, findings: Findings) {
    folders = locator.folders.map { $0 + "/wildcards" }
    self.stripsComments = stripsComments
    self.findings = findings
  }

  /// What messages say is expected instead of a wildcard without a list.
  var expectation: String {
    "its name.txt, or a YAML or JSON file with this key, in \(SettingKind.list(folders)), or enable_wildcards: false"
  }

  /// The text of an entry and its position.
  func origin(of entry: Int) -> (text: String, position: SourcePosition)? {
    origins.indices.contains(entry) ? origins[entry] : nil
  }

  /// The list for a name or pattern; nil if there is none. An error with an empty message has already been reported.
  func list(_ name: String, at offset: Int, in entry: Int?) throws(DynamicPromptError) -> DynamicList? {
    if let known = lists[name] { return known }
    guard !name.split(separator: "/").contains(".."), !name.utf8.contains(0), !name.isEmpty else {
      throw DynamicPromptError(
        "found the wildcard \(Quoted.short(name)), expected one inside the folder wildcards", at: offset, in: entry)
    }
    let list = try made(name)
    lists[name] = .some(list)
    return list
  }

  private func made(_ name: String) throws(DynamicPromptError) -> DynamicList? {
    let entries = try found(name)
    guard let entries else { return nil }
    // One entry for each text, in the order of their characters, as in sd-dynamic-prompts.
    var weights: [[UInt8]: (entry: Entry, weights: Set<Double>)] = [:]
    for entry in entries where entry.weight > 0 {
      weights[Array(entry.text.utf8), default: (entry, [])].weights.insert(entry.weight)
    }
    var parsed: [DynamicList.Entry] = []
    var isSound = true
    for (_, (entry, all)) in weights.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
      do {
        origins.append((entry.text, entry.position))
        parsed.append(
          DynamicList.Entry(
            try DynamicPrompt(entry.text), weight: all.sorted().reduce(0, +), number: origins.count - 1))
      } catch {
        isSound = false
        findings.error(error.message, at: SourceText.shifted(entry.position, by: error.offset, in: entry.text))
      }
    }
    guard isSound else { throw .reported }
    guard !parsed.isEmpty else {
      findings.error(
        "found no entry of __\(Quoted.bounded(name))__, expected at least one with a weight above 0",
        at: entries.first?.position ?? SourcePosition(source: name, line: 0, column: 0, rank: SourcePosition.besides))
      throw .reported
    }
    return DynamicList(parsed)
  }

  /// The entries of all lists with this name; nil if there is no such list.
  private func found(_ name: String) throws(DynamicPromptError) -> [Entry]? {
    let isPattern = name.contains { "*?[".contains($0) }
    if !isPattern, let path = folders.map({ "\($0)/\(name).txt" }).first(where: ModelLocator.isFile) {
      return try entries(of: path)
    }
    let shelf = try index()
    for pattern in name.hasPrefix("**") ? [name] : [name, "**/" + name] {
      let glob = NamePattern(pattern)
      let names = shelf.keys.filter { pattern == $0 || glob.matches($0) }.sorted()
      if names.isEmpty { continue }
      var all: [Entry] = []
      for name in names {
        switch shelf[name] {
        case .file(let path): all += try entries(of: path)
        case .entries(let entries): all += entries
        case nil: break
        }
      }
      return all
    }
    return nil
  }

  // MARK: Files

  private func take(_ entry: Entry) throws(DynamicPromptError) {
    entriesLeft -= 1
    bytesLeft -= entry.text.utf8.count
    guard entriesLeft >= 0, bytesLeft >= 0 else {
      if !isFull {
        findings.error(
          "found too many entries, expected \(ValueBudget.limit) at most in the lists of one recipe", at: entry.position
        )
      }
      isFull = true
      throw .reported
    }
  }

  private func entries(of path: String) throws(DynamicPromptError) -> [Entry] {
    if let known = files[path] {
      guard let known else { throw .reported }
      return known
    }
    do {
      let entries = try lines(of: path)
      files[path] = entries
      return entries
    } catch {
      files[path] = .some(nil)
      throw error
    }
  }

  /// The lines of a text file that are neither blank nor comments.
  private func lines(of path: String) throws(DynamicPromptError) -> [Entry] {
    let text = try self.text(of: path)
    var entries: [Entry] = []
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
      let text = String(line).withoutControls
      let entry = text.trimmingBlanks
      guard !entry.isEmpty, !entry.hasPrefix("#") else { continue }
      let column = text.unicodeScalars.prefix { $0 == " " || $0 == "\t" }.count + 1
      let position = SourcePosition(source: path, line: index + 1, column: column, rank: SourcePosition.besides)
      entries.append(Entry(text: withoutComments(entry), weight: 1, position: position))
      try take(entries[entries.count - 1])
    }
    return entries
  }

  private func text(of path: String) throws(DynamicPromptError) -> String {
    do {
      let text = try TextFile.readText(path, expected: "a list with one entry per line")
      guard !text.utf8.contains(0) else {
        findings.error(
          "found a NUL character, expected a list in UTF-8",
          at: SourcePosition(source: path, line: 0, column: 0, rank: SourcePosition.besides))
        throw DynamicPromptError.reported
      }
      return text
    } catch let error as RecipeErrors {
      findings.add(error.diagnostics)
    } catch {}
    throw .reported
  }

  private func withoutComments(_ entry: String) -> String {
    guard stripsComments, entry.unicodeScalars.contains("#") else { return entry }
    let stripped = PromptComments.stripped(entry)
    // A comment at the end leaves the end of its line.
    return entry.last?.isNewline != true && stripped.last?.isNewline == true ? String(stripped.dropLast()) : stripped
  }

  // MARK: Trees

  /// All lists of the folders; if two lists have the same name, the one in the earlier folder is used.
  private func index() throws(DynamicPromptError) -> [String: Source] {
    if let shelf { return shelf }
    var all: [String: Source] = [:]
    for folder in folders {
      var own: [String: Source] = [:]
      try read(folder, named: "", depth: 0, into: &own)
      all.merge(own) { first, _ in first }
    }
    shelf = all
    return all
  }

  private func read(
    _ folder: String, named prefix: String, depth: Int, into lists: inout [String: Source]
  ) throws(DynamicPromptError) {
    guard depth < 16, let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else { return }
    for name in names.sorted() where !name.hasPrefix(".") {
      filesLeft -= 1
      guard filesLeft >= 0 else {
        if filesLeft == -1 {
          findings.error(
            "found more than 20000 files, expected fewer",
            at: SourcePosition(source: folder, line: 0, column: 0, rank: SourcePosition.besides))
        }
        throw .reported
      }
      let path = folder + "/" + name
      if !ModelLocator.isFile(path) {
        try read(path, named: prefix + name + "/", depth: depth + 1, into: &lists)
        continue
      }
      guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { continue }
      let stem = prefix + name[..<dot]
      switch name[name.index(after: dot)...] {
      case "txt": lists[stem] = .file(path)
      case "yaml", "yml", "json": try readTree(path, stem: stem, prefix: prefix, into: &lists)
      default: break
      }
    }
  }

  /// Reads a YAML or JSON file: a mapping whose keys lead to lists, or one list with the file's name.
  private func readTree(
    _ path: String, stem: String, prefix: String, into lists: inout [String: Source]
  ) throws(DynamicPromptError) {
    let root: YAMLNode?
    do {
      let text = try self.text(of: path)
      root =
        path.hasSuffix(".json")
        ? try RequestText(Array(text.utf8), path: path).value(in: 0..<text.utf8.count, findings)
        : try YAMLDocument(Array(text.utf8)) {
          SourcePosition(source: path, line: $0, column: $1, rank: SourcePosition.besides)
        }.root
    } catch let error as RecipeErrors {
      // A damaged file next to the one that is needed does not stop the recipe.
      for diagnostic in error.diagnostics { findings.warning(diagnostic.message, at: diagnostic.position) }
      return
    } catch { throw .reported }
    guard let root = root?.withoutControls({ findings.error($0, at: $1) }) else { return }
    if root.items != nil { return lists[stem] = .entries(try entries(in: root)) }
    try readKeys(of: root, prefix, depth: 0, into: &lists)
  }

  private func readKeys(
    of node: YAMLNode, _ prefix: String, depth: Int, into lists: inout [String: Source]
  ) throws(DynamicPromptError) {
    guard depth < 16 else { return }
    for entry in node.entries ?? [] {
      let name = DynamicList.name(prefix + entry.name)
      switch entry.value.content {
      case .sequence: lists[name] = .entries(try entries(in: entry.value))
      case .mapping: try readKeys(of: entry.value, name + "/", depth: depth + 1, into: &lists)
      // A single text is a list with one entry; numbers are settings of other programs.
      case .scalar(let scalar) where scalar.coreValue == .text && !scalar.text.isEmpty:
        lists[name] = .entries(try entries(in: YAMLNode(.sequence([entry.value]), at: entry.value.position)))
      case .scalar: break
      }
    }
  }

  /// The entries of a list: texts, texts with a weight (`3::text`), and mappings of `text` or `content` and `weight`.
  private func entries(in node: YAMLNode) throws(DynamicPromptError) -> [Entry] {
    var entries: [Entry] = []
    for item in node.items ?? [] {
      var text: String?
      var weight = 1.0
      if let scalar = item.scalar {
        text = scalar.isNull ? nil : scalar.text
        if let first = scalar.text.unicodeScalars.first, ("0"..."9").contains(first),
          let mark = scalar.text.range(of: "::", options: .backwards),
          let number = Double(scalar.text[..<mark.lowerBound].trimmingBlanks)
        {
          (text, weight) = (String(scalar.text[mark.upperBound...]), number)
        }
      } else if let members = item.entries {
        func member(_ name: String) -> YAMLNode? { members.first { $0.name == name }?.value }
        text = (member("text") ?? member("content"))?.scalar?.text
        if let written = member("weight")?.scalar?.text { weight = Double(written) ?? -1 }
      }
      guard let text, !text.isEmpty else { continue }
      guard weight >= 0, weight <= 1e15 else {
        findings.error("found the weight \(weight), expected a number from 0 to 1e15", at: item.position)
        throw .reported
      }
      entries.append(Entry(text: withoutComments(text), weight: weight, position: item.position))
      try take(entries[entries.count - 1])
    }
    return entries
  }
}

extension DynamicPromptError {
  /// An error that has already been added to the findings.
  static let reported = DynamicPromptError("", at: 0)

  /// Whether the error has already been added to the findings.
  var isReported: Bool { message.isEmpty }
}

/// A pattern of names, as Python's `fnmatch` reads it: `*` and `?` match slashes too; `[abc]` and `[!abc]` match one character.
struct NamePattern {
  private enum Part {
    case one(Unicode.Scalar)
    case any
    case run
    case set([ClosedRange<Unicode.Scalar>], isInverted: Bool)
  }

  private let parts: [Part]

  init(_ pattern: String) {
    let scalars = Array(pattern.unicodeScalars)
    var parts: [Part] = []
    var index = 0
    while index < scalars.count {
      switch scalars[index] {
      case "*": parts.append(.run)
      case "?": parts.append(.any)
      case "[":
        let isInverted = index + 1 < scalars.count && scalars[index + 1] == "!"
        let first = index + (isInverted ? 2 : 1)
        // A bracket that comes first is part of the set.
        guard first < scalars.count, let end = scalars[(first + 1)...].firstIndex(of: "]") else {
          parts.append(.one("["))
          break
        }
        parts.append(.set(Self.ranges(Array(scalars[first..<end])), isInverted: isInverted))
        index = end
      default: parts.append(.one(scalars[index]))
      }
      index += 1
    }
    self.parts = parts
  }

  private static func ranges(_ scalars: [Unicode.Scalar]) -> [ClosedRange<Unicode.Scalar>] {
    var ranges: [ClosedRange<Unicode.Scalar>] = []
    var index = 0
    while index < scalars.count {
      if index + 2 < scalars.count, scalars[index + 1] == "-" {
        if scalars[index] <= scalars[index + 2] { ranges.append(scalars[index]...scalars[index + 2]) }
        index += 3
      } else {
        ranges.append(scalars[index]...scalars[index])
        index += 1
      }
    }
    return ranges
  }

  /// Whether the whole name matches.
  func matches(_ name: String) -> Bool {
    let scalars = Array(name.unicodeScalars)
    var (part, index) = (0, 0)
    // The position for the next attempt: one scalar after the start of the last run.
    var again: (part: Int, index: Int)?
    while index < scalars.count {
      if part < parts.count {
        if case .run = parts[part] {
          again = (part + 1, index)
          part += 1
          continue
        }
        if Self.matches(parts[part], scalars[index]) {
          part += 1
          index += 1
          continue
        }
      }
      guard let last = again else { return false }
      again = (last.part, last.index + 1)
      (part, index) = (last.part, last.index + 1)
    }
    return parts[part...].allSatisfy { if case .run = $0 { true } else { false } }
  }

  private static func matches(_ part: Part, _ scalar: Unicode.Scalar) -> Bool {
    switch part {
    case .one(let wanted): scalar == wanted
    case .any, .run: true
    case .set(let ranges, let isInverted): ranges.contains { $0.contains(scalar) } != isInverted
    }
  }
}
