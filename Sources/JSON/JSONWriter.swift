import Text

/// Writes JSON as UTF-8 bytes: without white space, members in the given order, numbers as Python prints them.
///
/// NaN and infinities become `null`.
public struct JSONWriter: Sendable {
  /// The bytes that have been written since the last `flush`.
  public private(set) var bytes: [UInt8] = []
  private var needsComma = false

  /// A writer without output.
  public init() {}

  /// Writes an object. `body` writes its members, each by `key` and a value or by `member`.
  public mutating func object(_ body: (inout JSONWriter) throws -> Void) rethrows {
    try nest(open: "{", close: "}", body)
  }

  /// Writes an array. `body` writes its elements.
  public mutating func array(_ body: (inout JSONWriter) throws -> Void) rethrows {
    try nest(open: "[", close: "]", body)
  }

  /// Writes a member's name; the caller writes its value next.
  public mutating func key(_ name: String) {
    separate()
    appendString(name)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  /// Writes text as a string.
  public mutating func string(_ text: String) {
    separate()
    appendString(text)
  }

  /// Writes an integer.
  public mutating func integer(_ value: some BinaryInteger) {
    separate()
    bytes.append(contentsOf: String(value).utf8)
  }

  /// Writes a number, always with a fraction or an exponent.
  public mutating func number(_ value: Double) {
    separate()
    bytes.append(contentsOf: (value.isFinite ? PythonNumber.repr(value) : "null").utf8)
  }

  /// Writes `true` or `false`.
  public mutating func bool(_ value: Bool) {
    separate()
    bytes.append(contentsOf: (value ? "true" : "false").utf8)
  }

  /// Writes `null`.
  public mutating func null() {
    separate()
    bytes.append(contentsOf: "null".utf8)
  }

  /// Writes any value.
  public mutating func value(_ value: JSONValue) {
    switch value {
    case .null: null()
    case .bool(let value): bool(value)
    case .integer(let value): integer(value)
    case .number(let value): number(value)
    case .string(let text): string(text)
    case .array(let elements): array { writer in for element in elements { writer.value(element) } }
    case .object(let members):
      object { writer in
        for member in members {
          writer.key(member.name)
          writer.value(member.value)
        }
      }
    }
  }

  /// Writes a member that is text, or `null` for nil.
  public mutating func member(_ name: String, _ text: String?) {
    key(name)
    if let text { string(text) } else { null() }
  }

  /// Writes a member that is an integer, or `null` for nil.
  public mutating func member(_ name: String, _ value: (some BinaryInteger)?) {
    key(name)
    if let value { integer(value) } else { null() }
  }

  /// Writes a member that is a number, or `null` for nil.
  public mutating func member(_ name: String, _ value: Double?) {
    key(name)
    if let value { number(value) } else { null() }
  }

  /// Writes a member of any kind.
  public mutating func member(_ name: String, _ value: JSONValue) {
    key(name)
    self.value(value)
  }

  /// Writes a value that `body` appends as JSON.
  package mutating func raw(_ body: (inout [UInt8]) -> Void) {
    separate()
    body(&bytes)
  }

  /// Writes a line break, which JSON allows between its tokens.
  public mutating func lineBreak() {
    if needsComma {
      bytes.append(UInt8(ascii: ","))
      needsComma = false
    }
    bytes.append(UInt8(ascii: "\n"))
  }

  /// Ends a line in a file with one value per line.
  public mutating func endLine() {
    bytes.append(UInt8(ascii: "\n"))
    needsComma = false
  }

  /// Calls `consume` with the bytes written so far and removes them; the memory is reused.
  public mutating func flush(_ consume: ([UInt8]) throws -> Void) rethrows {
    try consume(bytes)
    bytes.removeAll(keepingCapacity: true)
  }

  private mutating func nest(
    open: Unicode.Scalar, close: Unicode.Scalar, _ body: (inout JSONWriter) throws -> Void
  ) rethrows {
    separate()
    bytes.append(UInt8(ascii: open))
    needsComma = false
    try body(&self)
    bytes.append(UInt8(ascii: close))
    needsComma = true
  }

  private mutating func separate() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    needsComma = true
  }

  private mutating func appendString(_ text: String) {
    JSONString.append(text, to: &bytes)
  }
}
