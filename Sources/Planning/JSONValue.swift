/// A JSON document as a value, for the parts of a manifest whose form the recipe decides.
public enum JSONValue: Hashable, Sendable {
  case null
  case boolean(Bool)
  case integer(Int64)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])
}

extension JSONValue: Codable {
  /// Reads any JSON; a whole number that fits is an integer.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .boolean(value)
    } else if let value = try? container.decode(Int64.self) {
      self = .integer(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  /// Writes the value itself, without a wrapping object.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .boolean(let value): try container.encode(value)
    case .integer(let value): try container.encode(value)
    case .number(let value): try container.encode(value)
    case .string(let value): try container.encode(value)
    case .array(let values): try container.encode(values)
    case .object(let members): try container.encode(members)
    }
  }
}

extension JSONValue {
  /// A recipe's node: scalars of text keys stay text whatever they look like.
  init(_ node: YAMLNode, of key: RecipeKey? = nil) {
    switch node.content {
    case .sequence(let items):
      self = .array(items.map { JSONValue($0, of: key) })
    case .mapping(let entries):
      var members: [String: JSONValue] = [:]
      for entry in entries {
        let member = entry.name == "value" ? key : RecipeKey.named(entry.name)
        members[entry.name] = entry.name == "title" ? .text(entry.value) : JSONValue(entry.value, of: member)
      }
      self = .object(members)
    case .scalar(let scalar):
      self = key?.kind == .text || key?.kind == .path ? .text(node) : JSONValue(scalar)
    }
  }

  private init(_ scalar: YAMLScalar) {
    switch scalar.coreValue {
    case .null: self = .null
    case .boolean(let value): self = .boolean(value)
    case .integer(let value): self = .integer(value)
    // JSON has no infinity.
    case .number(let value): self = value.isFinite ? .number(value) : .string(scalar.text)
    case .text: self = .string(scalar.text)
    }
  }

  private static func text(_ node: YAMLNode) -> JSONValue {
    guard let scalar = node.scalar else { return JSONValue(node) }
    return scalar.isNull ? .null : .string(scalar.text)
  }
}
