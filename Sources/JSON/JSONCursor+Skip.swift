extension JSONCursor {
  /// Skips a value. Only strings and brackets are recognised in it, which is fast.
  public mutating func skip() throws(JSONError) {
    skipSpace()
    switch peek {
    case UInt8(ascii: "\""): try skipString()
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      var open = 0
      repeat {
        switch peek {
        case UInt8(ascii: "\""):
          try skipString()
          continue
        case UInt8(ascii: "{"), UInt8(ascii: "["): open += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"): open -= 1
        case nil: throw expected("'}' or ']'")
        default: break
        }
        offset += 1
      } while open > 0
    default: _ = try value()
    }
  }

  private mutating func skipString() throws(JSONError) {
    offset += 1
    skipPlainWords()
    while let byte = peek, byte != UInt8(ascii: "\"") {
      offset += byte == UInt8(ascii: "\\") ? 2 : 1
      skipPlainWords()
    }
    guard takeByte("\"") else { throw expected("the end of a string") }
  }
}
