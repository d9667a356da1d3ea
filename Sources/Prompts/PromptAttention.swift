/// A prompt parted into runs of equal weight, by the webui's emphasis syntax.
///
/// `(text)` multiplies the weight by 1.1, `[text]` divides it by 1.1, `(text:1.3)` multiplies it by 1.3; brackets nest,
/// unclosed ones reach to the end, stray ones are text. A backslash before a bracket or a backslash makes it text;
/// any other backslash is dropped. The word `BREAK` begins a new chunk.
public struct PromptAttention: Hashable, Sendable {
  /// A part of the prompt with its weight.
  public struct Run: Hashable, Sendable {
    /// The text, without the syntax.
    public var text: String
    /// What the text's encoding is multiplied by.
    public var weight: Double

    /// A run with this weight.
    public init(text: String, weight: Double) {
      self.text = text
      self.weight = weight
    }

    /// Whether this is a `BREAK`: inside brackets its weight is another, and the webui takes it for a word.
    public var isBreak: Bool { weight == -1 && text.utf8.elementsEqual("BREAK".utf8) }
  }

  /// The runs in order, neighbours of different weight; one empty run for an empty prompt.
  public let runs: [Run]

  /// Parses `prompt`.
  ///
  /// Throws `weightNotANumber` for weights such as `1.1.1`, at which the webui fails too, and `weightTooLarge`.
  public init(_ prompt: String) throws(PromptError) {
    var parser = AttentionParser(prompt)
    runs = try parser.parse()
    if let run = runs.first(where: { !Float($0.weight).isFinite }) {
      throw .weightTooLarge(weight: run.weight, text: run.text)
    }
  }
}

/// Reads a prompt once, scalar by scalar: a combining mark after a bracket must not hide it.
private struct AttentionParser {
  private let scalars: [Unicode.Scalar]
  private var place = 0
  private var runs: [PromptAttention.Run] = []
  /// Where the open brackets began, as places in `runs`.
  private var roundStarts: [Int] = []
  private var squareStarts: [Int] = []

  init(_ prompt: String) {
    scalars = Array(prompt.unicodeScalars)
  }

  mutating func parse() throws(PromptError) -> [PromptAttention.Run] {
    while place < scalars.count {
      switch scalars[place] {
      case "\\": parseBackslash()
      case "(":
        roundStarts.append(runs.count)
        place += 1
      case "[":
        squareStarts.append(runs.count)
        place += 1
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

  /// A backslash that hides nothing leaves an empty run, which keeps apart what stands before and after it.
  private mutating func parseBackslash() {
    let escaped = scalars[(place + 1)...].prefix(1).prefix { "()[]\\".unicodeScalars.contains($0) }
    append(escaped)
    place = escaped.endIndex
  }

  /// Closes the bracket that was opened at `start`; one that was not opened is text.
  private mutating func close(_ start: Int?, factor: Double) {
    if let start {
      multiply(from: start, by: factor)
    } else {
      append(scalars[place...place])
    }
    place += 1
  }

  /// `: 1.2 )` closes the innermost round bracket; without one, or in any other form, the colon is text.
  private mutating func parseColon() throws(PromptError) {
    guard let (number, end) = weight(after: place) else {
      append(scalars[place...place])
      place += 1
      return
    }
    guard let start = roundStarts.popLast() else {
      append(scalars[place..<end])
      place = end
      return
    }
    guard let factor = scalars[number].number else {
      let before = String(scalars[..<number.lowerBound])
      throw .weightNotANumber(weight: String(scalars[number]), position: before.count + 1)
    }
    multiply(from: start, by: factor)
    place = end
  }

  private mutating func parseText() {
    let syntax = "\\()[]:".unicodeScalars
    let end = scalars[place...].firstIndex { syntax.contains($0) } ?? scalars.count
    appendParted(scalars[place..<end])
    place = end
  }

  private mutating func append(_ text: ArraySlice<Unicode.Scalar>, weight: Double = 1) {
    runs.append(PromptAttention.Run(text: String(text), weight: weight))
  }

  private mutating func multiply(from start: Int, by factor: Double) {
    for index in start..<runs.count { runs[index].weight *= factor }
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
  /// The place of the number in `:`, blanks, number, blanks, `)`, and the place after it all.
  private func weight(after colon: Int) -> (number: Range<Int>, end: Int)? {
    let start = skip(from: colon + 1, while: \.isBlank)
    var end = start
    if end < scalars.count, scalars[end] == "+" || scalars[end] == "-" { end += 1 }
    let digits = end
    end = skip(from: end) { $0 == "." || $0.digit != nil }
    let close = skip(from: end, while: \.isBlank)
    guard end > digits, close < scalars.count, scalars[close] == ")" else { return nil }
    return (start..<end, close + 1)
  }

  private func skip(from start: Int, while condition: (Unicode.Scalar) -> Bool) -> Int {
    scalars[start...].firstIndex { !condition($0) } ?? scalars.count
  }
}

// MARK: - BREAK

extension AttentionParser {
  /// Appends text, parted at each `BREAK` that is a word of its own; the blanks around it go with it.
  private mutating func appendParted(_ text: ArraySlice<Unicode.Scalar>) {
    let word = Array("BREAK".unicodeScalars)
    var start = text.startIndex
    var place = start
    while place + word.count <= text.endIndex {
      let end = place + word.count
      guard text[place..<end].elementsEqual(word), place == text.startIndex || !text[place - 1].isWord,
        end == text.endIndex || !text[end].isWord
      else {
        place += 1
        continue
      }
      let before = text[start..<place]
      let kept = before.lastIndex { !$0.isBlank }.map { $0 + 1 } ?? start
      append(text[start..<kept])
      append(text[place..<end], weight: -1)
      start = text[end...].firstIndex { !$0.isBlank } ?? text.endIndex
      place = start
    }
    append(text[start...])
  }
}
