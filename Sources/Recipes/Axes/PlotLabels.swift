import Settings

/// The webui's names of the axes of its X/Y/Z plot, which recipes may use in any letter case.
enum PlotLabels {
  /// The key that an axis with this name sets.
  static func key(_ name: String) -> RecipeKey? {
    RecipeKey.named(name) ?? keys[name.lowercased()].flatMap(RecipeKey.named)
  }

  /// This program's name of the axis.
  static func axisName(_ name: String) -> String { key(name)?.name ?? PromptAxis.named(name)?.name ?? name }

  /// Why the webui's axis with this name is not supported; nil if the webui has no such axis.
  static func refusal(_ name: String) -> String? { refusals[name.lowercased()] }

  /// The names of keys, by the plot's labels in lower case.
  static let keys = Dictionary(
    uniqueKeysWithValues: RecipeKey.all.flatMap { key in key.plotLabels.map { ($0.lowercased(), key.name) } })

  private static let refusals = Dictionary(
    uniqueKeysWithValues: [
      ("nothing", "remove the axis"),
      (
        "cond. image mask weight",
        "only img2img uses it"
      ),
    ] + RefusedSetting.all.compactMap { refused in refused.plot.map { ($0.label.lowercased(), $0.reason) } })
}
