/// What is wrong with a JSON text, and where.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Bytes from the start of the text; nil if the error has no single position.
  public var offset: Int?
  /// What was expected, and what was found.
  public var reason: String

  /// Creates an error.
  public init(offset: Int? = nil, reason: String) {
    self.offset = offset
    self.reason = reason
  }

  /// The reason and the offset, for texts of one line. For other texts see `JSONPosition`.
  public var description: String { offset.map { "\(reason) at byte \($0)" } ?? reason }
}

/// A position in a text as editors count it: lines and columns from 1, with one column per Unicode scalar.
public struct JSONPosition: Hashable, Sendable, CustomStringConvertible {
  /// The line, counted from 1.
  public var line = 1
  /// The column, counted from 1.
  public var column = 1

  /// The position of a byte.
  ///
  /// - Parameters:
  ///   - offset: Bytes before the position, as `JSONError` and `JSONCursor` count them.
  ///   - bytes: The whole text, whose lines end in LF, CR LF or CR.
  public init(offset: Int, in bytes: UnsafeRawBufferPointer) {
    var last: UInt8 = 0
    for byte in bytes.prefix(offset) {
      if byte == 0x0D || (byte == 0x0A && last != 0x0D) {
        line += 1
        column = 1
      } else if byte != 0x0A, byte & 0xC0 != 0x80 {
        column += 1
      }
      last = byte
    }
  }

  /// `line:column`.
  public var description: String { "\(line):\(column)" }
}
