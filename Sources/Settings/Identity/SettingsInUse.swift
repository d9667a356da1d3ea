import JSON

/// An image's settings and ingredients: everything that determines its pixels.
public final class SettingsInUse: Sendable {
  /// The settings.
  public let settings: ImageSettings
  /// The ingredients.
  public let ingredients: JobIngredients
  /// The effective second pass; nil without one.
  let second: PassSettings?

  /// Creates the settings and ingredients of an image.
  public init(_ settings: ImageSettings, _ ingredients: JobIngredients) {
    self.settings = settings
    self.ingredients = ingredients
    second = settings.secondPass
  }

  /// The second pass as requested; nil without one.
  var hires: HiresSettings? { settings.hires }

  /// The effective second pass if it samples; nil if there is none or `denoising_strength` is 0.
  var sampledAgain: PassSettings? { (hires?.denoisingStrength ?? 0) > 0 ? second : nil }

  /// The schedule of the second pass if it differs from the first pass's.
  var ownSecondSchedule: ScheduleID? {
    second.flatMap { $0.namedSchedule == settings.namedSchedule ? nil : $0.namedSchedule }
  }

  /// The part of the second pass in which guidance applies; nil if the pass does not sample or has the same as the first pass.
  var ownSecondInterval: PassInterval? {
    sampledAgain.flatMap { $0.guidanceInterval == settings.guidanceInterval ? nil : $0.guidanceInterval }
  }

  /// The identity of forecasting: the interval, the number of steps before the first forecast, which used to be four, and
  /// `together` for images whose prompts used to be forecast in different calls.
  func forecastIdentity(_ interval: Int) -> JSONValue {
    let isNew = settings.base.promptsComeAndGo || sampledAgain?.promptsComeAndGo == true
    return .array([.integer(Int64(interval)), 3] + (isNew ? ["together"] : []))
  }

  /// The `feature_forecast` of the second pass; nil if the pass does not sample or has the same as the first pass.
  var ownSecondForecast: Int? {
    // The first pass's value is the value of both passes, unless its sampler ignores it.
    let inherited = settings.base.forecastMatters ? settings.featureForecast : 1
    return sampledAgain.flatMap { second in
      let own = second.forecastMatters ? second.featureForecast : 1
      return own == inherited ? nil : own
    }
  }

  /// Whether the condition holds in either pass.
  func inAnyPass(_ holds: (PassSettings) -> Bool) -> Bool { holds(settings.base) || second.map(holds) ?? false }

  /// Whether a prompt has brackets, which `emphasis` applies to.
  var emphasisMatters: Bool {
    settings.emphasis != .original && inAnyPass { $0.traits.prompts.readsWeights } && anyPromptContains(["(", "["])
  }

  /// Whether a prompt has square brackets, whose numbers `use_old_scheduling` applies to.
  var timelinesMatter: Bool { settings.timelines != .current && anyPromptContains(["["]) }

  private func anyPromptContains(_ scalars: Set<Unicode.Scalar>) -> Bool {
    [settings.prompt, settings.negativePrompt, hires?.prompt ?? "", hires?.negativePrompt ?? ""].contains { text in
      text.unicodeScalars.contains { scalars.contains($0) }
    }
  }
}
