/// Warns about prompts and values of prompt axes that YAML ends at a `#` where that is probably not intended: ` #` starts a
/// comment unless the text is in quotes.
struct CommentCheck {
  private let lines: [ArraySlice<UInt8>]
  private let findings: Findings

  /// Checks a recipe.
  ///
  /// - Parameters:
  ///   - root: The recipe, with positions in `text`.
  ///   - text: UTF-8.
  ///   - findings: Receives the warnings.
  static func check(_ root: YAMLNode, in text: [UInt8], _ findings: Findings) {
    guard text.contains(UInt8(ascii: "#")) else { return }
    let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    CommentCheck(lines: lines, findings: findings).visit(root, isText: false)
  }

  private func visit(_ node: YAMLNode, isText: Bool) {
    switch node.content {
    case .scalar(let scalar): if isText, !scalar.isQuoted { check(scalar.text, at: node.position) }
    case .sequence(let items): for item in items { visit(item, isText: isText) }
    case .mapping(let entries):
      for entry in entries { visit(entry.value, isText: isText || Self.holdsText(entry.name)) }
    }
  }

  private static func holdsText(_ name: String) -> Bool {
    ["prompt", "negative_prompt", "hr_prompt", "hr_negative_prompt"].contains(name) || PromptAxis.named(name) != nil
  }

  private func check(_ text: String, at position: SourcePosition) {
    guard lines.indices.contains(position.line - 1), position.column > 0 else { return }
    let line = String(decoding: lines[position.line - 1], as: UTF8.self).unicodeScalars.dropFirst(position.column - 1)
    let rest = String(String.UnicodeScalarView(line))
    // A text of several lines ends in another way.
    guard rest.hasPrefix(text) else { return }
    let words = String(rest.dropFirst(text.count).drop { $0 == " " || $0 == "\t" }).trimmingBlanks
    guard words.hasPrefix("#") else { return }
    let isCut = text.hasSuffix("||") || text.hasSuffix(",")
    // Users write a blank after the sign that starts a comment, or several signs.
    let isGlued = words.dropFirst().first.map { !$0.isWhitespace && $0 != "#" } ?? false
    guard isCut || isGlued else { return }
    findings.warning(
      "the text ends before \(Quoted.short(words)), which is a comment in YAML; put the text in quotes if it belongs to it",
      at: position)
  }
}
