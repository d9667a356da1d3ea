import JSON
import Settings

extension JSONValue {
  /// Converts a recipe's node to JSON for the manifest; scalars of text keys are always text.
  init(_ node: YAMLNode, of key: RecipeKey? = nil) {
    switch node.content {
    case .sequence(let items):
      self = .array(items.map { JSONValue($0, of: key) })
    case .mapping(let entries):
      self = .object(
        entries.map { entry in
          let member = entry.name == "value" ? key : RecipeKey.named(entry.name)
          return JSONMember(entry.name, entry.name == "title" ? .text(entry.value) : JSONValue(entry.value, of: member))
        })
    case .scalar(let scalar):
      self = key?.kind == .text || key?.kind == .path ? .text(node) : JSONValue(scalar)
    }
  }

  private init(_ scalar: YAMLScalar) {
    switch scalar.coreValue {
    case .null: self = .null
    case .boolean(let value): self = .bool(value)
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
