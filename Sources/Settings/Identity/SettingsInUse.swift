/// An image's settings and ingredients: everything that determines its pixels.
public final class SettingsInUse: Sendable {
  /// The settings.
  public let settings: ImageSettings
  /// The ingredients.
  public let ingredients: JobIngredients
  /// The effective second pass; nil without one.
  let second: PassSettings?

  /// Settings and ingredients of an image.
  public init(_ settings: ImageSettings, _ ingredients: JobIngredients) {
    self.settings = settings
    self.ingredients = ingredients
    second = settings.secondPass
  }

  /// The second pass as requested; nil without one.
  var hires: HiresSettings? { settings.hires }

  /// The effective second pass if it samples; nil without one, and with `denoising_strength: 0`.
  var sampledAgain: PassSettings? { (hires?.denoisingStrength ?? 0) > 0 ? second : nil }

  /// The schedule of the second pass if it differs from the first pass's.
  var ownSecondSchedule: ScheduleID? {
    second.flatMap { $0.namedSchedule == settings.namedSchedule ? nil : $0.namedSchedule }
  }

  /// The part of the second pass in which guidance applies, if it samples and differs from the first pass's.
  var ownSecondInterval: PassInterval? {
    sampledAgain.flatMap { $0.guidanceInterval == settings.guidanceInterval ? nil : $0.guidanceInterval }
  }

  /// The `feature_forecast` of the second pass, if it samples and differs from the first pass's.
  var ownSecondForecast: Int? {
    // What the first pass has counts for both, unless its sampler ignores it.
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
