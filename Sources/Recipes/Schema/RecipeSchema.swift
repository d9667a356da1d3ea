import JSON
import Settings

/// The JSON Schema (draft 2020-12) of recipes, derived from the table of recipe keys.
///
/// Every recipe that the reader accepts, written as JSON or YAML, is valid. The schema does not check what only the reader can
/// check: whether a file exists, whether a row reaches its end, whether the axes of a group have equal lengths, and whether a
/// title is known.
public enum RecipeSchema {
  /// The schema.
  public static var json: JSONValue {
    let settings = RecipeKey.all.filter(\.isSetting)
    return .object([
      JSONMember("$schema", "https://json-schema.org/draft/2020-12/schema"),
      JSONMember("title", "A recipe of sdbatch"),
      JSONMember("type", "object"),
      JSONMember(
        "properties", .object(RecipeKey.all.flatMap { key in members(of: key, topLevel(key)) } + harmless)),
      JSONMember("patternProperties", .object([JSONMember("^x-", true)] + wildcards)),
      JSONMember("additionalProperties", false),
      JSONMember("allOf", onceEach(settings)),
      JSONMember(
        "$defs",
        .object(
          settings.map { JSONMember("value." + $0.name, $0.schema) }
            + settings.map { JSONMember("axis." + $0.name, axis($0)) } + [
              JSONMember("scalar", scalar), JSONMember("axes", axes(settings)), JSONMember("long", long(settings)),
              JSONMember("exclude", exclude), JSONMember("include", include(settings)),
            ])),
    ])
  }

  // MARK: Parts

  /// One member for each name of a key.
  private static func members(of key: RecipeKey, _ schema: JSONValue) -> [JSONMember] {
    ([key.name] + key.aliases).map { JSONMember($0, schema) }
  }

  private static func topLevel(_ key: RecipeKey) -> JSONValue {
    let schema: JSONValue
    switch key.kind {
    case .axes: schema = nullOr(reference("axes"))
    case .axisGroups: schema = nullOr(["type": "array", "items": reference("axes")])
    case .cells: schema = nullOr(["type": "array", "items": reference(key.name)])
    case .sheet: schema = nullOr(sheet)
    case .path: schema = nullOr(["type": ["string", "number", "boolean"], "minLength": 1])
    case .files: schema = key.schema
    case .address: schema = webhook
    case .nights: schema = nights
    case .notices: schema = notices
    case _ where !key.isSetting: schema = nullOr(key.schema)
    default:
      schema = key.name == "seed" ? ["anyOf": [reference("value.seed"), nightly]] : reference("value." + key.name)
    }
    guard case .object(let members) = schema else { return schema }
    return .object([JSONMember("description", .string(key.summary))] + members)
  }

  private static let webhook: JSONValue = {
    let address: JSONValue = ["type": "string", "pattern": "^([hH][tT][tT][pP][sS]?://.+)?$"]
    let occasion: JSONValue = ["enum": ["run", "job"]]
    let members: JSONValue = [
      "url": address,
      "per": ["anyOf": [occasion, ["type": "array", "items": occasion, "minItems": 1]]],
      "send_images": ["type": "boolean"],
    ]
    return [
      "anyOf": [
        ["type": "null"], address,
        ["type": "object", "properties": members, "required": ["url"], "additionalProperties": false],
      ]
    ]
  }()

  private static func reference(_ name: String) -> JSONValue { ["$ref": .string("#/$defs/" + name)] }

  private static func nullOr(_ schema: JSONValue) -> JSONValue { ["anyOf": [["type": "null"], schema]] }

  private static let scalar: JSONValue = ["type": ["string", "number", "boolean", "null"]]

  private static let notices: JSONValue = {
    let address: JSONValue = ["type": "string", "pattern": "^([hH][tT][tT][pP][sS]?://.+)?$"]
    let members: JSONValue = [
      "ping": address, "mail": ["type": "string", "pattern": "^[A-Za-z0-9@._+][A-Za-z0-9@._+-]*$"],
    ]
    return [
      "anyOf": [
        ["type": "null"], address,
        ["type": "object", "properties": members, "minProperties": 1, "additionalProperties": false],
      ]
    ]
  }()

  private static let nights: JSONValue = {
    func number(_ range: ClosedRange<Int>) -> JSONValue {
      [
        "anyOf": [
          [
            "type": "number", "multipleOf": 1, "minimum": .integer(Int64(range.lowerBound)),
            "maximum": .integer(Int64(range.upperBound)),
          ],
          ["type": "string", "pattern": .string(SchemaPattern.wholeNumber)],
        ]
      ]
    }
    let members: JSONValue = ["count": number(NightlySeries.range), "keep": number(NightlySeries.keepRange)]
    return [
      "anyOf": [
        ["type": "null"], number(NightlySeries.range),
        ["type": "object", "properties": members, "minProperties": 1, "additionalProperties": false],
      ]
    ]
  }()

