/// An image's settings together with what it is made from: all that decides about its pixels.
public struct SettingsInUse: Sendable {
  /// The settings.
  public let settings: ImageSettings
  /// What the image is made from.
  public let ingredients: JobIngredients
  /// What the second pass does; nil without one.
  let second: PassSettings?

  /// Settings and ingredients of an image.
  public init(_ settings: ImageSettings, _ ingredients: JobIngredients) {
    self.settings = settings
    self.ingredients = ingredients
    second = settings.secondPass
  }

  /// The second pass as it was asked for; nil without one.
  var hires: HiresSettings? { settings.hires }

  /// What the second pass does if it takes steps; nil without one, and with `denoising_strength: 0`.
  var sampledAgain: PassSettings? { (hires?.denoisingStrength ?? 0) > 0 ? second : nil }

  /// The schedule of the second pass if it is not the first pass's.
  var ownSecondSchedule: ScheduleID? {
    second.flatMap { $0.namedSchedule == settings.namedSchedule ? nil : $0.namedSchedule }
  }

  /// Whether something holds in one of the passes.
  func inAnyPass(_ holds: (PassSettings) -> Bool) -> Bool { holds(settings.base) || second.map(holds) ?? false }

  /// Whether some prompt has brackets, on which `emphasis` acts.
  var emphasisMatters: Bool { settings.emphasis != .original && anyPromptContains(["(", "["]) }

  /// Whether some prompt has square brackets, on whose numbers `use_old_scheduling` acts.
  var timelinesMatter: Bool { settings.timelines != .current && anyPromptContains(["["]) }

  private func anyPromptContains(_ scalars: Set<Unicode.Scalar>) -> Bool {
    [settings.prompt, settings.negativePrompt, hires?.prompt ?? "", hires?.negativePrompt ?? ""].contains { text in
      text.unicodeScalars.contains { scalars.contains($0) }
    }
  }
}
