import JSON

/// The one declaration of a setting of an image.
///
/// A setting is declared once: as a property of `PassSettings` or `HiresSettings`, and as a row beside it. Recipes and their
/// JSON Schema, requests, axes, the frozen plan and the manifest, infotext and its reader, an image's identity and the manual
/// are derived from the row.
public final class SettingRow: Sendable {
  /// The key in recipes, plans and manifests: the webui's own name if it has one.
  public let key: String
  /// Other names of the key.
  public let aliases: [String]
  /// How a value is read, checked, described and written.
  public let kind: SettingKind
  /// One sentence for schema and manual.
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
    /// The second only.
    case second
  }

  /// When a setting determines an image's ingredients: files, precision and packing.
  public enum IngredientsUse: Hashable, Sendable {
    case never
    case always
    /// Only if prompts may name LoRAs or embeddings, because it then affects which of them are used.
    case ofPrompts
    /// Only under a `memory_limit`.
    case ofMemory
  }

  /// The setting's value; for a setting of a missing second pass, its default.
  public func value(of settings: ImageSettings) -> SettingValue { read(settings) }

  /// Sets the setting; does nothing if it belongs to a missing second pass.
  ///
  /// - Returns: False for a value of the wrong kind.
  @discardableResult
  public func set(_ value: SettingValue, in settings: inout ImageSettings) -> Bool { write(value, &settings) }

  /// Whether recipes can set it.
  public var isRecipeKey: Bool { kind != .folders && !isDerived }

  /// Whether only our recipes have the key: the webui has no field or option of this name.
  public var isOurs: Bool { request.field == nil && request.option != key }

  /// The settings that say how an image is kept, not what it shows.
  public static let ofFiles = ["format", "also", "quality", "webp_lossless", "file_name"].compactMap { named($0) }

  /// From which stage on the setting affects an image with these settings.
  public func stage(_ settings: ImageSettings) -> ImageStage {
    laterStage?(settings) ?? (pass == .second ? .secondPass : .firstPass)
  }

  /// Whether it does not always take effect when its pass begins: the first, or the second for a setting of its own.
  var isLater: Bool { laterStage != nil }

  /// Whether the setting affects the pixels of an image.
  public func affectsPixels(_ image: SettingsInUse) -> Bool { effect.applies(image) }
}

/// A part of an image's settings that has rows.
protocol SettingsPart: Sendable {
  /// Which pass the part belongs to.
  static var pass: SettingRow.Pass { get }
  /// Reads a property of the part; its default if the image has no such part. Plans of a million jobs read every row, so this
  /// must not copy the part.
  static func reader<Value: SettingRepresentable>(
    of path: WritableKeyPath<Self, Value> & Sendable
  ) -> @Sendable (ImageSettings) -> SettingValue
  /// Changes the part, if the image has one.
  static func change(_ settings: inout ImageSettings, _ body: (inout Self) -> Void)
}

extension SettingsPart {
  /// A row for a property whose type says how its value is held.
  static func row<Value: SettingRepresentable>(
    _ key: String, aliases: [String] = [], _ path: WritableKeyPath<Self, Value> & Sendable, _ kind: SettingKind,
    _ summary: String, effect: PixelEffect, infotext: [InfotextEntry] = [], request: RequestEntry = .none,
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

  /// A row for a choice, whose names are those of the property's type.
  static func row<Choice: SettingChoice>(
    _ key: String, aliases: [String] = [], choice path: WritableKeyPath<Self, Choice> & Sendable, _ summary: String,
    effect: PixelEffect, infotext: [InfotextEntry] = [], request: RequestEntry = .none, plot: [String] = [],
    ingredients: SettingRow.IngredientsUse = .never,
    shown: (@Sendable (SettingsInUse) -> SettingValue)? = nil
  ) -> SettingRow {
    row(
      key, aliases: aliases, path, .choice(Choice.allCases.map(\.rawValue)), summary, effect: effect,
      infotext: infotext, request: request, plot: plot, ingredients: ingredients, shown: shown)
  }
}

/// Lets a table of rows be written one below the other.
@resultBuilder enum RowTable {
  static func buildPartialBlock(first: SettingRow) -> [SettingRow] { [first] }
  static func buildPartialBlock(accumulated: [SettingRow], next: SettingRow) -> [SettingRow] { accumulated + [next] }
}

extension SettingRow {
  /// Every setting: those of each pass, then those of the second pass alone, in the order of plan and manual.
  public static let all: [SettingRow] = ofEveryPass + ofSecondPass

  /// The rows of every pass, and those of the second pass alone.
  static let ofEveryPass = PassSettings.rows
  static let ofSecondPass = HiresSettings.rows

  /// The row of this key; nil if there is none.
  public static func named(_ key: String) -> SettingRow? { byKey[key] }

  private static let byKey = Dictionary(uniqueKeysWithValues: all.map { ($0.key, $0) })
}
