import JSON

/// The declaration of one setting of an image.
///
/// A setting is declared once: as a property of `PassSettings` or `HiresSettings`, and as a row next to it. Everything else is
/// derived from the row: recipes and their JSON Schema, requests, axes, the frozen plan, the manifest, infotexts and their
/// parser, an image's id, and the manual.
public final class SettingRow: Sendable {
  /// The key in recipes, plans and manifests: the webui's name if it has one.
  public let key: String
  /// Other names of the key.
  public let aliases: [String]
  /// How a value is read, checked, described and written.
  public let kind: SettingKind
  /// One sentence for the schema and the manual.
  public let summary: String
  /// Which pass the setting belongs to.
  public let pass: Pass
  /// When the setting affects pixels, and how its value goes into an image's identity.
  public let effect: PixelEffect
  /// The setting's keys in infotexts.
  public let infotext: [InfotextEntry]
  /// Where requests have the setting.
  public let request: RequestEntry
  /// The names of its axis in the webui's X/Y/Z plot.
  public let plotLabels: [String]
  /// When the setting determines an image's ingredients: files, precision and packing.
  public let ingredients: IngredientsUse
  /// From which stage on the setting affects an image; nil for the start of its pass.
  private let laterStage: (@Sendable (ImageSettings) -> ImageStage)?
  /// Whether the setting follows from others, so that no recipe sets it.
  private let isDerived: Bool
  /// When plan and manifest show the setting; otherwise they omit it.
  let isShown: @Sendable (ImageSettings) -> Bool
  /// What the manifest shows instead of the requested value; nil for the requested value.
  let shown: (@Sendable (SettingsInUse) -> SettingValue)?

  /// The default.
  public let defaultValue: SettingValue

  private let read: @Sendable (ImageSettings) -> SettingValue
  private let write: @Sendable (SettingValue, inout ImageSettings) -> Bool

  fileprivate init(
    key: String, aliases: [String], kind: SettingKind, summary: String, pass: Pass, effect: PixelEffect,
    infotext: [InfotextEntry], request: RequestEntry, plotLabels: [String], ingredients: IngredientsUse,
    stage: (@Sendable (ImageSettings) -> ImageStage)?, isDerived: Bool,
    isShown: @escaping @Sendable (ImageSettings) -> Bool,
    shown: (@Sendable (SettingsInUse) -> SettingValue)?,
    read: @escaping @Sendable (ImageSettings) -> SettingValue,
    write: @escaping @Sendable (SettingValue, inout ImageSettings) -> Bool
  ) {
    self.key = key
    self.aliases = aliases
    self.kind = kind
    self.summary = summary
    self.pass = pass
    self.effect = effect
    self.infotext = infotext
    self.request = request
    self.plotLabels = plotLabels
    self.ingredients = ingredients
    laterStage = stage
    self.isDerived = isDerived
    self.isShown = isShown
    self.shown = shown
    self.read = read
    self.write = write
    var defaults = ImageSettings()
    defaults.hires = HiresSettings()
    defaultValue = read(defaults)
  }

  /// Which pass a setting belongs to.
  public enum Pass: Hashable, Sendable {
    /// Both, unless a row of the second pass overrides it.
    case every
    /// Only the second pass.
    case second
  }

  /// When a setting determines an image's ingredients: files, precision and packing.
  public enum IngredientsUse: Hashable, Sendable {
    case never
    case always
    /// Only if prompts may name LoRAs or embeddings, because the setting then affects which of them are used.
    case ofPrompts
    /// Only if there is a `memory_limit`.
    case ofMemory
  }

  /// The setting's value. For a setting of the second pass, the default if there is no second pass.
  public func value(of settings: ImageSettings) -> SettingValue { read(settings) }

  /// Sets the setting. Has no effect on a setting of the second pass if there is no second pass.
  ///
  /// - Returns: False if the value has the wrong kind.
  @discardableResult
  public func set(_ value: SettingValue, in settings: inout ImageSettings) -> Bool { write(value, &settings) }

  /// Whether recipes can set it.
  public var isRecipeKey: Bool { kind != .folders && !isDerived }

