import JSON
import Prompts
import Settings
import Text

/// A recipe for one image, written from its settings.
///
/// It always contains the main keys, even at their defaults, and other keys only if they differ from the default.
public struct ImageRecipe: Sendable {
  private let entries: [(key: RecipeKey, value: KeyValue)]
  /// Whether the settings name no model, so that the user must add one.
  private let lacksModel: Bool

  /// The keys that users expect in every recipe.
  private static let mainKeys: Set<String> = [
    "model", "prompt", "seed", "steps", "cfg_scale", "sampler_name", "scheduler", "width", "height", "rng",
  ]

  /// Creates a recipe for the image with these settings.
  ///
  /// - Parameter parameters: The settings. Models are written by path, or by name if they have no path. For a model with
  ///   neither, the recipe has an empty `model:`, with which it does not run.
  public init(_ parameters: ImageSettings) {
    let defaults = CellDraft(environment: PlanningEnvironment())
    let draft = CellDraft(parameters)
    lacksModel = parameters.model.path == nil && parameters.model.name.isEmpty
    entries = RecipeKey.all.compactMap { key in
      guard !key.isCombined, let resolved = key.resolved else { return nil }
      let value = resolved(draft)
      if case .setting(.model(let model)) = value, model.path == nil, model.name.isEmpty { return nil }
      return Self.mainKeys.contains(key.name) || value != resolved(defaults) ? (key, value) : nil
    }
  }

  /// All settings under the recipe's keys, including the schedule in use.
  ///
  /// - Parameter parameters: The settings. Models are shown by path, or by name if they have no path.
  /// - Returns: An object.
  public static func json(_ parameters: ImageSettings) -> JSONValue {
    var parameters = parameters
    let hasSecondPass = parameters.hires != nil
    parameters.scheduler = parameters.namedSchedule
    let draft = CellDraft(parameters)
    let defaults = CellDraft(environment: PlanningEnvironment())
    return .object(
      RecipeKey.all.compactMap { key in
        guard !key.isCombined, let value = key.resolved?(draft), !key.name.hasSuffix("_append") else { return nil }
        guard hasSecondPass || !key.isOfSecondPass else { return nil }
        // These settings are about the image's files, not about the image.
        if key.isOfFiles, value == key.resolved?(defaults) { return nil }
        return JSONMember(key.name, value.json)
      })
  }

  /// The keys of the recipe and their values as plain text.
  public var settings: [(key: String, value: String)] { entries.map { ($0.key.name, $0.value.scalar.text) } }

  /// The recipe as YAML.
  public var text: String {
    let nowhere = SourcePosition(file: "", line: 0, column: 0)
    let root = YAMLNode(
      .mapping(
        entries.map { key, value in
          YAMLEntry(
            key: YAMLScalar(key.name), keyPosition: nowhere, value: value.node(at: nowhere))
        }), at: nowhere)
    return (lacksModel ? "model:  # write the model's file here\n" : "") + (YAMLWriter.text(of: root) ?? "")
  }
}

extension RecipeKey {
  /// Whether other keys already cover it: width and height, prompts with styles applied and resolved, or the face restorer.
  fileprivate var isCombined: Bool {
    switch kind {
    case .size, .styles: true
    default: name == "face_restore" || name == "prompt_seed"
    }
  }
}

extension CellDraft {
  /// Creates a cell that resolves to these settings.
  fileprivate init(_ parameters: ImageSettings) {
    self.init(environment: PlanningEnvironment())
    self.settings = parameters
    self.settings.hires = parameters.hires ?? HiresSettings()
    basePrompt = parameters.prompt
    baseNegativePrompt = parameters.negativePrompt
    // Comments have already been removed from the settings, so a remaining # is text.
    let prompts = [
      parameters.prompt, parameters.negativePrompt, parameters.hires?.prompt ?? "",
      parameters.hires?.negativePrompt ?? "",
    ]
    stripsComments = !prompts.contains { $0.unicodeScalars.contains("#") }
    // Wildcards have already been replaced, so a remaining __name__ is text.
    hasWildcards = Wildcard.names(in: parameters.prompt + "\n" + parameters.negativePrompt).isEmpty
    (steps, cfgScale) = (parameters.steps, parameters.cfgScale)
    sampler = (parameters.sampler, nil)
    scheduler = parameters.scheduler
    width = parameters.width
    height = parameters.height
    hires = HiresDraft(parameters)
  }
}

extension KeyValue {
  /// The value as a recipe writes it.
  fileprivate func node(at position: SourcePosition) -> YAMLNode {
    guard case .setting(.models(let models)) = self else { return YAMLNode(.scalar(scalar), at: position) }
    return YAMLNode(
      .sequence(
        models.map { YAMLNode(.scalar(YAMLScalar($0.path ?? $0.name, style: .doubleQuoted)), at: position) }),
      at: position)
  }

  fileprivate var json: JSONValue {
    switch self {
    case .setting(.model), .setting(.upscaler): .string(scalar.text)
    case .setting(.models(let models)): .array(models.map { .string($0.path ?? $0.name) })
    case .setting(let value): value.json
    case .styles(let styles): .array(styles.map { .string($0.name) })
    case .size, .edit, .combination: .string(scalar.text)
    }
  }

  /// The value as a recipe writes it.
  fileprivate var scalar: YAMLScalar {
    switch self {
    case .setting(let value): value.scalar
    case .size(let width, let height): YAMLScalar("\(width)x\(height)")
    // These are already merged into the prompts, so no key has such a value.
    case .styles, .edit, .combination: YAMLScalar("")
    }
  }
}

extension SettingValue {
  /// The value as a recipe writes it.
  fileprivate var scalar: YAMLScalar {
    switch self {
    case .text(let text): YAMLScalar(text, style: .doubleQuoted)
    case .integer(let integer): YAMLScalar("\(integer)")
    case .number(let number): YAMLScalar(Int64(exactly: number).map { "\($0)" } ?? PythonNumber.repr(number))
    case .interval(let interval): YAMLScalar(interval.text)
    case .layers(let layers): YAMLScalar(layers.text)
    case .sampler(let sampler, _): YAMLScalar(sampler.rawValue)
    case .schedule(let schedule): YAMLScalar(schedule.rawValue)
    case .model(let model) where model == .demo: YAMLScalar(model.name)
    case .model(let model): YAMLScalar(model.path ?? model.name, style: .doubleQuoted)
    case .upscaler(let upscaler): YAMLScalar(upscaler.path ?? upscaler.name, style: .doubleQuoted)
    case .choice(let name): YAMLScalar(name)
    case .choices(let names): YAMLScalar(names.joined(separator: ", "))
    case .flag(let flag): YAMLScalar(flag ? "true" : "false")
    case .models(let models): YAMLScalar(models.map { $0.path ?? $0.name }.joined(separator: ", "))
    case .folders, .null: YAMLScalar("")
    }
  }
}
