/// What is wrong with a JSON text, and where.
package struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Bytes from the start of the text; nothing when the fault is not at one place.
  package var offset: Int?
  package var reason: String

  package var description: String { offset.map { "\(reason) at byte \($0)" } ?? reason }
}

/// Reads JSON (RFC 8259) from bytes, one value after the other, without building a tree.
///
/// Stricter than Foundation's readers where it matters for files from anywhere: a repeated key is an error, integers are
/// exact, and depth is bounded.
package struct JSONCursor {
  private static let depthLimit = 64

  private let bytes: UnsafeRawBufferPointer
  private var position = 0
  private var depth = 0

  /// Starts at the first of `bytes`, which must outlive the cursor.
  package init(_ bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
  }

  /// Reads an object, handing each key to `member`, which reads that key's value.
  package mutating func object(
    _ member: (inout JSONCursor, String) throws(JSONError) -> Void
  ) throws(JSONError) {
    try open("{", "an object")
    var keys = Set<String>()
    if !take("}") {
      repeat {
        skipSpace()
        let start = position
        let key = try string()
        guard keys.insert(key).inserted else {
          throw JSONError(offset: start, reason: "the key '\(key.abridged)' is repeated")
        }
        guard take(":") else { throw expected("':'") }
        try member(&self, key)
      } while take(",")
      guard take("}") else { throw expected("',' or '}'") }
    }
    depth -= 1
  }

  /// Reads an array, calling `element` to read each of its values.
  package mutating func array(_ element: (inout JSONCursor) throws(JSONError) -> Void) throws(JSONError) {
    try open("[", "an array")
    if !take("]") {
      repeat { try element(&self) } while take(",")
      guard take("]") else { throw expected("',' or ']'") }
    }
    depth -= 1
  }

  /// Reads a number that has neither fraction nor exponent and fits an `Int`.
  package mutating func integer() throws(JSONError) -> Int {
    skipSpace()
    let start = position
    let text = try numberText()
    guard let value = Int(text) else {
      throw JSONError(offset: start, reason: "an integer is expected, found \(text.abridged)")
    }
    return value
  }

  /// Reads a string and undoes its escapes.
  package mutating func string() throws(JSONError) -> String {
    guard take("\"") else { throw expected("a string") }
    let start = position
    while let byte = peek, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
      guard byte >= 0x20 else { throw expected("an escaped control character") }
      position += 1
    }
    var text = try decoded(start..<position, at: start)
    while !takeByte("\"") {
      guard takeByte("\\") else { throw expected("the end of the string that starts at byte \(start - 1)") }
      text.unicodeScalars.append(try escape())
      let run = position
      while let byte = peek, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
        guard byte >= 0x20 else { throw expected("an escaped control character") }
        position += 1
      }
      text += try decoded(run..<position, at: run)
    }
    return text
  }

  /// Reads any value as a tree.
  package mutating func value() throws(JSONError) -> JSONValue {
    skipSpace()
    switch peek {
    case UInt8(ascii: "{"):
      var members: [String: JSONValue] = [:]
      try object { cursor, key throws(JSONError) in members[key] = try cursor.value() }
      return .object(members)
    case UInt8(ascii: "["):
      var elements: [JSONValue] = []
      try array { cursor throws(JSONError) in elements.append(try cursor.value()) }
      return .array(elements)
    case UInt8(ascii: "\""):
      return .string(try string())
    case UInt8(ascii: "t"):
      return try word("true", .boolean(true))
    case UInt8(ascii: "f"):
      return try word("false", .boolean(false))
    case UInt8(ascii: "n"):
      return try word("null", .null)
    default:
      let start = position
      let text = try numberText()
      if let integer = Int(text) { return .integer(integer) }
      guard let number = Double(text), number.isFinite else {
        throw JSONError(offset: start, reason: "the number \(text.abridged) is out of range")
      }
      return .number(number)
    }
  }

  /// Bytes read so far.
  package var offset: Int { position }

  /// Makes sure that nothing but white space is left.
  package mutating func end() throws(JSONError) {
    skipSpace()
    guard position == bytes.count else { throw expected("the end of the JSON text") }
  }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  private mutating func takeByte(_ character: Unicode.Scalar) -> Bool {
    guard peek == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    return takeByte(character)
  }

  private mutating func open(_ bracket: Unicode.Scalar, _ what: String) throws(JSONError) {
    guard take(bracket) else { throw expected(what) }
    depth += 1
    guard depth <= Self.depthLimit else {
      throw JSONError(offset: position - 1, reason: "values are nested more than \(Self.depthLimit) deep")
    }
  }

  private mutating func word(_ text: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
    let end = position + text.utf8CodeUnitCount
    let matches = text.withUTF8Buffer { letters in
      end <= bytes.count && bytes[position..<end].elementsEqual(letters)
    }
    guard matches else { throw expected("a JSON value") }
    position = end
    return value
  }

  private mutating func digits() -> Int {
    let start = position
    while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
    return position - start
  }

  private mutating func numberText() throws(JSONError) -> String {
    let start = position
    _ = takeByte("-")
    let leading = peek
    let count = digits()
    guard count > 0, count == 1 || leading != UInt8(ascii: "0") else {
      position = start
      throw expected("a JSON value")
    }
    if takeByte("."), digits() == 0 { throw expected("a digit") }
    if takeByte("e") || takeByte("E") {
      if !takeByte("+") { _ = takeByte("-") }
      if digits() == 0 { throw expected("a digit") }
    }
    return try decoded(start..<position, at: start)
  }

  private mutating func escape() throws(JSONError) -> Unicode.Scalar {
    let start = position - 1
    guard let byte = peek else { throw expected("an escape") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      var code = try hexadecimal()
      if (0xD800..<0xDC00).contains(code), takeByte("\\"), takeByte("u") {
        let low = try hexadecimal()
        guard (0xDC00..<0xE000).contains(low) else { break }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      if let scalar = Unicode.Scalar(code) { return scalar }
    default: break
    }
    throw JSONError(offset: start, reason: "the escape is not a valid one")
  }

  private mutating func hexadecimal() throws(JSONError) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw expected("a hexadecimal digit")
      }
      code = code << 4 + UInt32(digit)
      position += 1
    }
    return code
  }

  private func decoded(_ range: Range<Int>, at offset: Int) throws(JSONError) -> String {
    guard let text = String(validating: bytes[range], as: UTF8.self) else {
      throw JSONError(offset: offset, reason: "the string is not valid UTF-8")
    }
    return text
  }

  private func expected(_ what: String) -> JSONError {
    guard let byte = peek else { return JSONError(offset: position, reason: "\(what) is expected, found the end") }
    let found = (0x21..<0x7F).contains(byte) ? "'\(Unicode.Scalar(byte))'" : "the byte \(byte)"
    return JSONError(offset: position, reason: "\(what) is expected, found \(found)")
  }
}

extension String {
  /// The text, cut where it would make a message unreadable.
  var abridged: String { count <= 100 ? self : prefix(100) + "..." }
}
