import Text

extension JSONCursor {
  /// Reads a string and decodes its escapes.
  public mutating func string() throws(JSONError) -> String {
    guard take("\"") else { throw expected("a string") }
    let start = offset
    try skipPlain()
    if peek == UInt8(ascii: "\"") {
      defer { offset += 1 }
      return try decoded(start..<offset)
    }
    var text = try decoded(start..<offset)
    while !takeByte("\"") {
      guard takeByte("\\") else { throw expected("the end of the string that starts at byte \(start - 1)") }
      text.unicodeScalars.append(try escape())
      let run = offset
      try skipPlain()
      text += try decoded(run..<offset)
    }
    return text
  }

  /// Skips characters that mean themselves, eight bytes at a time; more of them may follow.
  mutating func skipPlainWords() {
    while offset + 8 <= bytes.count {
      let word = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      if word.hasByte(below: 0x20) || word.hasByte(UInt8(ascii: "\"")) || word.hasByte(UInt8(ascii: "\\")) { return }
      offset += 8
    }
  }

  /// Skips the characters up to the next quote or backslash.
  private mutating func skipPlain() throws(JSONError) {
    skipPlainWords()
    while let byte = peek, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
      guard byte >= 0x20 else { throw expected("an escaped control character") }
      offset += 1
    }
  }

  private mutating func escape() throws(JSONError) -> Unicode.Scalar {
    let start = offset - 1
    guard let byte = peek else { throw expected("an escape") }
    offset += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      var code = try codeUnit()
      if (0xD800..<0xDC00).contains(code), takeByte("\\"), takeByte("u") {
        let low = try codeUnit()
        guard (0xDC00..<0xE000).contains(low) else { break }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { break }
      return scalar
    default:
      throw JSONError(offset: start, reason: "the escape is invalid")
    }
    throw JSONError(offset: start, reason: "the escape is invalid: half of a surrogate pair")
  }

  private mutating func codeUnit() throws(JSONError) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = peek.flatMap(Hexadecimal.value) else { throw expected("a hexadecimal digit") }
      code = code << 4 | UInt32(digit)
      offset += 1
    }
    return code
  }

  private func decoded(_ range: Range<Int>) throws(JSONError) -> String {
    guard let text = String(validating: bytes[range], as: UTF8.self) else {
      throw JSONError(offset: range.lowerBound, reason: "the string is not valid UTF-8")
    }
    return text
  }
}

extension UInt64 {
  private static let ones: UInt64 = 0x0101_0101_0101_0101
  private static let highBits: UInt64 = 0x8080_8080_8080_8080

  /// Whether one of the eight bytes is below `limit`, which is at most 128.
  fileprivate func hasByte(below limit: UInt8) -> Bool {
    (self &- Self.ones &* UInt64(limit)) & ~self & Self.highBits != 0
  }

  /// Whether one of the eight bytes is this one.
  fileprivate func hasByte(_ byte: UInt8) -> Bool { (self ^ Self.ones &* UInt64(byte)).hasByte(below: 1) }
}