  static let nightly: JSONValue = [
    "type": "string", "pattern": "^[ \\t]*[Nn][Ii][Gg][Hh][Tt][Ll][Yy][ \\t]+0*([1-9][0-9]{0,3}|10000)[ \\t]*$",
  ]

  /// A key may occur only once, under any of its names.
  private static func onceEach(_ settings: [RecipeKey]) -> JSONValue {
    .array(
      settings.flatMap { key in
        key.aliases.map { alias in ["not": ["required": [.string(key.name), .string(alias)]]] }
      })
  }

  /// A wildcard with a fixed replacement.
  private static let wildcards = [JSONMember(SchemaPattern.wildcard, reference("scalar"))]

  /// Keys that are not supported, with the harmless values that are accepted.
  private static let harmless = RefusedSetting.all.sorted { $0.name < $1.name }.map { refusal in
    var values: [JSONValue] = [
      ["type": "null"], ["type": "array", "maxItems": 0], ["type": "object", "maxProperties": 0],
    ]
    for text in refusal.harmless.sorted() {
      values.append(["type": "string", "pattern": .string(SchemaPattern.anyCase(of: [text]))])
      if text == "true" || text == "false" { values.append(["const": .bool(text == "true")]) }
      if let number = Double(text) {
        values.append(["type": "number", "const": .number(number)])
        values.append(["type": "string", "pattern": .string(SchemaPattern.wholeNumber)])
      }
    }
    return JSONMember(refusal.name, ["anyOf": .array(values)])
  }

  // MARK: Axes

  /// The values of an axis with a key's name.
  private static func axis(_ key: RecipeKey) -> JSONValue {
    let value = reference("value." + key.name)
    let long: JSONValue = ["allOf": [reference("long"), ["properties": ["value": value]]]]
    let row: JSONValue = [
      "type": "string", "pattern": .string(key.kind.hasProgressions ? SchemaPattern.row : "[,|]"),
    ]
    var items = [value, long]
    // An axis needs at least one value.
    var whole: [JSONValue] = [["allOf": [["not": ["type": "null"]], value]]]
    if key.kind.hasProgressions { items.append(row) }
    if key.kind != .text { whole.append(row) }
    if key.name == "seed" { whole.append(nightly) }
    return [
      "anyOf": .array([["type": "array", "minItems": 1, "items": ["anyOf": .array(items)]]] + whole)
    ]
  }

  /// Axes by name: axes with a key's name accept short and long values, others only long ones.
  private static func axes(_ settings: [RecipeKey]) -> JSONValue {
    let labels = PlotLabels.keys.sorted { $0.key < $1.key }
    let own: JSONValue = ["allOf": [reference("long"), ["properties": ["value": false]]]]
    return [
      "type": "object",
      "properties": .object(
        settings.flatMap { key in members(of: key, reference("axis." + key.name)) } + documentKeys),
      "patternProperties": .object(
        labels.map { JSONMember(SchemaPattern.anyCase(of: [$0.key]), reference("axis." + $0.value)) } + [
          JSONMember(SchemaPattern.promptAxis, true), JSONMember(SchemaPattern.wildcard, true),
        ]),
      "additionalProperties": ["type": "array", "minItems": 1, "items": own],
    ]
  }

  /// Keys that are only allowed at the top level.
  private static let documentKeys = RecipeKey.all.filter { !$0.isSetting }.map { JSONMember($0.name, false) }

  private static func long(_ settings: [RecipeKey]) -> JSONValue {
    [
      "type": "object", "minProperties": 1, "additionalProperties": false, "allOf": onceEach(settings),
      "patternProperties": .object(wildcards),
      "properties": .object(
        [JSONMember("title", scalar), JSONMember("value", scalar)]
          + settings.flatMap { key in members(of: key, reference("value." + key.name)) }),
    ]
  }

  /// A mapping in `exclude`; names may be those of the recipe's own axes, and values their titles.
  private static let exclude: JSONValue = [
    "type": "object", "minProperties": 1, "properties": .object(documentKeys),
    "additionalProperties": [
      "anyOf": [reference("scalar"), ["type": "array", "minItems": 1, "items": reference("scalar")]]
    ],
  ]

  private static func include(_ settings: [RecipeKey]) -> JSONValue {
    [
      "type": "object", "properties": .object(documentKeys), "additionalProperties": reference("scalar"),
      "allOf": onceEach(settings),
    ]
  }

  private static let sheet: JSONValue = {
    let name: JSONValue = ["type": ["string", "null"]]
    return [
      "type": "object", "additionalProperties": false,
      "properties": .object(
        ["x", "y", "super_x", "super_y"].map { JSONMember($0, name) } + [
          JSONMember("pages", ["anyOf": [name, ["type": "array", "items": name]]])
        ]),
    ]
  }()
}
