/// The lines of a recipe. It finds the position of a character inside a scalar.
struct SourceText {
  private let lines: [[Unicode.Scalar]]
  private let path: String

  init(_ bytes: [UInt8], path: String) {
    self.path = path
    lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { line in
      Array(String(decoding: line, as: UTF8.self).unicodeScalars)
    }
  }

  /// The position of a character of a scalar's text.
  ///
  /// - Parameters:
  ///   - offset: The character, in Unicode scalars from 0.
  ///   - text: The scalar's text.
  ///   - start: The scalar's position.
  /// - Returns: The position; nil if the source does not contain exactly this text, for example because of an escape.
  func position(of offset: Int, in text: String, at start: SourcePosition) -> SourcePosition? {
    guard start.source == path, lines.indices.contains(start.line - 1), start.column > 0 else { return nil }
    let before = text.unicodeScalars.prefix(offset)
    let line = before.count { $0 == "\n" }
    let lineStart = before.lastIndex(of: "\n").map { before.distance(from: before.startIndex, to: $0) + 1 } ?? 0
    let column = offset - lineStart
    let written = lines[start.line - 1].dropFirst(start.column - 1)
    if let mark = written.first, mark == "|" || mark == ">" {
      // In a block scalar, the line of the text is at the end of the source's line.
      let textLine = Array(text.unicodeScalars.dropFirst(lineStart).prefix { $0 != "\n" })
      guard lines.indices.contains(start.line + line) else { return nil }
      let source = lines[start.line + line].filter { $0 != "\r" }
      guard source.count >= textLine.count, source.suffix(textLine.count).elementsEqual(textLine) else { return nil }
      return moved(start, line: start.line + line + 1, column: source.count - textLine.count + column + 1)
    }
    guard line == 0 else { return nil }
    let quote = written.first == "\"" || written.first == "'" ? 1 : 0
    guard written.dropFirst(quote).starts(with: before) else { return nil }
    return moved(start, line: start.line, column: start.column + quote + offset)
  }

  private func moved(_ start: SourcePosition, line: Int, column: Int) -> SourcePosition {
    SourcePosition(source: start.source, line: line, column: column, rank: start.rank)
  }

  /// The position of a character of an entry that starts at `start` and is written without escapes.
  static func shifted(_ start: SourcePosition, by offset: Int, in text: String) -> SourcePosition {
    let isOneLine = !text.unicodeScalars.contains("\n")
    guard isOneLine, start.source.hasSuffix(".txt"), start.line > 0 else { return start }
    return SourcePosition(source: start.source, line: start.line, column: start.column + offset, rank: start.rank)
  }
}
