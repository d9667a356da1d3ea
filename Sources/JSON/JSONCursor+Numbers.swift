import Text

extension JSONCursor {
  /// Reads a number that has neither fraction nor exponent and fits an `Int`.
  public mutating func integer() throws(JSONError) -> Int {
    skipSpace()
    let start = offset
    let isWhole = try skipNumber()
    guard isWhole, let value = Int(exactly: start..<offset, in: bytes) else {
      throw JSONError(offset: start, reason: "an integer is expected, found \(text(from: start).abridged)")
    }
    return value
  }

  /// Reads a number; an integer that fits is exact.
  mutating func number() throws(JSONError) -> JSONValue {
    let start = offset
    let isWhole = try skipNumber()
    if isWhole, let integer = Int(exactly: start..<offset, in: bytes) { return .integer(Int64(integer)) }
    let written = text(from: start)
    guard let number = Double(written), number.isFinite else {
      throw JSONError(offset: start, reason: "the number \(written.abridged) is out of range")
    }
    return .number(number)
  }

  /// Skips a number; returns whether it has neither fraction nor exponent.
  mutating func skipNumber() throws(JSONError) -> Bool {
    let start = offset
    _ = takeByte("-")
    let leading = peek
    let count = digits()
    guard count > 0 else {
      offset = start
      throw expected("a JSON value")
    }
    guard count == 1 || leading != UInt8(ascii: "0") else {
      throw JSONError(offset: start, reason: "a number may not begin with 0, found \(text(from: start).abridged)")
    }
    let end = offset
    if takeByte("."), digits() == 0 { throw expected("a digit") }
    if takeByte("e") || takeByte("E") {
      if !takeByte("+") { _ = takeByte("-") }
      if digits() == 0 { throw expected("a digit") }
    }
    return offset == end
  }

  private mutating func digits() -> Int {
    let start = offset
    while let byte = peek, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { offset += 1 }
    return offset - start
  }

  /// The text from this offset to the current one.
  func text(from start: Int) -> String { String(decoding: bytes[start..<offset], as: UTF8.self) }
}

extension Int {
  /// The value of digits, perhaps with a minus before them; nil if it does not fit.
  fileprivate init?(exactly digits: Range<Int>, in bytes: UnsafeRawBufferPointer) {
    let isNegative = bytes[digits.lowerBound] == UInt8(ascii: "-")
    var value = 0
    for byte in bytes[digits].dropFirst(isNegative ? 1 : 0) {
      let digit = Int(byte - UInt8(ascii: "0"))
      let (tens, isTooLarge) = value.multipliedReportingOverflow(by: 10)
      // Negative numbers are summed downwards, because `Int.min` has no positive counterpart.
      let (sum, isBeyond) =
        isNegative ? tens.subtractingReportingOverflow(digit) : tens.addingReportingOverflow(digit)
      if isTooLarge || isBeyond { return nil }
      value = sum
    }
    self = value
  }
}
