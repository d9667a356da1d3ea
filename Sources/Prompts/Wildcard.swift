import Text

/// Wildcards in prompts: `__name__` is replaced by an entry of the list with that name.
///
/// A wildcard is not part of a longer word. Its name has no white space, no two underscores in a row and none at either
/// end. So `snake__case__word` and `______` are plain text, and `__a____b__` is two wildcards.
public enum Wildcard {
  /// The wildcard with this name.
  public static func text(_ name: String) -> String { "__" + name + "__" }

  /// The name if the whole text is one wildcard, else nil.
  public static func name(_ text: String) -> String? {
    let scalars = Array(text.unicodeScalars)
    guard let found = next(in: scalars[...]), found.range == scalars.indices else { return nil }
    return found.name
  }

  /// The names of the wildcards in a text, each once, in the order in which they occur.
  public static func names(in text: String) -> [String] {
    guard mayHave(text) else { return [] }
    var names: [String] = []
    var seen: Set<String> = []
    let scalars = Array(text.unicodeScalars)
    var rest = scalars[...]
    while let found = next(in: rest, of: scalars) {
      if seen.insert(found.name).inserted { names.append(found.name) }
      rest = scalars[found.range.upperBound...]
    }
    return names
  }

  /// The text with its wildcards replaced by entries. Wildcards inside an entry are not replaced.
  ///
  /// - Parameters:
  ///   - text: A prompt.
  ///   - entries: The entries by name; other wildcards stay as they are.
  /// - Returns: The text with every occurrence replaced.
  public static func replaced(in text: String, by entries: [String: String]) -> String {
    guard !entries.isEmpty, mayHave(text) else { return text }
    var result = ""
    let scalars = Array(text.unicodeScalars)
    var rest = scalars[...]
    while let found = next(in: rest, of: scalars) {
      if let entry = entries[found.name] {
        result += String(rest[..<found.range.lowerBound]) + entry
      } else {
        result += String(rest[..<found.range.upperBound])
      }
      rest = scalars[found.range.upperBound...]
    }
    return result + String(rest)
  }

  /// No file system allows longer names.
  private static let longestName = 255

  private static func mayHave(_ text: String) -> Bool { text.firstRange(of: "__") != nil }

  private static func next(in text: ArraySlice<Unicode.Scalar>) -> (name: String, range: Range<Int>)? {
    next(in: text, of: Array(text))
  }

  /// The first wildcard in `rest`, which is the whole text or the part after a wildcard.
  private static func next(
    in rest: ArraySlice<Unicode.Scalar>, of whole: [Unicode.Scalar]
  ) -> (name: String, range: Range<Int>)? {
    func isMark(_ index: Int) -> Bool { index + 1 < whole.count && whole[index] == "_" && whole[index + 1] == "_" }
    /// Whether a name may start after this index: there are two underscores and no third.
    func begins(_ index: Int) -> Bool { isMark(index) && index + 2 < whole.count && whole[index + 2] != "_" }
    var start = rest.startIndex
    while start < rest.endIndex {
      defer { start += 1 }
      guard begins(start), start == rest.startIndex || !PythonText.isWord(whole[start - 1]) else { continue }
      let first = start + 2
      var end = first
      while end < whole.count, end - first <= longestName, !PythonText.isSpace(whole[end]) {
        if isMark(end) {
          let after = end + 2
          guard end > first, after == whole.count || !PythonText.isWord(whole[after]) || begins(after) else { break }
          return (String(whole[first..<end]), start..<after)
        }
        end += 1
      }
    }
    return nil
  }
}
