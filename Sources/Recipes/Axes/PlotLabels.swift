import Settings

/// The names that the webui's X/Y/Z plot gives to its axes; an axis may have them in any case.
enum PlotLabels {
  /// The key that an axis of this name varies.
  static func key(_ name: String) -> RecipeKey? {
    RecipeKey.named(name) ?? keys[name.lowercased()].flatMap(RecipeKey.named)
  }

  /// What an axis of this name is called here.
  static func axisName(_ name: String) -> String { key(name)?.name ?? PromptAxis.named(name)?.name ?? name }

  /// Why there is no such axis, where the webui has one.
  static func refusal(_ name: String) -> String? { refusals[name.lowercased()] }

  /// Names of keys by the plot's labels in lower case.
  static let keys = Dictionary(
    uniqueKeysWithValues: RecipeKey.all.flatMap { key in key.plotLabels.map { ($0.lowercased(), key.name) } })

  private static let refusals = Dictionary(
    uniqueKeysWithValues: [
      ("nothing", "leave the axis out"),
      (
        "cond. image mask weight",
        "it only serves images that start from another, which this version does not make"
      ),
    ] + RefusedSetting.all.compactMap { refused in refused.plot.map { ($0.label.lowercased(), $0.reason) } })
}
