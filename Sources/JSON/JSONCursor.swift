import Text

/// Reads JSON (RFC 8259) from bytes, one value after the other. It builds a tree only on request.
///
/// Integers are exact, and depth is limited. All errors say what was expected, what was found, and where.
public struct JSONCursor {
  /// How to treat repeated keys in an object, which RFC 8259 leaves open.
  public enum RepeatedKeys: Sendable {
    /// All are kept, in order.
    case kept
    /// The second one is an error.
    case refused
  }

  /// The limit of nested objects and arrays.
  public static let depthLimit = 64

  /// Bytes read so far.
  public internal(set) var offset = 0
  /// The offset of the key whose value is being read.
  public private(set) var keyOffset = 0

  let bytes: UnsafeRawBufferPointer
  private let repeatedKeys: RepeatedKeys
  private var depth = 0

  /// A cursor at the start of `bytes`, which must outlive it.
  public init(_ bytes: UnsafeRawBufferPointer, repeatedKeys: RepeatedKeys = .refused) {
    self.bytes = bytes
    self.repeatedKeys = repeatedKeys
  }

  /// Reads an object. Calls `member` with each key to read the key's value.
  public mutating func object(
    _ member: (inout JSONCursor, String) throws(JSONError) -> Void
  ) throws(JSONError) {
    try open("{", "an object")
    var keys = repeatedKeys == .refused ? DistinctKeys() : nil
    if !take("}") {
      repeat {
        skipSpace()
        let start = offset
        let key = try string()
        guard keys?.insert(key) != false else {
          throw JSONError(offset: start, reason: "the key '\(key.abridged)' is repeated")
        }
        guard take(":") else { throw expected("':'") }
        keyOffset = start
        try member(&self, key)
      } while take(",")
      guard take("}") else { throw expected("',' or '}'") }
    }
    depth -= 1
  }

  /// Reads an array. Calls `element` to read each of its values.
  public mutating func array(_ element: (inout JSONCursor) throws(JSONError) -> Void) throws(JSONError) {
    try open("[", "an array")
    if !take("]") {
      repeat { try element(&self) } while take(",")
      guard take("]") else { throw expected("',' or ']'") }
    }
    depth -= 1
  }

  /// Reads any value as a tree.
  public mutating func value() throws(JSONError) -> JSONValue {
    skipSpace()
    switch peek {
    case UInt8(ascii: "{"):
      var members: [JSONMember] = []
      try object { cursor, key throws(JSONError) in members.append(JSONMember(key, try cursor.value())) }
      return .object(members)
    case UInt8(ascii: "["):
      var elements: [JSONValue] = []
      try array { cursor throws(JSONError) in elements.append(try cursor.value()) }
      return .array(elements)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try number()
    }
  }

  /// Checks that only white space is left.
  public mutating func end() throws(JSONError) {
    skipSpace()
    guard offset == bytes.count else { throw expected("the end of the JSON text") }
  }

  /// Continues at an offset after the current one, up to which the caller has read values itself.
  package mutating func move(to offset: Int) { self.offset = min(max(offset, self.offset), bytes.count) }

  /// Reads a null if there is one; returns whether there was.
  public mutating func skipNull() throws(JSONError) -> Bool {
    skipSpace()
    guard peek == UInt8(ascii: "n") else { return false }
    _ = try word("null", .null)
    return true
  }

  // MARK: Bytes

  /// Whether JSON allows the byte between values: a space, a tab, or a line end.
  public static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }

  var peek: UInt8? { offset < bytes.count ? bytes[offset] : nil }

  mutating func skipSpace() {
    while let byte = peek, Self.isBlank(byte) { offset += 1 }
  }

  mutating func takeByte(_ character: Unicode.Scalar) -> Bool {
    guard peek == UInt8(ascii: character) else { return false }
    offset += 1
    return true
  }

  mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    return takeByte(character)
  }

  func expected(_ what: String) -> JSONError {
    guard let byte = peek else { return JSONError(offset: offset, reason: "\(what) is expected, found the end") }
    let found = (0x21..<0x7F).contains(byte) ? "'\(Unicode.Scalar(byte))'" : "the byte \(byte)"
    return JSONError(offset: offset, reason: "\(what) is expected, found \(found)")
  }

  private mutating func open(_ bracket: Unicode.Scalar, _ what: String) throws(JSONError) {
    guard take(bracket) else { throw expected(what) }
    depth += 1
    guard depth <= Self.depthLimit else {
      throw JSONError(offset: offset - 1, reason: "values are nested more than \(Self.depthLimit) deep")
    }
  }

  private mutating func word(_ text: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
    let end = offset + text.utf8CodeUnitCount
    let matches = text.withUTF8Buffer { letters in
      end <= bytes.count && bytes[offset..<end].elementsEqual(letters)
    }
    guard matches else { throw expected("a JSON value") }
    offset = end
    return value
  }
}

/// The keys of an object so far: a list while there are few, as in most objects, then a set.
private struct DistinctKeys {
  private var few: [String] = []
  private var many: Set<String> = []

  /// Adds a key; returns false if it was already in the set.
  mutating func insert(_ key: String) -> Bool {
    if many.isEmpty {
      guard !few.contains(key) else { return false }
      few.append(key)
      if few.count == 8 { many = Set(few) }
      return true
    }
    return many.insert(key).inserted
  }
}
