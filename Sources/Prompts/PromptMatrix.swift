/// The webui's prompt matrix: `a|b|c` stands for a, and for a with every choice of b and c.
public struct PromptMatrix: Hashable, Sendable {
  /// What every combination has; nothing for the picture's own prompt.
  public var fixed: String?
  /// What a combination may have or not, without blanks and commas at its ends.
  public var parts: [String]
  /// Whether the fixed part comes last.
  public var putsAtStart = false
  /// Stands between the parts.
  public var delimiter = ", "

  /// A matrix of these parts, the fixed one first; where that is empty, the picture's own prompt takes its place.
  public init(_ parts: [String]) {
    fixed = parts.first.flatMap { $0.strippingBlanks.isEmpty ? nil : $0 }
    self.parts = parts.dropFirst().map { part in
      let stripped = part.strippingBlanks.utf8
      let comma = UInt8(ascii: ",")
      guard let first = stripped.firstIndex(where: { $0 != comma }),
        let last = stripped.lastIndex(where: { $0 != comma })
      else { return "" }
      return String(Substring(stripped[first...last]))
    }
  }

  /// The parts of a text with bars between them.
  public static func split(_ text: String) -> [String] {
    text.utf8.split(separator: UInt8(ascii: "|"), omittingEmptySubsequences: false).map { String(Substring($0)) }
  }

  /// How many combinations there are; `Int.max` where an `Int` is too small.
  public var count: Int { parts.count < Int.bitWidth - 1 ? 1 << parts.count : Int.max }

  /// The parts that a combination has: those whose bit is set in its number, which is below `count`.
  public func chosen(_ combination: Int) -> [String] {
    parts.indices.filter { combination >> $0 & 1 == 1 }.map { parts[$0] }
  }

  /// The prompt of a combination.
  ///
  /// - Parameters:
  ///   - combination: Its number, below `count`.
  ///   - own: The picture's own prompt.
  /// - Returns: The chosen parts with the fixed one.
  public func prompt(_ combination: Int, own: String) -> String {
    let fixed = [fixed ?? own]
    let chosen = chosen(combination)
    return (putsAtStart ? chosen + fixed : fixed + chosen).joined(separator: delimiter)
  }
}
