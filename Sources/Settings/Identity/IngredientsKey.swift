extension ImageSettings {
  /// The settings that determine a job's ingredients: jobs with equal keys have equal ingredients.
  public struct IngredientsKey: Hashable, Sendable {
    private let values: [SettingValue]

    private static let rows = SettingRow.all.filter { $0.ingredients != .never }

    /// Whether a byte of a prompt may start a tag or a special token, or may need repair: true for all but plain English text.
    private static func isTelling(_ byte: UInt8) -> Bool {
      byte == UInt8(ascii: "<") || byte == UInt8(ascii: "&") || byte >= 0x7F || (byte < 0x20 && byte != 0x0A)
    }

    fileprivate init(_ settings: ImageSettings) {
      let texts = [settings.prompt, settings.negativePrompt, settings.hires?.prompt, settings.hires?.negativePrompt]
      let areTextsRead =
        !settings.adapterFolders.isEmpty || texts.contains { $0?.utf8.contains(where: Self.isTelling) == true }
      values =
        [.flag(settings.hires != nil)]
        + Self.rows.compactMap { row in
          let decides =
            switch row.ingredients {
            case .never: false
            case .always: true
            case .ofPrompts: areTextsRead
            case .ofMemory: settings.memoryLimit != 0
            }
          return decides ? row.value(of: settings) : nil
        }
    }
  }

  /// The settings that determine the job's ingredients.
  public var ingredientsKey: IngredientsKey { IngredientsKey(self) }
}
