import JSON
import Settings
import Text

/// The text that describes an image in the webui's form. It is kept in the image's PNG under the keyword `parameters`.
///
/// Source: stable-diffusion-webui 1.10.1, as it records an API request. `Version` is omitted, because the webui would take it
/// for its own version and change its numerics accordingly. `Precision` and `Generator` are written instead.
public struct Infotext: Hashable, Sendable {
  /// One key and its value; numbers are written in Python's form.
  public struct Item: Hashable, Sendable {
    /// The text before the colon.
    public var key: String
    /// The text after it.
    public var value: JSONValue
  }

  /// The prompt as requested.
  public var prompt: String
  /// The negative prompt as requested.
  public var negativePrompt: String
  /// The main settings. The webui does not count them among its extra generation parameters.
  public var items: [Item]
  /// Settings that the webui calls extra generation parameters; they follow `items`.
  public var extras: [Item]

  /// Describes the image that a job makes.
  ///
  /// - Parameters:
  ///   - settings: The settings of the job.
  ///   - ingredients: The models and the precision in use.
  ///   - version: The version of this program.
  public init(_ settings: ImageSettings, _ ingredients: JobIngredients, version: String) {
    prompt = settings.prompt
    negativePrompt = settings.negativePrompt
    let image = SettingsInUse(settings, ingredients)
    items = Self.ordinary.compactMap { Self.item($0, image, for: .text) }
    extras = Self.extras(image, version: version, for: .text)
  }

  /// An infotext key, and the row of its setting.
  private typealias Key = (row: SettingRow, entry: InfotextEntry)

  /// The keys that every image may have.
  private static let ordinary = keys(..<1000)
  /// The first of the webui's extra generation parameters: those of the second pass, which come before the hashes of LoRAs and
  /// embeddings.
  private static let ofSecondPass = keys(1000..<1100)
  /// The other extra generation parameters.
  private static let extra = keys(1100...)

  /// The keys at these positions, in order.
  private static func keys(_ positions: some RangeExpression<Int>) -> [Key] {
    SettingRow.all.flatMap { row in row.infotext.map { (row: row, entry: $0) } }
      .filter { positions.contains($0.entry.position) }.sorted { $0.entry.position < $1.entry.position }
  }

  /// The webui's extra generation parameters, in its order.
  ///
  /// - Parameters:
  ///   - image: The settings and ingredients of the image.
  ///   - version: The version of this program.
  ///   - reader: `.text` for the text in an image, `.info` for the object in a response.
  /// - Returns: The keys and values.
  static func extras(_ image: SettingsInUse, version: String, for reader: InfotextEntry.Readers) -> [Item] {
    ofSecondPass.compactMap { item($0, image, for: reader) } + adapterExtras(image.ingredients)
      + extra.compactMap { item($0, image, for: reader) }
      + [Item(key: "Generator", value: .string("sdbatch \(version)"))]
  }

  private static func item(
    _ key: Key, _ image: SettingsInUse, for reader: InfotextEntry.Readers
  ) -> Item? {
    guard key.entry.readers == .all || key.entry.readers == reader else { return nil }
    return key.entry.written(key.row, image).map { Item(key: key.entry.key, value: $0) }
  }

  private static func adapterExtras(_ ingredients: JobIngredients) -> [Item] {
    // If two tags have the same name, the webui records the last one.
    var loras: [(name: String, hash: String)] = []
    for lora in (ingredients.loras ?? []) + (ingredients.hiresLoRAs ?? []) {
      let name = keyed(lora.name)
      if let index = loras.firstIndex(where: { $0.name == name }) {
        loras[index].hash = lora.shortHash
      } else {
        loras.append((name, lora.shortHash))
      }
    }
    let embeddings = ingredients.embeddings.map { (name: keyed($0.name), hash: keyed($0.shortHash)) }
    return [("Lora hashes", loras), ("TI hashes", embeddings)].compactMap { key, hashes in
      hashes.isEmpty
        ? nil : Item(key: key, value: .string(hashes.map { "\($0.name): \($0.hash)" }.joined(separator: ", ")))
    }
  }

  /// A name without the characters that separate the entries of a list.
  static func keyed(_ name: String) -> String { String(name.unicodeScalars.filter { $0 != ":" && $0 != "," }) }

  /// The infotext: the prompt, the negative prompt unless it is empty, and one line of settings.
  ///
  /// Two changes make sure that the text reads back correctly: lines of prompts are trimmed, and a line that begins with
  /// `Negative prompt:` gets a lower-case n, which the tokenizer reads the same way.
  public var text: String {
    var text = Self.promptLines(prompt)
    if !negativePrompt.isEmpty { text += "\nNegative prompt: " + Self.promptLines(negativePrompt) }
    text += "\n" + (items + extras).map(Self.text).joined(separator: ", ")
    return String(PythonText.stripped(Substring(text).unicodeScalars))
  }

  private static func promptLines(_ prompt: String) -> String {
    PythonText.lines(prompt).map { line in
      let line = String(PythonText.stripped(line))
      return line.utf8.starts(with: "Negative prompt:".utf8) ? "n" + String(line.unicodeScalars.dropFirst()) : line
    }.joined(separator: "\n")
  }

  private static func text(_ item: Item) -> String {
    let value = item.value.pythonText
    return value == item.key ? item.key : "\(item.key): \(quoted(value))"
  }

  /// A value for the settings line. A value that the line's grammar would split or unquote becomes a JSON string.
  private static func quoted(_ value: String) -> String {
    let utf8 = value.utf8
    let isSplit = utf8.contains { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "\n") }
    let isUnquoted = utf8.first == UInt8(ascii: "\"") && utf8.last == UInt8(ascii: "\"")
    return isSplit || isUnquoted ? JSONString.quoted(value) : value
  }
}

extension JSONValue {
  /// The value as Python's `str` writes it.
  fileprivate var pythonText: String {
    switch self {
    case .null: "None"
    case .bool(let value): value ? "True" : "False"
    case .integer(let value): String(value)
    case .number(let value): PythonNumber.repr(value)
    case .string(let text): text
    case .array, .object: jsonText
    }
  }
}
