import JSON
import Settings

/// Regular expressions of the schema, in the subset of ECMA 262 that every validator supports.
enum SchemaPattern {
  /// A number as the YAML core schema writes it.
  static let number = "(" + plainNumber + ")"
  private static let plainNumber = "[-+]?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([eE][-+]?[0-9]+)?|0x[0-9a-fA-F]+|0o[0-7]+"

  /// A text that is a number.
  static let wholeNumber = "^" + number + "$"

  /// Numbers separated by commas, bars or newlines, dots that continue a row, and the plot's ranges.
  static let row = "^" + blanks + piece + "(" + blanks + "(,|\\|\\||\n)" + blanks + piece + ")*" + blanks + "$"
  private static let blanks = "[ \\t\\n\\v\\f\\r]*"
  private static let piece =
    "(" + plainNumber + "|" + range + "|\\.\\.\\.|\u{2026}|[-+]?\\.(inf|Inf|INF)|~|null|Null|NULL"
    + "|\"(" + plainNumber + ")\"|'(" + plainNumber + ")')?"

  /// From one number to another, with a step in parentheses or a count in brackets.
  private static let range =
    "[-+]?[ \\t]*[0-9.]+[ \\t]*-[ \\t]*[-+]?[ \\t]*[0-9.]+[ \\t]*(\\([^()]*\\)|\\[[^\\[\\]]*\\])?"

  /// Names of wildcards.
  static let wildcard = "^__[^ \\t]+__$"
  /// Names of axes that edit prompts; a name chosen by the user may follow.
  static let promptAxis: String = {
    let spellings = PromptAxis.allCases.flatMap { [$0.rawValue, $0.label.lowercased()] }
    return "^(" + spellings.map(anyCase).joined(separator: "|") + ")( .*)?$"
  }()

  /// Any of these texts, in any letter case.
  static func anyCase(of texts: [String]) -> String { "^(" + texts.map(anyCase).joined(separator: "|") + ")$" }

  /// One text, in any letter case.
  static func anyCase(_ text: String) -> String {
    text.map { character in
      let (small, large) = (character.lowercased(), character.uppercased())
      if small != large { return "[" + large + small + "]" }
      return "\\^$.|?*+()[]{}/".contains(character) ? "\\" + String(character) : String(character)
    }.joined()
  }
}

extension RecipeKey {
  /// The schema of one value of a setting.
  var schema: JSONValue {
    switch kind {
    case .text: ["type": ["string", "number", "boolean", "null"]]
    case .integer(let range, let factor): Self.numberOrText(Self.integer(range, factor))
    case .seed: Self.numberOrText(Self.integer(-1...Int64.max, 1))
    case .number(let range): Self.numberOrText(Self.number(range))
    case .limit(let range):
      [
        "anyOf": [
          ["type": "null"], Self.number(range), ["type": "number", "const": 0],
          ["type": "string", "pattern": .string(SchemaPattern.wholeNumber)],
          ["type": "string", "pattern": "^([+]?\\.(inf|Inf|INF))$"],
        ]
      ]
    case .interval: Self.interval
    case .otherInterval: ["anyOf": [Self.interval, ["type": "null"]]]
    case .otherNumber(let range): ["anyOf": [Self.numberOrText(Self.number(range)), ["type": "null"]]]
    case .layers: Self.layers
    case .bytes:
      [
        "anyOf": [
          ["type": "null"], Self.number(0...0x1p53),
          [
            "type": "string",
            "pattern": "^[ ]*([0-9]+(\\.[0-9]*)?|\\.[0-9]+)[ ]*([kKmMgG]([iI])?[bB]|[bB])?[ ]*$",
          ],
        ]
      ]
    case .sampler: Self.sampler
    case .schedule: Self.names(ScheduleID.allCases.map(\.rawValue), also: ScheduleID.allCases.flatMap(\.spellings))
    case .otherSampler: Self.orNull(Self.sampler, "use same sampler")
    case .otherSchedule:
      Self.orNull(
        Self.names(ScheduleID.allCases.map(\.rawValue), also: ScheduleID.allCases.flatMap(\.spellings)),
        "use same scheduler")
    case .upscaler: ["type": ["string", "number", "null"]]
    case .model: ["type": ["string", "number", "boolean"], "minLength": 1]
    case .vae, .otherModel: ["type": ["string", "number", "boolean", "null"]]
    case .choice(let names): Self.names(names, also: names)
    case .choices: Self.oneOrMore
    case .flag: Self.names(["true", "false"], also: ["true", "false"])
    case .styles, .files, .models: Self.oneOrMore
    case .size: ["type": "string", "pattern": "[0-9][ \\t]*[xX×][ \\t]*[0-9]"]
    case .folders, .axes, .axisGroups, .cells, .path, .sheet, .address, .nights, .notices: true
    }
  }

