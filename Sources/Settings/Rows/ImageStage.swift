/// The stages of making an image, in order. A setting that takes effect in one stage does not change the earlier ones.
public enum ImageStage: Int, Comparable, Sendable {
  /// From the initial noise on.
  case firstPass
  /// From some call of the network in the first pass on, which only the generator knows: edited prompts, a refiner.
  case duringFirstPass
  /// After the first pass: enlarging and sampling again.
  case secondPass
  /// From some call of the network in the second pass on, which only the generator knows.
  case duringSecondPass
  /// When the finished latent becomes an image, and afterwards.
  case decoding

  /// Whether one comes before the other.
  public static func < (one: ImageStage, other: ImageStage) -> Bool { one.rawValue < other.rawValue }
}

extension ImageSettings {
  /// The settings, without those that take effect after a stage.
  ///
  /// - Parameter stage: The last stage that counts.
  /// - Returns: The settings, in which those that take effect later have their defaults.
  public func upTo(_ stage: ImageStage) -> ImageSettings {
    var settings = self
    for row in Self.laterRows where row.stage(self) > stage { row.set(row.defaultValue, in: &settings) }
    if stage < .secondPass { settings.hires = nil }
    return settings
  }

  /// The rows of settings that may take effect after the start of their pass.
  private static let laterRows = SettingRow.all.filter(\.isLater)
}

extension JobIngredients {
  /// The ingredients, without those that are used after a stage.
  ///
  /// - Parameters:
  ///   - stage: The last stage that counts.
  ///   - settings: The settings of the job.
  /// - Returns: The ingredients.
  public func upTo(_ stage: ImageStage, _ settings: ImageSettings) -> JobIngredients {
    var ingredients = self
    if stage < .duringFirstPass { ingredients.refiner = nil }
    if stage < .secondPass {
      (ingredients.hiresModel, ingredients.hiresLoRAs, ingredients.upscaler) = (nil, nil, nil)
    }
    if stage < SettingRow.vaeStage(settings) { ingredients.vae = nil }
    if stage < .decoding { ingredients.faces = nil }
    return ingredients
  }
}

extension SettingRow {
  /// A VAE decodes the finished latent, and also the first pass's if images are enlarged.
  static func vaeStage(_ settings: ImageSettings) -> ImageStage {
    settings.hires?.enlargesImages == true ? .secondPass : .decoding
  }
}
