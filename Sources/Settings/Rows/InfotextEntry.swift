import JSON

/// One key of infotexts, and how a setting is written and read under it.
public struct InfotextEntry: Sendable {
  /// The key.
  public let key: String
  /// The position: keys are written in the order of these numbers, as in the webui. The keys from 1000 on are those that the
  /// webui calls extra generation parameters.
  package let position: Int
  /// Other spellings of this key that are read.
  package let spellings: [String]
  /// How the value is read back.
  package let reading: Reading
  /// Which outputs contain the key.
  package let readers: Readers
  /// Computes the text; nil to write the setting's value.
  private let text: (@Sendable (SettingsInUse) -> JSONValue?)?
  private let condition: (@Sendable (SettingsInUse) -> Bool)?

  /// How a value is read back.
  package enum Reading: Sendable {
    /// According to the setting's kind.
    case byKind
    /// By `InfotextSettings`, together with other keys.
    case together
  }

  /// Which outputs contain a key.
  package enum Readers: Sendable {
    /// The image's text and the `info` of a response.
    case all
    /// Only the image's text.
    case text
    /// Only the `info`, where the webui stores values that it turns into text later.
    case info
  }

  /// A key with the setting's value, written under a condition.
  ///
  /// - Parameters:
  ///   - key: The webui's key if it has one.
  ///   - position: Its position among the keys.
  ///   - spellings: Other spellings of this key that are read.
  ///   - reading: How the value is read back.
  ///   - readers: Which outputs contain the key.
  ///   - condition: When the key is written; by default if the setting affects pixels and does not have its default value.
  /// - Returns: The entry.
  static func entry(
    _ key: String, at position: Int, spellings: [String] = [], reading: Reading = .byKind, for readers: Readers = .all,
    when condition: (@Sendable (SettingsInUse) -> Bool)? = nil
  ) -> InfotextEntry {
    InfotextEntry(
      key: key, position: position, spellings: spellings, reading: reading, readers: readers, text: nil,
      condition: condition)
  }

  /// A key with a computed value, written unless `text` returns nil.
  static func computed(
    _ key: String, at position: Int, spellings: [String] = [], reading: Reading = .together,
    for readers: Readers = .all,
    _ text: @escaping @Sendable (SettingsInUse) -> JSONValue?
  ) -> InfotextEntry {
    InfotextEntry(
      key: key, position: position, spellings: spellings, reading: reading, readers: readers, text: text, condition: nil
    )
  }

  /// The value of the key in an image's infotext; nil if the key is omitted.
  package func written(_ row: SettingRow, _ image: SettingsInUse) -> JSONValue? {
    if let text { return text(image) }
    let value = row.value(of: image.settings)
    let isWritten = condition.map { $0(image) } ?? (row.affectsPixels(image) && value != row.defaultValue)
    return value.json.only(if: isWritten)
  }
}
