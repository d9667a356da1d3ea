import Text

/// One `key=value` of the command line, which replaces the recipe's value of the key.
struct RecipeOverride {
  let name: String
  let value: YAMLNode
  let position: SourcePosition

  /// Parses the text after `--set`.
  ///
  /// The value is YAML. However, for a text key, any text that is not a single YAML scalar is used literally, because prompts
  /// are full of brackets, colons and `#`.
  ///
  /// - Parameters:
  ///   - text: `key=value`.
  ///   - rank: The option's position among the others, from 1.
  /// - Throws: An error about the option, if it is not `key=value` or the value is not YAML.
  init(_ text: String, rank: Int) throws(RecipeErrors) {
    let text = text.withoutControls
    let position = SourcePosition(source: "--set " + Self.shown(text), line: 0, column: 0, rank: rank)
    guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
      throw RecipeErrors("found \"\(Self.shown(text))\", expected key=value", at: position)
    }
    self.position = position
    name = String(text[..<equals])
    let written = String(text[text.index(after: equals)...])
    guard RecipeKey.named(name)?.kind == .text else {
      value = try Self.parsed(written, at: position)
      return
    }
    let parsed = try? Self.parsed(written, at: position)
    value =
      parsed.flatMap { Self.isWhole($0, of: written) ? $0 : nil }
      ?? YAMLNode(.scalar(YAMLScalar(written, style: .doubleQuoted)), at: position)
  }

  /// The text after `--set` for messages and the effective recipe; the value is left out if it may be secret.
  static func shown(_ text: String) -> String {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { return Quoted.bounded(text) }
    let name = parts[0].trimmingBlanks.lowercased()
    // A misspelt key may mean the webhook too.
    let mayBeAddress = RecipeKey.named(name) == nil && parts[1].contains { $0 == "@" || $0 == "/" }
    let isSecret = name.hasPrefix("webhook") || mayBeAddress
    return isSecret ? Quoted.bounded(String(parts[0])) + "=..." : Quoted.bounded(text)
  }

  private static func parsed(_ written: String, at position: SourcePosition) throws(RecipeErrors) -> YAMLNode {
    let document = try YAMLDocument(Array(written.utf8)) { _, _ in position }
    var problems = document.problems
    let root = document.root?.withoutControls { problems.append(Diagnostic(.error, $0, at: $1)) }
    guard problems.isEmpty else { throw RecipeErrors(problems) }
    return root ?? YAMLNode(.scalar(YAMLScalar("")), at: position)
  }

  /// Whether the scalar is the whole text: YAML did not drop a comment or change its meaning.
  private static func isWhole(_ root: YAMLNode, of written: String) -> Bool {
    guard let scalar = root.scalar else { return false }
    let written = written.trimmingBlanks
    guard scalar.isQuoted else { return scalar.text == written }
    return ["\"", "'"].contains { written.hasPrefix($0) && written.hasSuffix($0) }
  }

  /// Sets the value in a recipe, and removes the key's axes from `grid` and `zip`.
  func apply(to root: YAMLNode) -> YAMLNode {
    guard var entries = root.entries else { return root }
    let entry = YAMLEntry(key: YAMLScalar(name), keyPosition: position, value: value)
    if let index = entries.firstIndex(where: { isSame($0) }) {
      entries[index] = entry
      let kept = entries[...index] + entries[(index + 1)...].filter { !isSame($0) }
      entries = Array(kept)
    } else {
      entries.append(entry)
    }
    if RecipeKey.named(name)?.isSetting == true { entries = entries.compactMap(withoutAxis) }
    // `nightly` is an axis of seeds too.
    if name == "seed", value.scalar.map(NightlySeries.isMeant) != true { entries.removeAll { $0.name == "nightly" } }
    return YAMLNode(.mapping(entries), at: root.position, isFlow: root.isFlow)
  }

  private func withoutAxis(_ entry: YAMLEntry) -> YAMLEntry? {
    var entry = entry
    switch entry.name {
    case "grid": return Self.replaced(&entry, by: without(entry.value))
    case "zip":
      guard let groups = entry.value.items else { return entry }
      let kept = groups.compactMap(without)
      return Self.replaced(
        &entry,
        by: kept.isEmpty ? nil : YAMLNode(.sequence(kept), at: entry.value.position, isFlow: entry.value.isFlow))
    default: return entry
    }
  }

  /// A mapping of axes without the key's axes; nil if none are left.
  private func without(_ axes: YAMLNode) -> YAMLNode? {
    guard let entries = axes.entries, entries.contains(where: isSame) else { return axes }
    let kept = entries.filter { !isSame($0) }
    return kept.isEmpty ? nil : YAMLNode(.mapping(kept), at: axes.position, isFlow: axes.isFlow)
  }

  private static func replaced(_ entry: inout YAMLEntry, by value: YAMLNode?) -> YAMLEntry? {
    guard let value else { return nil }
    entry.value = value
    return entry
  }

  /// Whether the entry sets the same key, under any of its names.
  private func isSame(_ entry: YAMLEntry) -> Bool {
    guard let key = RecipeKey.named(name) else { return entry.name == name }
    // A size replaces both width and height.
    if key.name == "size", ["width", "height"].contains(entry.name) { return true }
    return RecipeKey.named(entry.name) == key
  }
}

extension StringProtocol {
  var trimmingBlanks: String {
    let blanks: Set<Character> = [" ", "\t", "\n", "\r"]
    guard let first = firstIndex(where: { !blanks.contains($0) }), let last = lastIndex(where: { !blanks.contains($0) })
    else { return "" }
    return String(self[first...last])
  }
}
