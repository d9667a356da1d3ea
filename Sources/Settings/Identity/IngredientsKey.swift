extension ImageSettings {
  /// The settings that determine a job's ingredients: jobs with equal keys have equal ingredients.
  public struct IngredientsKey: Hashable, Sendable {
    private let values: [SettingValue]

    private static let rows = SettingRow.all.filter { $0.ingredients != .never }

    fileprivate init(_ settings: ImageSettings) {
      let texts = settings.prompt + (settings.hires?.prompt ?? "")
      let hasAdapters = !settings.adapterFolders.isEmpty || texts.utf8.contains(UInt8(ascii: "<"))
      values =
        [.flag(settings.hires != nil)]
        + Self.rows.compactMap { row in
          let decides =
            switch row.ingredients {
            case .never: false
            case .always: true
            case .ofPrompts: hasAdapters
            case .ofMemory: settings.memoryLimit != 0
            }
          return decides ? row.value(of: settings) : nil
        }
    }
  }

  /// The settings that determine the job's ingredients.
  public var ingredientsKey: IngredientsKey { IngredientsKey(self) }
}
