import Foundation
import JSON
import Testing

/// The part of JSON Schema (draft 2020-12) that the schema of recipes uses; any other keyword is an error.
struct SchemaValidator {
  let root: JSONValue

  struct UnknownKeyword: Error { let name: String }

  func accepts(_ value: JSONValue) throws -> Bool { try accepts(value, root) }

  private func accepts(_ value: JSONValue, _ schema: JSONValue) throws -> Bool {
    if case .bool(let answer) = schema { return answer }
    guard case .object(let keywords) = schema else { throw UnknownKeyword(name: schema.jsonText) }
    for keyword in keywords where try !meets(value, keyword, schema) { return false }
    return true
  }

  private func meets(_ value: JSONValue, _ keyword: JSONMember, _ schema: JSONValue) throws -> Bool {
    let wanted = keyword.value
    switch keyword.name {
    case "$schema", "$defs", "title", "description": return true
    case "$ref":
      guard let name = wanted.text?.components(separatedBy: "#/$defs/").last, let found = root["$defs"]?[name] else {
        throw UnknownKeyword(name: wanted.jsonText)
      }
      return try accepts(value, found)
    case "type":
      let types = wanted.elements?.compactMap(\.text) ?? [wanted.text ?? ""]
      return types.contains { Self.isOf(type: $0, value) }
    case "enum": return wanted.elements?.contains(value) == true
    case "const": return value == wanted || (value.numberValue != nil && value.numberValue == wanted.numberValue)
    case "anyOf": return try wanted.elements?.contains { try accepts(value, $0) } == true
    case "allOf": return try wanted.elements?.allSatisfy { try accepts(value, $0) } == true
    case "not": return try !accepts(value, wanted)
    case "minimum": return try number(value) { $0 >= (wanted.numberValue ?? .nan) }
    case "maximum": return try number(value) { $0 <= (wanted.numberValue ?? .nan) }
    case "multipleOf":
      return try number(value) { $0.truncatingRemainder(dividingBy: wanted.numberValue ?? .nan) == 0 }
    case "minLength": return value.text.map { $0.unicodeScalars.count >= Int(wanted.integerValue ?? 0) } ?? true
    case "pattern":
      guard let text = value.text else { return true }
      return try Self.matches(text, wanted.text ?? "")
    case "items": return try value.elements?.allSatisfy { try accepts($0, wanted) } ?? true
    case "minItems": return value.elements.map { $0.count >= Int(wanted.integerValue ?? 0) } ?? true
    case "maxItems": return value.elements.map { $0.count <= Int(wanted.integerValue ?? 0) } ?? true
    case "maxProperties": return value.members.map { $0.count <= Int(wanted.integerValue ?? 0) } ?? true
    case "minProperties": return value.members.map { $0.count >= Int(wanted.integerValue ?? 0) } ?? true
    case "required":
      return value.members.map { members in
        wanted.elements?.allSatisfy { name in members.contains { $0.name == name.text } } == true
      } ?? true
    case "properties":
      return try value.members?.allSatisfy { member in
        try wanted[member.name].map { try accepts(member.value, $0) } ?? true
      }
        ?? true
    case "patternProperties":
      return try value.members?.allSatisfy { member in
        try wanted.members?.allSatisfy { pattern in
          try !Self.matches(member.name, pattern.name) || accepts(member.value, pattern.value)
        } ?? true
      } ?? true
    case "additionalProperties":
      let patterns = schema["patternProperties"]?.members?.map(\.name) ?? []
      return try value.members?.allSatisfy { member in
        let isKnown =
          try schema["properties"]?[member.name] != nil
          || patterns.contains { try Self.matches(member.name, $0) }
        return try isKnown || accepts(member.value, wanted)
      } ?? true
    default: throw UnknownKeyword(name: keyword.name)
    }
  }

  private func number(_ value: JSONValue, _ isMet: (Double) -> Bool) throws -> Bool {
    value.numberValue.map(isMet) ?? true
  }

  private static func isOf(type: String, _ value: JSONValue) -> Bool {
    switch value {
    case .null: type == "null"
    case .bool: type == "boolean"
    case .integer: type == "integer" || type == "number"
    case .number(let number): type == "number" || (type == "integer" && number == number.rounded())
    case .string: type == "string"
    case .array: type == "array"
    case .object: type == "object"
    }
  }

  private static func matches(_ text: String, _ pattern: String) throws -> Bool {
    let expression = try NSRegularExpression(pattern: pattern)
    return expression.firstMatch(in: text, range: NSRange(text.startIndex..., in: text)) != nil
  }
}

extension JSONValue {
  fileprivate var members: [JSONMember]? { if case .object(let members) = self { members } else { nil } }
}
