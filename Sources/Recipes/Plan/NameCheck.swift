import Settings

/// Checks the pattern for file names.
struct NameCheck {
  let findings: Findings

  /// Reports what is wrong with a pattern.
  ///
  /// - Parameters:
  ///   - text: The pattern; empty for none.
  ///   - axes: The names of the axes, which are words too.
  ///   - position: The position of the pattern.
  func check(_ text: String, axes: [String], at position: SourcePosition) {
    if text.isEmpty { return }
    let pattern: FileNamePattern
    do {
      pattern = try FileNamePattern(text)
    } catch {
      findings.error("file_name: \(error.message)", at: position)
      return
    }
    let axes = Set(axes.map { $0.lowercased() })
    for word in pattern.otherWords where !axes.contains(word) && !FileNamePattern.isKey(word) && !word.hasPrefix("__") {
      let known = FileNamePattern.words + axes.sorted() + RecipeKey.settingNames
      findings.error(
        "file_name: found [\(word.abridgedWord)], expected a word such as [seed], the name of a key or of an axis"
          + NearestName.hint(word, among: known), at: position)
    }
  }
}

extension String {
  fileprivate var abridgedWord: String { count > 60 ? prefix(60) + "..." : self }
}