  /// Two numbers, or text such as `0.2 to 0.8`.
  private static let interval: JSONValue = [
    "anyOf": [
      ["type": "array", "items": numberOrText(number(0...1)), "minItems": 2, "maxItems": 2],
      [
        "type": "string",
        "pattern": .string("^[ ]*" + SchemaPattern.number + "[ ]+[tT][oO][ ]+" + SchemaPattern.number + "[ ]*$"),
      ],
    ]
  ]

  /// Numbers of layers, or text such as `7, 8, 9`.
  private static let layers: JSONValue = [
    "anyOf": [
      ["type": "integer", "minimum": 0, "maximum": .integer(Int64(LayerList.range.upperBound))],
      [
        "type": "array", "minItems": 1,
        "items": numberOrText(integer(Int64(LayerList.range.lowerBound)...Int64(LayerList.range.upperBound), 1)),
      ],
      ["type": "string", "pattern": "^[ ,]*[0-9]{1,3}([ ]*[, ][ ]*[0-9]{1,3})*[ ,]*$"],
    ]
  ]

  /// A value, or something that means none: null, an empty text or these words.
  private static func orNull(_ schema: JSONValue, _ words: String) -> JSONValue {
    [
      "anyOf": [
        schema, ["type": "null"], ["type": "string", "pattern": .string(SchemaPattern.anyCase(of: ["", words]))],
      ]
    ]
  }

  /// A name or a path, or a list of them.
  private static let oneOrMore: JSONValue = {
    let one: JSONValue = ["type": ["string", "number", "boolean", "null"]]
    return ["anyOf": [one, ["type": "array", "items": one]]]
  }()

  private static func integer(_ range: ClosedRange<Int64>, _ factor: Int64) -> JSONValue {
    var members = [
      JSONMember("type", "integer"), JSONMember("minimum", .integer(range.lowerBound)),
      JSONMember("maximum", .integer(range.upperBound)),
    ]
    if factor != 1 { members.append(JSONMember("multipleOf", .integer(factor))) }
    return .object(members)
  }

  private static func number(_ range: ClosedRange<Double>) -> JSONValue {
    ["type": "number", "minimum": .number(range.lowerBound), "maximum": .number(range.upperBound)]
  }

  /// A number; the reader accepts it in quotes too.
  private static func numberOrText(_ schema: JSONValue) -> JSONValue {
    ["anyOf": [schema, ["type": "string", "pattern": .string(SchemaPattern.wholeNumber)]]]
  }

  /// Names to suggest, and all accepted spellings of them; true and false are names too.
  private static func names(_ names: [String], also spellings: [String]) -> JSONValue {
    var parts: [JSONValue] = [
      ["type": "string", "enum": .array(names.map { .string($0) })],
      ["type": "string", "pattern": .string(SchemaPattern.anyCase(of: spellings))],
    ]
    if names.contains("true") { parts.append(["type": "boolean"]) }
    // The webui's other name for nv.
    if names.contains(NoiseSourceID.nv.rawValue) {
      parts.append(["type": "string", "pattern": .string(SchemaPattern.anyCase(of: ["gpu"]))])
    }
    return ["anyOf": .array(parts)]
  }

  private static let sampler: JSONValue = {
    let names = SamplerID.allCases.map(\.rawValue)
    let spellings = names + SamplerID.allCases.flatMap(\.traits.aliases).flatMap { [$0, $0 + "_ka", $0 + "_exp"] }
    let stems = "(" + spellings.map(SchemaPattern.anyCase).joined(separator: "|") + ")"
    let endings =
      "( (" + ScheduleID.allCases.flatMap(\.spellings).map(SchemaPattern.anyCase).joined(separator: "|") + "))?"
    return [
      "anyOf": [
        ["type": "string", "enum": .array(names.map { .string($0) })],
        ["type": "string", "pattern": .string("^" + stems + endings + "$")],
      ]
    ]
  }()
}
