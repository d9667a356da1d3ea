import Text

/// A JSON value whose objects keep their members in order.
public enum JSONValue: Hashable, Sendable {
  case null
  case bool(Bool)
  case integer(Int64)
  /// A number with a fraction or an exponent, or one too large for `integer`.
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([JSONMember])

  /// The value of the member with this name (the last one if it is repeated); nil if there is none or this is not an object.
  public subscript(name: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.last { $0.name == name }?.value
  }

  /// The text of a string; nil for other values.
  public var text: String? {
    guard case .string(let text) = self else { return nil }
    return text
  }

  /// The value of an integer; nil for other values.
  public var integerValue: Int64? {
    guard case .integer(let value) = self else { return nil }
    return value
  }

  /// The value of a number of either kind; nil for other values.
  public var numberValue: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  /// The values of an array; nil for other values.
  public var elements: [JSONValue]? {
    guard case .array(let elements) = self else { return nil }
    return elements
  }

  /// The value as JSON, without white space.
  public var jsonText: String {
    var writer = JSONWriter()
    writer.value(self)
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}

extension JSONValue {
  /// Reads one value, after which only white space may follow.
  ///
  /// - Parameters:
  ///   - bytes: UTF-8.
  ///   - repeatedKeys: How to treat repeated keys in an object.
  /// - Throws: `JSONError` for anything that RFC 8259 does not allow, and for values nested too deep.
  public init(parsing bytes: UnsafeRawBufferPointer, repeatedKeys: JSONCursor.RepeatedKeys = .kept) throws(JSONError) {
    var cursor = JSONCursor(bytes, repeatedKeys: repeatedKeys)
    self = try cursor.value()
    try cursor.end()
  }

  /// Reads one value, after which only white space may follow; repeated keys are kept.
  ///
  /// - Parameter bytes: UTF-8.
  /// - Throws: `JSONError` for anything that RFC 8259 does not allow, and for values nested too deep.
  public init(parsing bytes: UnsafeBufferPointer<UInt8>) throws(JSONError) {
    try self.init(parsing: UnsafeRawBufferPointer(bytes))
  }

  /// Reads one value, after which only white space may follow; repeated keys are kept.
  ///
  /// - Parameter text: JSON.
  /// - Throws: `JSONError` for anything that RFC 8259 does not allow, and for values nested too deep.
  public init(parsing text: String) throws(JSONError) {
    self = try Array(text.utf8).withUnsafeBufferPointer { bytes throws(JSONError) in try JSONValue(parsing: bytes) }
  }
}

extension JSONValue: CustomStringConvertible {
  /// The value for messages; long values are shortened.
  public var description: String {
    switch self {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .string(let text): "\"\(text.abridged)\""
    case .array(let elements):
      "[\(elements.prefix(12).map(\.description).joined(separator: ", "))\(elements.count > 12 ? ", ..." : "")]"
    case .object: "an object"
    }
  }
}

/// A name and its value in a JSON object.
public struct JSONMember: Hashable, Sendable {
  /// The name, before the colon.
  public var name: String
  /// The value, after the colon.
  public var value: JSONValue

  /// A member of an object.
  public init(_ name: String, _ value: JSONValue) {
    self.name = name
    self.value = value
  }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  /// `null`.
  public init(nilLiteral: ()) { self = .null }
  /// `true` or `false`.
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  /// An integer.
  public init(integerLiteral value: Int64) { self = .integer(value) }
  /// A number.
  public init(floatLiteral value: Double) { self = .number(value) }
  /// A string.
  public init(stringLiteral value: String) { self = .string(value) }
  /// An array.
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  /// An object with its members in the order written.
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(elements.map { JSONMember($0.0, $0.1) })
  }
}
