/// Comma-separated values, as Python's `csv` reads them with `skipinitialspace`; the webui reads its styles and the values of
/// its plot this way. Unlike in Python, an unclosed quote is an error.
package enum CSVText {
  /// One row; blank lines are skipped.
  package struct Row: Equatable {
    /// The line where the row starts, from 1.
    package var line: Int
    package var fields: [String]
  }

  /// An unclosed quote.
  package struct Unclosed: Error {
    /// The line of the quote, from 1.
    package var line: Int
  }

  private enum State {
    case fieldStart, plain, quoted, quoteInQuoted
  }

  /// Reads all rows; `separator` separates two fields: a comma, or a tab.
  package static func rows(
    _ text: some StringProtocol, separator: UInt8 = UInt8(ascii: ",")
  ) throws(Unclosed) -> [Row] {
    var rows: [Row] = []
    var fields: [String] = []
    var field: [UInt8] = []
    var state = State.fieldStart
    var (line, rowLine, quoteLine) = (1, 1, 1)
    var isBlank = true
    func endField() {
      fields.append(String(decoding: field, as: UTF8.self))
      field.removeAll(keepingCapacity: true)
      state = .fieldStart
    }
    func endRow() {
      if !isBlank {
        endField()
        rows.append(Row(line: rowLine, fields: fields))
      }
      fields = []
      state = .fieldStart
      isBlank = true
    }
    var last: UInt8 = 0
    for byte in text.utf8 {
      // A carriage return followed by a line feed is one line end.
      let isEnd = byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
      let isSecond = byte == UInt8(ascii: "\n") && last == UInt8(ascii: "\r")
      last = byte
      if state == .quoted {
        if byte == UInt8(ascii: "\"") { state = .quoteInQuoted } else { field.append(byte) }
      } else if isEnd {
        if !isSecond { endRow() }
      } else {
        if isBlank { rowLine = line }
        isBlank = false
        switch (byte, state) {
        case (separator, _): endField()
        case (UInt8(ascii: "\""), .fieldStart):
          state = .quoted
          quoteLine = line
        case (UInt8(ascii: "\""), .quoteInQuoted):
          field.append(byte)
          state = .quoted
        case (UInt8(ascii: " "), .fieldStart): break
        default:
          field.append(byte)
          state = .plain
        }
      }
      if isEnd, !isSecond { line += 1 }
    }
    guard state != .quoted else { throw Unclosed(line: quoteLine) }
    endRow()
    return rows
  }
}
