import Prompts
import Settings

/// A key of recipes.
///
/// `RecipeKey.all` is the only list of keys: reading, checking, axes, excludes, messages and documentation use it. Settings of
/// an image come from `SettingRow`. The keys declared here are the additional ones that settings are composed from, and those
/// of the document.
public final class RecipeKey: Sendable {
  /// The name that recipes and manifests use.
  public let name: String
  /// Other names for the same key.
  public let aliases: [String]
  /// The kind of the key's value.
  public let kind: SettingKind
  /// One sentence about the key.
  public let summary: String
  /// How requests give the key's value.
  let request: RequestEntry
  /// The names of its axis in the webui's X/Y/Z plot.
  let plotLabels: [String]
  /// Which pass it belongs to.
  let pass: SettingRow.Pass
  /// Whether only our recipes have the key: the webui has no field or option with this name.
  let isOurs: Bool
  /// Keys with the same word here affect the same settings of a cell.
  let concern: String
  /// Writes the key's value into a cell.
  let apply: @Sendable (KeyValue, inout CellDraft) -> Void
  /// The resolved value of a cell, which excludes are compared with; nil for keys of the document.
  let resolved: (@Sendable (CellDraft) -> KeyValue)?
  /// The value of a cell before other keys changed it, which excludes may also be compared with.
  let written: (@Sendable (CellDraft) -> KeyValue)?
  /// The name of the wildcard that the key sets.
  let wildcard: String?

  /// Creates an additional key that settings are composed from.
  init(
    _ name: String, _ kind: SettingKind, concern: String? = nil, _ summary: String, request: RequestEntry = .none,
    plot: [String] = [], pass: SettingRow.Pass = .every, isOurs: Bool? = nil, wildcard: String? = nil,
    resolved: (@Sendable (CellDraft) -> KeyValue)?, written: (@Sendable (CellDraft) -> KeyValue)? = nil,
    apply: @escaping @Sendable (KeyValue, inout CellDraft) -> Void
  ) {
    self.name = name
    aliases = []
    self.kind = kind
    self.summary = summary
    self.request = request
    plotLabels = plot
    self.pass = pass
    self.isOurs = isOurs ?? (request.field == nil && request.option != name)
    self.concern = concern ?? name
    self.apply = apply
    self.resolved = resolved
    self.written = written
    self.wildcard = wildcard
  }

  /// Creates the key for a setting of an image.
  private init(_ row: SettingRow) {
    let composition = Composition.named[row.key]
    name = row.key
    aliases = row.aliases
    kind = row.kind
    summary = row.summary
    request = row.request
    plotLabels = row.plotLabels
    pass = row.pass
    isOurs = row.isOurs
    concern = composition?.concern ?? row.key
    if let apply = composition?.apply {
      self.apply = apply
    } else {
      apply = { value, draft in
        if case .setting(let value) = value { row.set(value, in: &draft.settings) }
      }
    }
    if let resolved = composition?.resolved {
      self.resolved = resolved
    } else {
      resolved = { .setting(row.value(of: $0.settings)) }
    }
    written = composition?.written
    wildcard = nil
  }

  /// A part of the document.
  private convenience init(
    document name: String, _ kind: SettingKind, isOurs: Bool = true, _ summary: String, request: RequestEntry = .none
  ) {
    self.init(name, kind, summary, request: request, isOurs: isOurs, resolved: nil) { _, _ in }
  }

  /// Creates the key for the replacement of a prompt's wildcard; a default does not overwrite another key's value.
  convenience init(wildcard: String, isDefault: Bool = false) {
    self.init(
      Wildcard.text(wildcard), .text, concern: "prompt", "The text that replaces the wildcard.", wildcard: wildcard,
      resolved: { .text($0.wildcards[wildcard] ?? "") },
      apply: { value, draft in
        if !isDefault || draft.wildcards[wildcard] == nil { draft.wildcards[wildcard] = value.asText }
      })
  }

  /// Creates the key for an edit of an axis that has no key in recipes.
  private convenience init(
    axis name: String, concern: String = "prompt", apply: @escaping @Sendable (KeyValue, inout CellDraft) -> Void
  ) {
    self.init(name, .text, concern: concern, "An axis's edit of a cell.", resolved: nil, apply: apply)
  }