  /// Whether only our recipes have the key: the webui has no field or option with this name.
  public var isOurs: Bool { request.field == nil && request.option != key }

  /// The settings about an image's files, which do not change what it shows.
  public static let ofFiles = ["format", "also", "quality", "webp_lossless", "file_name"].compactMap { named($0) }

  /// The stage from which the setting affects an image with these settings.
  public func stage(_ settings: ImageSettings) -> ImageStage {
    laterStage?(settings) ?? (pass == .second ? .secondPass : .firstPass)
  }

  /// Whether the setting may take effect after the start of its pass.
  var isLater: Bool { laterStage != nil }

  /// Whether the setting affects the pixels of an image.
  public func affectsPixels(_ image: SettingsInUse) -> Bool { effect.applies(image) }
}

/// A part of an image's settings that has rows.
protocol SettingsPart: Sendable {
  /// Which pass the part belongs to.
  static var pass: SettingRow.Pass { get }
  /// Reads a property of the part; its default if the image has no such part. It must not copy the part, because plans of a
  /// million jobs read every row.
  static func reader<Value: SettingRepresentable>(
    of path: WritableKeyPath<Self, Value> & Sendable
  ) -> @Sendable (ImageSettings) -> SettingValue
  /// Changes the part, if the image has one.
  static func change(_ settings: inout ImageSettings, _ body: (inout Self) -> Void)
}

extension SettingsPart {
  /// A row for a property; its type says how the value is represented.
  // Not inlined, because of the time that the optimiser would need for the tables.
  @inline(never) static func row<Value: SettingRepresentable>(
    _ key: String, aliases: [String] = [], _ path: WritableKeyPath<Self, Value> & Sendable, _ kind: SettingKind,
    _ summary: String, effect: PixelEffect, infotext: [InfotextEntry] = [], request: RequestEntry,
    plot: [String] = [], ingredients: SettingRow.IngredientsUse = .never,
    stage: (@Sendable (ImageSettings) -> ImageStage)? = nil, isDerived: Bool = false,
    isShown: @escaping @Sendable (ImageSettings) -> Bool = { _ in true },
    shown: (@Sendable (SettingsInUse) -> SettingValue)? = nil
  ) -> SettingRow {
    SettingRow(
      key: key, aliases: aliases, kind: kind, summary: summary, pass: pass, effect: effect, infotext: infotext,
      request: request, plotLabels: plot, ingredients: ingredients, stage: stage, isDerived: isDerived,
      isShown: isShown, shown: shown, read: reader(of: path),
      write: { value, settings in
        guard let value = Value(value) else { return false }
        change(&settings) { $0[keyPath: path] = value }
        return true
      })
  }

  /// A row for a choice between the names of the property's type.
  @inline(never) static func row<Choice: SettingChoice>(
    _ key: String, aliases: [String] = [], choice path: WritableKeyPath<Self, Choice> & Sendable, _ summary: String,
    effect: PixelEffect, infotext: [InfotextEntry] = [], request: RequestEntry, plot: [String] = [],
    ingredients: SettingRow.IngredientsUse = .never,
    shown: (@Sendable (SettingsInUse) -> SettingValue)? = nil
  ) -> SettingRow {
    row(
      key, aliases: aliases, path, .choice(Choice.allCases.map(\.rawValue)), summary, effect: effect,
      infotext: infotext, request: request, plot: plot, ingredients: ingredients, shown: shown)
  }
}

/// Allows a table of rows to be written one below the other.
@resultBuilder enum RowTable {
  static func buildBlock(_ rows: SettingRow...) -> [SettingRow] { rows }
}

extension SettingRow {
  /// All settings: those of every pass, then those of the second pass only, in the order of plan and manual.
  public static let all: [SettingRow] = ofEveryPass + ofSecondPass

  /// The rows of every pass, then those of the second pass only.
  static let ofEveryPass = PassSettings.rows
  static let ofSecondPass = HiresSettings.rows

  /// The row with this key; nil if there is none.
  public static func named(_ key: String) -> SettingRow? { byKey[key] }

  private static let byKey = Dictionary(uniqueKeysWithValues: all.map { ($0.key, $0) })
}
