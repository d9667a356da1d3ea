/// Wildcards in prompts: `__name__` stands for an entry of a list of that name.
///
/// A wildcard is no part of a longer word, and its name has no blanks, no two underscores in a row and none at either
/// end, so that `snake__case__word` and `______` are what they are, and `__a____b__` is two wildcards.
public enum Wildcard {
  /// The wildcard of a name.
  public static func text(_ name: String) -> String { "__" + name + "__" }

  /// The name, if the whole text is one wildcard.
  public static func name(_ text: String) -> String? {
    let scalars = Array(text.unicodeScalars)
    guard let found = next(in: scalars[...]), found.range == scalars.indices else { return nil }
    return found.name
  }

  /// The names of the wildcards of a text, each once, in the order in which they occur.
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

  /// The text with entries in the places of wildcards; what stands in an entry is not looked at again.
  ///
  /// - Parameters:
  ///   - text: A prompt.
  ///   - entries: By name; other wildcards stay as they are.
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

  /// File systems know none that are longer.
  private static let longestName = 255

  private static func mayHave(_ text: String) -> Bool { text.firstPlace(of: "__") != nil }

  private static func next(in text: ArraySlice<Unicode.Scalar>) -> (name: String, range: Range<Int>)? {
    next(in: text, of: Array(text))
  }

  /// The first wildcard of the rest of a text, which begins the text or follows a wildcard.
  private static func next(
    in rest: ArraySlice<Unicode.Scalar>, of whole: [Unicode.Scalar]
  ) -> (name: String, range: Range<Int>)? {
    func isMark(_ place: Int) -> Bool { place + 1 < whole.count && whole[place] == "_" && whole[place + 1] == "_" }
    /// Where a name may begin: behind two underscores, and no more.
    func begins(_ place: Int) -> Bool { isMark(place) && place + 2 < whole.count && whole[place + 2] != "_" }
    var start = rest.startIndex
    while start < rest.endIndex {
      defer { start += 1 }
      guard begins(start), start == rest.startIndex || !whole[start - 1].isWord else { continue }
      let first = start + 2
      var end = first
      while end < whole.count, end - first <= longestName, !whole[end].isBlank {
        if isMark(end) {
          let after = end + 2
          guard end > first, after == whole.count || !whole[after].isWord || begins(after) else { break }
          return (String(whole[first..<end]), start..<after)
        }
        end += 1
      }
    }
    return nil
  }
}