  /// For a line of a file of prompts, the number of its images before this one.
  static let seedOffset = RecipeKey(axis: "seed offset", concern: "seed") { $1.seedOffset = $0.asInteger }
  /// One more edit of the prompts.
  static let promptEdit = RecipeKey(axis: "prompt edit") { $1.edits.append($0.asEdit) }
  /// The combination of a prompt matrix.
  static let promptMatrix = RecipeKey(axis: "prompt matrix") { $1.matrix = $0.asCombination }
  /// The number of a dynamic prompt.
  static let combination = RecipeKey(axis: "dynamic prompt") { $1.combinations[.prompt] = Int($0.asInteger) }
  /// The number of a dynamic negative prompt.
  static let negativeCombination = RecipeKey(axis: "dynamic negative prompt") {
    $1.combinations[.negativePrompt] = Int($0.asInteger)
  }
  /// The combination of a matrix of the negative prompt.
  static let negativePromptMatrix = RecipeKey(axis: "negative prompt matrix") { $1.negativeMatrix = $0.asCombination }

  /// Whether the key is a setting of a job, and so may be an axis, an exclude or an include.
  public var isSetting: Bool { resolved != nil }

  /// Whether the key is about the image's files. Cells with the same pixels share a file, so such a key cannot be an axis.
  var isOfFiles: Bool { Self.ofFiles.contains(name) }
  private static let ofFiles = Set(SettingRow.ofFiles.map(\.key))

  /// The message about such a key in the description of a cell.
  var refusalInCells: String {
    "found \(name) here, expected a setting of a job; \(name) belongs to the top level, because it changes no pixel, and "
      + "cells with the same pixels share their files"
  }

  /// The key with this name or alias, or the wildcard with this name.
  static func named(_ name: String) -> RecipeKey? {
    byName[name] ?? Wildcard.name(name).map { RecipeKey(wildcard: $0) }
  }

  /// Whether the key has no effect without a second pass.
  var isOfSecondPass: Bool { pass == .second || name.hasPrefix("firstphase_") }

  /// The names to suggest if a setting of a job is expected.
  static let settingNames = all.filter(\.isSetting).map(\.name)

  private static let byName = Dictionary(
    all.flatMap { key in ([key.name] + key.aliases).map { ($0, key) } }, uniquingKeysWith: { first, _ in first })

  /// All keys, in the order of the documentation: settings, each followed by its additional keys, then the keys of the
  /// document.
  public static let all: [RecipeKey] =
    SettingRow.all.filter(\.isRecipeKey).flatMap { row in
      (row.key == "denoising_strength" ? [Composition.secondPass] : []) + [RecipeKey(row)]
        + (Composition.after[row.key] ?? [])
    } + document

  private static let document = [
    RecipeKey(document: "grid", .axes, "Axes that are multiplied; the last varies fastest."),
    RecipeKey(document: "zip", .axisGroups, "Groups of axes that advance together; each group is one more axis."),
    RecipeKey(document: "exclude", .cells, "Cells to exclude: those whose values or titles match."),
    RecipeKey(document: "include", .cells, "Cells to add: the base with these values, after all others."),
    RecipeKey(
      document: "nightly", .nights, "New seeds for each date on which the recipe runs, and how many nights are kept."),
    RecipeKey(
      document: "prompts_from", .files,
      "Files of prompts, or - for the standard input: each line or row is a value of one more axis, before all others."),
    RecipeKey(
      document: "dynamic_prompts", .choice(DynamicPrompts.Mode.allCases.map(\.rawValue)),
      "Whether {a|b}, __lists__ and ${variables} in prompts are resolved: by draws, as an axis of all, or in order.",
      request: .option("dynamic_prompts")),
    RecipeKey(
      document: "prompt_limit", .integer(1...10_000_000, multipleOf: 1),
      "How many prompts the axis of dynamic_prompts: combinatorial has at most: the first ones."),
    RecipeKey(document: "styles_file", .files, "The CSV files of styles; by default styles.csv next to the recipe."),
    RecipeKey(document: "output", .path, "The run's folder, relative to the current folder."),
    RecipeKey(document: "sheet", .sheet, "Which axes the contact sheet lays out."),
    RecipeKey(document: "notify", .notices, "Where to report that a run began and how it ended."),
    RecipeKey(document: "webhook", .address, isOurs: false, "Where to announce a finished run or each of its images."),
  ]
}

extension RecipeKey: Equatable {
  /// Whether both keys have the same name.
  public static func == (a: RecipeKey, b: RecipeKey) -> Bool { a === b || a.name == b.name }
}
