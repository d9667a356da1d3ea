import Text

/// A prompt split at the word `AND`, each part with its weight in guidance.
///
/// A part may end in `: 1.2`; without that its weight is 1. Only positive prompts are split: in negative prompts the word and
/// the number are text. Source: composable diffusion, Liu et al. 2022, arXiv:2206.01714, in the webui's syntax.
public struct PromptParts: Hashable, Sendable {
  /// One part.
  public struct Part: Hashable, Sendable {
    /// The text before the weight, without white space at its end.
    public var text: String
    /// The factor that the part's guidance is multiplied by.
    public var weight: Double

    /// Creates a part with this weight.
    public init(text: String, weight: Double = 1) {
      self.text = text
      self.weight = weight
    }
  }

  /// The parts in order, at least one; they may be empty.
  public let parts: [Part]

  /// Splits `prompt`.
  public init(_ prompt: String) {
    let scalars = Array(prompt.unicodeScalars)
    var parts: [Part] = []
    var start = 0
    var index = 0
    while index + 3 <= scalars.count {
      let end = index + 3
      guard scalars[index] == "A", scalars[index + 1] == "N", scalars[index + 2] == "D",
        index == 0 || !PythonText.isWord(scalars[index - 1]), end == scalars.count || !PythonText.isWord(scalars[end])
      else {
        index += 1
        continue
      }
      parts.append(Self.part(scalars[start..<index]))
      start = end
      index = end
    }
    self.parts = parts + [Self.part(scalars[start...])]
  }

  private static func part(_ text: ArraySlice<Unicode.Scalar>) -> Part {
    let text = trimmedAtEnd(text)
    let digits = (text.lastIndex { $0 != "." && PythonText.digit($0) == nil } ?? text.startIndex - 1) + 1
    var start = digits
    if start > text.startIndex, text[start - 1] == "+" || text[start - 1] == "-" { start -= 1 }
    let before = trimmedAtEnd(text[..<start])
    // `1.` is a number, but neither `.` nor `1.2.3` is.
    guard before.last == ":", let weight = PythonNumber.value(text[start...]),
      text[digits...].count(where: { $0 == "." }) < 2,
      text[digits...].contains(where: { $0 != "." })
    else { return Part(text: String(text)) }
    return Part(text: String(trimmedAtEnd(before.dropLast())), weight: weight)
  }

  private static func trimmedAtEnd(_ text: ArraySlice<Unicode.Scalar>) -> ArraySlice<Unicode.Scalar> {
    text[..<((text.lastIndex { !PythonText.isSpace($0) } ?? text.startIndex - 1) + 1)]
  }
}
