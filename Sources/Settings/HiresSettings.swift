/// The second pass of an image, which the webui calls hires fix: what the first pass made is enlarged, and some of its noise
/// is put back and taken away once more.
///
/// The coding keys are the recipe's keys, which are the webui's request fields.
public struct HiresSettings: Codable, Hashable, Sendable {
  /// How many times as wide and high the image becomes, unless a size is given.
  public var scale: Double
  /// The width to reach, in pixels; 0 follows from the height.
  public var resizeX: Int
  /// The height to reach, in pixels; 0 follows from the width.
  public var resizeY: Int
  /// What enlarges; nothing stands for the first latent filter, and is not told of.
  public var upscaler: UpscalerReference?
  /// Sampling steps of the second pass; 0 for as many as in the first.
  public var steps: Int
  /// How much noise is put back: 1 all of it, 0 none.
  public var denoisingStrength: Double
  /// The checkpoint; nothing for the first pass's.
  public var checkpoint: ModelReference?
  /// Which pass a refiner finishes.
  public var refinerPass: RefinerPass
  /// How the steps are taken; nothing for the first pass's sampler.
  public var sampler: SamplerID?
  /// The schedule; nothing for the one that the first pass asks for.
  public var scheduler: ScheduleID?
  /// What the image shows; empty for the first pass's prompt.
  public var prompt: String
  /// What guidance steers away from; empty for the first pass's negative prompt.
  public var negativePrompt: String
  /// The part of all tokens that is merged; 0 for the first pass's.
  public var tokenMergingRatio: Double

  enum CodingKeys: String, CodingKey {
    case scale = "hr_scale"
    case resizeX = "hr_resize_x"
    case resizeY = "hr_resize_y"
    case upscaler = "hr_upscaler"
    case steps = "hr_second_pass_steps"
    case denoisingStrength = "denoising_strength"
    case checkpoint = "hr_checkpoint_name"
    case refinerPass = "hires_fix_refiner_pass"
    case sampler = "hr_sampler_name"
    case scheduler = "hr_scheduler"
    case prompt = "hr_prompt"
    case negativePrompt = "hr_negative_prompt"
    case tokenMergingRatio = "token_merging_ratio_hr"
  }

  /// The webui's values.
  public init() {
    scale = 2
    resizeX = 0
    resizeY = 0
    steps = 0
    denoisingStrength = 0.7
    refinerPass = .second
    prompt = ""
    negativePrompt = ""
    tokenMergingRatio = 0
  }

  /// What enlarges.
  public var effectiveUpscaler: UpscalerReference { upscaler ?? .latent }

  /// Whether the first pass's image is enlarged, and not its latent.
  public var enlargesImages: Bool { effectiveUpscaler.enlargesImages }
}

/// Which pass of an image with two the refiner finishes, as the webui names them.
public enum RefinerPass: String, CaseIterable, Codable, Hashable, Sendable {
  /// Only the first.
  case first = "first pass"
  /// Only the second, as in the webui where nothing is asked for.
  case second = "second pass"
  /// Each.
  case both = "both passes"
}

/// What an image of the first pass is enlarged to, and what of that is kept.
///
/// Sizes are those of the webui: fractions of pixels are dropped, and latents have an eighth of the size, rounded down.
public struct HiresSize: Hashable, Sendable {
  /// In pixels, before anything is cut off; no multiple of 8 as a rule.
  public var width: Int
  /// In pixels, before anything is cut off.
  public var height: Int
  /// Latent columns that are kept.
  public var columns: Range<Int>
  /// Latent rows that are kept.
  public var rows: Range<Int>

  /// Of the image, in pixels.
  public var finalWidth: Int { 8 * columns.count }
  /// Of the image, in pixels.
  public var finalHeight: Int { 8 * rows.count }

  /// The size of the second pass.
  ///
  /// - Parameters:
  ///   - hires: Where both sides are given the image covers them, and what is too much of one side is cut off.
  ///   - firstWidth: Of the first pass, in pixels.
  ///   - firstHeight: Of the first pass, in pixels.
  public init(_ hires: HiresSettings, firstWidth: Int, firstHeight: Int) {
    let (x, y) = (hires.resizeX, hires.resizeY)
    var surplus = (x: 0, y: 0)
    switch (x, y) {
    case (0, 0):
      width = Int(Double(firstWidth) * hires.scale)
      height = Int(Double(firstHeight) * hires.scale)
    case (_, 0): (width, height) = (x, x * firstHeight / firstWidth)
    case (0, _): (width, height) = (y * firstWidth / firstHeight, y)
    default:
      let isNarrower = Double(firstWidth) / Double(firstHeight) < Double(x) / Double(y)
      (width, height) = isNarrower ? (x, x * firstHeight / firstWidth) : (y * firstWidth / firstHeight, y)
      surplus = ((width - x) / 8, (height - y) / 8)
    }
    columns = Self.middle(width / 8, without: surplus.x)
    rows = Self.middle(height / 8, without: surplus.y)
  }

  private static func middle(_ length: Int, without surplus: Int) -> Range<Int> {
    let start = min(surplus / 2, length)
    return start..<max(start, length - (surplus + 1) / 2)
  }
}

extension ImageSettings {
  /// The size of the second pass; nothing without one.
  public var hiresSize: HiresSize? {
    hires.map { HiresSize($0, firstWidth: width, firstHeight: height) }
  }

  /// Of the finished image, in pixels.
  public var finalWidth: Int { hiresSize?.finalWidth ?? width }

  /// Of the finished image, in pixels.
  public var finalHeight: Int { hiresSize?.finalHeight ?? height }

  /// Sampling steps of all passes.
  public var allSteps: Int {
    guard let hires else { return steps }
    return steps + (hires.denoisingStrength == 0 ? 0 : hires.steps == 0 ? steps : hires.steps)
  }

  /// The first pass as the settings of an image of its own.
  public var firstPass: ImageSettings {
    var first = self
    first.hires = nil
    if hires?.refinerPass == .second { first.refiner = nil }
    return first
  }

  /// The second pass as the settings of an image of its own, whose size is that before anything is cut off; nothing without
  /// a second pass.
  public var secondPass: ImageSettings? {
    guard let hires, let size = hiresSize else { return nil }
    var second = self
    second.hires = nil
    (second.width, second.height) = (size.width, size.height)
    if let checkpoint = hires.checkpoint { second.model = checkpoint }
    if hires.refinerPass == .first { second.refiner = nil }
    if hires.steps != 0 { second.steps = hires.steps }
    if let sampler = hires.sampler { second.sampler = sampler }
    if let scheduler = hires.scheduler { second.scheduler = scheduler }
    if !hires.prompt.isEmpty { second.prompt = hires.prompt }
    if !hires.negativePrompt.isEmpty { second.negativePrompt = hires.negativePrompt }
    if hires.tokenMergingRatio != 0 { second.tokenMergingRatio = hires.tokenMergingRatio }
    return second
  }

  /// Whether something holds in one of the passes.
  package func inAnyPass(_ holds: (ImageSettings) -> Bool) -> Bool { holds(self) || secondPass.map(holds) ?? false }
}

extension HiresSize {
  /// The first pass that the webui's first versions chose for an image of a size: about 512x512 pixels, sides in multiples
  /// of 64.
  public static func usualFirstPass(width: Int, height: Int) -> (width: Int, height: Int) {
    let scale = (512.0 * 512 / Double(width * height)).squareRoot()
    func side(_ side: Int) -> Int { Int((scale * Double(side) / 64).rounded(.up)) * 64 }
    return (side(width), side(height))
  }
}
