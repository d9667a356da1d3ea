import Text

/// The webui's prompt matrix: `a|b|c` means a alone, and a with every combination of b and c.
public struct PromptMatrix: Hashable, Sendable {
  /// The text in every combination; nil for the image's own prompt.
  public var fixed: String?
  /// The optional texts, without white space and commas at their ends.
  public var parts: [String]
  /// Whether the fixed part comes last.
  public var putsAtStart = false
  /// The text between the parts.
  public var delimiter = ", "

  /// Creates a matrix from these parts; the first one is fixed. If it is empty, the image's own prompt is used instead.
  public init(_ parts: [String]) {
    fixed = parts.first.flatMap { PythonText.stripped($0).isEmpty ? nil : $0 }
    self.parts = parts.dropFirst().map { part in
      let stripped = PythonText.stripped(part).utf8
      let comma = UInt8(ascii: ",")
      guard let first = stripped.firstIndex(where: { $0 != comma }),
        let last = stripped.lastIndex(where: { $0 != comma })
      else { return "" }
      return String(Substring(stripped[first...last]))
    }
  }

  /// Splits a text at its bars.
  public static func split(_ text: String) -> [String] {
    text.utf8.split(separator: UInt8(ascii: "|"), omittingEmptySubsequences: false).map { String(Substring($0)) }
  }

  /// The number of combinations; `Int.max` if there are more than an `Int` can count.
  public var count: Int { parts.count < Int.bitWidth - 1 ? 1 << parts.count : Int.max }

  /// The optional parts of a combination: those whose bit is set in its number, which is below `count`.
  public func chosen(_ combination: Int) -> [String] {
    parts.indices.filter { combination >> $0 & 1 == 1 }.map { parts[$0] }
  }

  /// The prompt of a combination.
  ///
  /// - Parameters:
  ///   - combination: Its number, below `count`.
  ///   - own: The image's own prompt.
  /// - Returns: The fixed part and the chosen ones.
  public func prompt(_ combination: Int, own: String) -> String {
    let fixed = [fixed ?? own]
    let chosen = chosen(combination)
    return (putsAtStart ? chosen + fixed : fixed + chosen).joined(separator: delimiter)
  }
}
