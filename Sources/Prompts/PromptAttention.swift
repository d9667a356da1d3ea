import Text

/// A prompt split into runs of equal weight, by the webui's emphasis syntax.
///
/// `(text)` multiplies the weight by 1.1, `[text]` divides it by 1.1, `(text:1.3)` multiplies it by 1.3; brackets nest.
/// An unclosed bracket reaches to the end; a closing bracket without an opening one is text. A bracket or backslash after a
/// backslash is text; any other backslash is dropped. The word `BREAK` starts a new chunk.
public struct PromptAttention: Hashable, Sendable {
  /// A part of the prompt with its weight.
  public struct Run: Hashable, Sendable {
    /// The text, without the syntax.
    public var text: String
    /// The factor that the text's encoding is multiplied by.
    public var weight: Double

    /// Creates a run with this weight.
    public init(text: String, weight: Double) {
      self.text = text
      self.weight = weight
    }

    /// Whether this is a `BREAK`. Inside brackets its weight is not -1, and the webui treats it as a word.
    public var isBreak: Bool { weight == -1 && text.utf8.elementsEqual("BREAK".utf8) }
  }

  /// The runs in order; neighbours differ in weight. An empty prompt has one empty run.
  public let runs: [Run]

  /// Parses `prompt`.
  ///
  /// Throws `weightNotANumber` for weights such as `1.1.1`, on which the webui fails too, and `weightTooLarge`.
  public init(_ prompt: String) throws(PromptError) {
    var parser = AttentionParser(prompt)
    runs = try parser.parse()
    if let run = runs.first(where: { !Float($0.weight).isFinite }) {
      throw .weightTooLarge(weight: run.weight, text: run.text)
    }
  }
}

/// Reads a prompt in one pass over its scalars. Read by characters, a combining mark after a bracket would hide the bracket.
private struct AttentionParser {
  private let scalars: [Unicode.Scalar]
  private var index = 0
  private var runs: [PromptAttention.Run] = []
  /// For each open bracket, the index of its first run in `runs`.
  private var roundStarts: [Int] = []
  private var squareStarts: [Int] = []

  init(_ prompt: String) {
    scalars = Array(prompt.unicodeScalars)
  }

  mutating func parse() throws(PromptError) -> [PromptAttention.Run] {
    while index < scalars.count {
      switch scalars[index] {
      case "\\": parseBackslash()
      case "(":
        roundStarts.append(runs.count)
        index += 1
      case "[":
        squareStarts.append(runs.count)
        index += 1
      case ")": close(roundStarts.popLast(), factor: 1.1)
      case "]": close(squareStarts.popLast(), factor: 1 / 1.1)
      case ":": try parseColon()
      default: parseText()
      }
    }
    for start in roundStarts { multiply(from: start, by: 1.1) }
    for start in squareStarts { multiply(from: start, by: 1 / 1.1) }
    return merged()
  }

  /// A backslash that escapes nothing leaves an empty run, which separates the text before and after it.
  private mutating func parseBackslash() {
    let escaped = scalars[(index + 1)...].prefix(1).prefix { "()[]\\".unicodeScalars.contains($0) }
    append(escaped)
    index = escaped.endIndex
  }

  /// Closes the bracket whose first run is `start`. Without an opening bracket it is text.
  private mutating func close(_ start: Int?, factor: Double) {
    if let start {
      multiply(from: start, by: factor)
    } else {
      append(scalars[index...index])
    }
    index += 1
  }

  /// `: 1.2 )` closes the innermost round bracket. Without an open one, or in any other form, the colon is text.
  private mutating func parseColon() throws(PromptError) {
    guard let (number, end) = weight(after: index) else {
      append(scalars[index...index])
      index += 1
      return
    }
    guard let start = roundStarts.popLast() else {
      append(scalars[index..<end])
      index = end
      return
    }
    guard let factor = PythonNumber.value(scalars[number]) else {
      let before = String(scalars[..<number.lowerBound])
      throw .weightNotANumber(weight: String(scalars[number]), position: before.count + 1)
    }
    multiply(from: start, by: factor)
    index = end
  }

  private mutating func parseText() {
    let syntax = "\\()[]:".unicodeScalars
    let end = scalars[index...].firstIndex { syntax.contains($0) } ?? scalars.count
    appendSplit(scalars[index..<end])
    index = end
  }

  private mutating func append(_ text: ArraySlice<Unicode.Scalar>, weight: Double = 1) {
    runs.append(PromptAttention.Run(text: String(text), weight: weight))
  }

  private mutating func multiply(from start: Int, by factor: Double) {
    for run in start..<runs.count { runs[run].weight *= factor }
  }

  private func merged() -> [PromptAttention.Run] {
    guard var current = runs.first else { return [PromptAttention.Run(text: "", weight: 1)] }
    var merged: [PromptAttention.Run] = []
    for run in runs.dropFirst() {
      if run.weight == current.weight {
        current.text.unicodeScalars.append(contentsOf: run.text.unicodeScalars)
      } else {
        merged.append(current)
        current = run
      }
    }
    return merged + [current]
  }
}

// MARK: - Weights

extension AttentionParser {
  /// Finds a colon, white space, a number, white space and `)`: the range of the number, and the index after the `)`.
  private func weight(after colon: Int) -> (number: Range<Int>, end: Int)? {
    let start = skip(from: colon + 1, while: PythonText.isSpace)
    var end = start
    if end < scalars.count, scalars[end] == "+" || scalars[end] == "-" { end += 1 }
    let digits = end
    end = skip(from: end) { $0 == "." || PythonText.digit($0) != nil }
    let close = skip(from: end, while: PythonText.isSpace)
    guard end > digits, close < scalars.count, scalars[close] == ")" else { return nil }
    return (start..<end, close + 1)
  }

  private func skip(from start: Int, while condition: (Unicode.Scalar) -> Bool) -> Int {
    scalars[start...].firstIndex { !condition($0) } ?? scalars.count
  }
}

// MARK: - BREAK

extension AttentionParser {
  /// Appends text, split at each `BREAK` that is a separate word. White space around the word is dropped.
  private mutating func appendSplit(_ text: ArraySlice<Unicode.Scalar>) {
    let word = Array("BREAK".unicodeScalars)
    var start = text.startIndex
    var index = start
    while index + word.count <= text.endIndex {
      let end = index + word.count
      guard text[index..<end].elementsEqual(word), index == text.startIndex || !PythonText.isWord(text[index - 1]),
        end == text.endIndex || !PythonText.isWord(text[end])
      else {
        index += 1
        continue
      }
      let before = text[start..<index]
      let kept = before.lastIndex { !PythonText.isSpace($0) }.map { $0 + 1 } ?? start
      append(text[start..<kept])
      append(text[index..<end], weight: -1)
      start = text[end...].firstIndex { !PythonText.isSpace($0) } ?? text.endIndex
      index = start
    }
    append(text[start...])
  }
}
