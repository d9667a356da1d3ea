import Text

/// A line of the webui's script "Prompts from file or textbox" with options: `--prompt "a red fish" --steps 30`.
///
/// Words are split as in a POSIX shell, as in the script. A prompt may have several words.
struct PromptFileLine {
  /// An option and its value.
  struct Option: Equatable {
    var name: String
    var value: String
    /// The column of the option, from 1.
    var column: Int
    /// The column of the value, from 1.
    var valueColumn: Int
  }

  /// Why the line cannot be read.
  struct Problem: Error, Equatable {
    var message: String
    var column: Int
  }

  let options: [Option]

  /// Whether a line has options; other lines are prompts.
  static func hasOptions(_ line: String) -> Bool { line.utf8.starts(with: "--".utf8) }

  /// Reads a line.
  init(_ line: String) throws(Problem) {
    let words = try Self.words(Array(line.unicodeScalars))
    var options: [Option] = []
    var index = 0
    while index < words.count {
      let word = words[index]
      guard word.text.utf8.starts(with: "--".utf8) else {
        throw Problem(
          message:
            "found \(Quoted.short(word.text)), expected an option such as --steps; put a text of several words in "
            + "quotes", column: word.column)
      }
      let name = String(word.text.dropFirst(2))
      index += 1
      guard index < words.count else {
        throw Problem(message: "--\(Quoted.bounded(name)): found no value, expected one after it", column: word.column)
      }
      let first = words[index]
      var value = first.text
      index += 1
      if name == "prompt" || name == "negative_prompt" {
        while index < words.count, !words[index].text.utf8.starts(with: "--".utf8) {
          value += " " + words[index].text
          index += 1
        }
      }
      options.append(Option(name: name, value: value, column: word.column, valueColumn: first.textColumn))
    }
    self.options = options
  }

  private struct Word {
    var text: String
    var column: Int
    /// The column of the first character after an opening quote.
    var textColumn: Int
  }

  private static func words(_ line: [Unicode.Scalar]) throws(Problem) -> [Word] {
    var words: [Word] = []
    var index = 0
    while true {
      while index < line.count, PythonText.isSpace(line[index]) { index += 1 }
      guard index < line.count else { return words }
      let start = index
      var text = String.UnicodeScalarView()
      var quote: (sign: Unicode.Scalar, index: Int)?
      while index < line.count, quote != nil || !PythonText.isSpace(line[index]) {
        let scalar = line[index]
        switch (scalar, quote?.sign) {
        case ("\"", nil), ("'", nil): quote = (scalar, index)
        case (_, .some(let sign)) where scalar == sign: quote = nil
        case ("\\", "'"): text.append(scalar)
        case ("\\", let sign):
          guard index + 1 < line.count else {
            throw Problem(message: "found a backslash at the end, expected a character after it", column: index + 1)
          }
          index += 1
          // In double quotes, a backslash escapes only itself and the quote.
          if sign == "\"", line[index] != "\"", line[index] != "\\" { text.append("\\") }
          text.append(line[index])
        default: text.append(scalar)
        }
        index += 1
      }
      if let quote {
        throw Problem(message: "found an unclosed quote, expected a closing \(quote.sign)", column: quote.index + 1)
      }
      let isQuoted = line[start] == "\"" || line[start] == "'"
      words.append(Word(text: String(text), column: start + 1, textColumn: start + (isQuoted ? 2 : 1)))
    }
  }
}
