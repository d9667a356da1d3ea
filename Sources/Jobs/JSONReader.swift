/// Text that is not JSON.
public struct JSONError: Error, Hashable, CustomStringConvertible {
  /// Bytes before the place where reading stopped.
  public var offset: Int
  /// What was expected there.
  public var problem: String

  /// Where and what.
  public var description: String { "not valid JSON at byte \(offset): \(problem)" }
}

extension JSONValue {
  /// Reads one value and nothing after it but white space.
  ///
  /// - Parameter bytes: UTF-8.
  /// - Throws: `JSONError` for anything that RFC 8259 does not allow, and for arrays and objects nested over 100 deep.
  public init(parsing bytes: UnsafeBufferPointer<UInt8>) throws(JSONError) {
    var reader = JSONReader(bytes: bytes)
    reader.skipSpace()
    self = try reader.value(depth: 0)
    reader.skipSpace()
    guard reader.position == bytes.count else { throw reader.error("expected nothing more") }
  }

  /// Reads one value and nothing after it but white space.
  ///
  /// - Parameter text: JSON.
  /// - Throws: `JSONError` for anything that RFC 8259 does not allow, and for arrays and objects nested over 100 deep.
  public init(parsing text: String) throws(JSONError) {
    self = try Array(text.utf8).withUnsafeBufferPointer { bytes throws(JSONError) in try JSONValue(parsing: bytes) }
  }
}

/// Reads JSON from bytes, by recursive descent.
struct JSONReader {
  let bytes: UnsafeBufferPointer<UInt8>
  var position = 0

  private static let depthLimit = 100

  func error(_ problem: String) -> JSONError { JSONError(offset: position, problem: problem) }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  mutating func value(depth: Int) throws(JSONError) -> JSONValue {
    guard depth < Self.depthLimit else { throw error("nested too deep") }
    switch next {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try number()
    }
  }

  private mutating func word(_ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
    for index in 0..<word.utf8CodeUnitCount {
      guard next == word.utf8Start[index] else { throw error("expected a value") }
      position += 1
    }
    return value
  }

  private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
    var members: [JSONMember] = []
    position += 1
    skipSpace()
    if take("}") { return .object(members) }
    while true {
      guard next == UInt8(ascii: "\"") else { throw error("expected a member's name") }
      let name = try string()
      skipSpace()
      guard take(":") else { throw error("expected a colon") }
      skipSpace()
      members.append(JSONMember(name, try value(depth: depth + 1)))
      skipSpace()
      if take("}") { return .object(members) }
      guard take(",") else { throw error("expected a comma or the end of the object") }
      skipSpace()
    }
  }

  private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
    var elements: [JSONValue] = []
    position += 1
    skipSpace()
    if take("]") { return .array(elements) }
    while true {
      elements.append(try value(depth: depth + 1))
      skipSpace()
      if take("]") { return .array(elements) }
      guard take(",") else { throw error("expected a comma or the end of the array") }
      skipSpace()
    }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard next == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  // MARK: Numbers

  private mutating func number() throws(JSONError) -> JSONValue {
    let start = position
    _ = take("-")
    let first = next
    guard digits() > 0 else { throw error("expected a value") }
    if first == UInt8(ascii: "0"), position - start > (bytes[start] == UInt8(ascii: "-") ? 2 : 1) {
      throw error("a number may not begin with 0")
    }
    var isInteger = true
    if take(".") {
      isInteger = false
      guard digits() > 0 else { throw error("expected a digit") }
    }
    if take("e") || take("E") {
      isInteger = false
      if !take("+") { _ = take("-") }
      guard digits() > 0 else { throw error("expected a digit") }
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isInteger, let value = Int64(text) { return .integer(value) }
    guard let value = Double(text), value.isFinite else { throw error("the number is too large") }
    return .number(value)
  }

  private mutating func digits() -> Int {
    let start = position
    while let byte = next, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { position += 1 }
    return position - start
  }

  // MARK: Strings

  private mutating func string() throws(JSONError) -> String {
    position += 1
    let start = position
    while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { position += 1 }
    if next == UInt8(ascii: "\"") {
      defer { position += 1 }
      return try text(bytes[start..<position])
    }
    var unescaped = Array(bytes[start..<position])
    while let byte = next {
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return try unescaped.withUnsafeBufferPointer(text)
      case UInt8(ascii: "\\"): try escape(&unescaped)
      case 0..<0x20: throw error("a control character must be escaped")
      default: unescaped.append(byte)
      }
    }
    throw error("the string does not end")
  }

  private func text(_ slice: Slice<UnsafeBufferPointer<UInt8>>) throws(JSONError) -> String {
    try text(UnsafeBufferPointer(rebasing: slice))
  }

  private func text(_ utf8: UnsafeBufferPointer<UInt8>) throws(JSONError) -> String {
    guard let text = String(validating: utf8, as: UTF8.self) else { throw error("the string is not UTF-8") }
    return text
  }

  private mutating func escape(_ unescaped: inout [UInt8]) throws(JSONError) {
    guard let byte = next else { throw error("the string does not end") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): unescaped.append(byte)
    case UInt8(ascii: "b"): unescaped.append(0x08)
    case UInt8(ascii: "f"): unescaped.append(0x0C)
    case UInt8(ascii: "n"): unescaped.append(0x0A)
    case UInt8(ascii: "r"): unescaped.append(0x0D)
    case UInt8(ascii: "t"): unescaped.append(0x09)
    case UInt8(ascii: "u"): unescaped.append(contentsOf: UTF8.encode(try scalar()).map(Array.init) ?? [])
    default: throw error("unknown escape")
    }
  }

  private mutating func scalar() throws(JSONError) -> Unicode.Scalar {
    let high = try codeUnit()
    if let scalar = Unicode.Scalar(high) { return scalar }
    if UTF16.isLeadSurrogate(high), take("\\"), take("u") {
      let low = try codeUnit()
      if UTF16.isTrailSurrogate(low) {
        let value = 0x10000 + (UInt32(high - 0xD800) << 10) + UInt32(low - 0xDC00)
        if let scalar = Unicode.Scalar(value) { return scalar }
      }
    }
    throw error("half of a surrogate pair")
  }

  private mutating func codeUnit() throws(JSONError) -> UInt16 {
    var value: UInt16 = 0
    for _ in 0..<4 {
      guard let digit = next.flatMap(Hexadecimal.value) else { throw error("expected four hexadecimal digits") }
      value = value << 4 | UInt16(digit)
      position += 1
    }
    return value
  }
}
