import Sampling
import Settings

/// The second pass of an image (hires fix): how the first pass's latent is enlarged, and how it is sampled.
///
/// Source: `StableDiffusionProcessingTxt2Img.sample_hr_pass` of stable-diffusion-webui 1.10.1.
struct SecondPass {
  /// The calls of the network in the first pass, as prompt schedules count them.
  let callsBefore: Int
  /// The number of steps; 0 if no noise is added.
  let stepCount: Int
  /// The settings for sampling.
  let settings: SamplingSettings
  private let hires: HiresSettings
  private let size: HiresSize
  private let upscaler: UpscalerReference
  private let training: TrainingSchedule

  /// The second pass of a job; nil if it has none.
  ///
  /// - Parameters:
  ///   - job: The settings of the job.
  ///   - pass: The settings of the pass.
  ///   - channels: The number of channels of the latent.
  ///   - training: The noise levels that the pass's checkpoint was trained on.
  /// - Throws: The error of `check`.
  init?(_ job: ImageSettings, pass: ImagePass, channels: Int, training: TrainingSchedule) throws {
    try Self.check(job)
    guard let hires = job.hires, let size = job.hiresSize else { return nil }
    self.hires = hires
    self.size = size
    upscaler = hires.effectiveUpscaler
    self.training = training
    callsBefore = job.sampler.plannedCalls(steps: job.steps)
    var settings = SamplingSettings(pass.begun, channels: channels)
    settings.shape = LatentShape(channels: channels, height: size.rows.count, width: size.columns.count)
    settings.denoisingStrength = hires.denoisingStrength
    if hires.extraNoise > 0 { settings.extraNoise = hires.extraNoise }
    self.settings = settings
    stepCount = hires.denoisingStrength > 0 ? SamplingLoop.stepCount(settings, training: training) : 0
  }

  /// Throws `EngineError.hiresSize` if the image of the second pass would be too small or too large.
  static func check(_ job: ImageSettings) throws {
    guard let size = job.hiresSize, !size.isPossible else { return }
    throw EngineError.hiresSize(width: size.width, height: size.height, limit: SizeLimit.sides.upperBound)
  }

  /// The width that the image is enlarged to before it is cropped, in pixels.
  var enlargedWidth: Int { size.width }
  /// The height that the image is enlarged to before it is cropped, in pixels.
  var enlargedHeight: Int { size.height }

  /// The filter that enlarges the decoded image; nil for networks and for filters of latents.
  var pixelFilter: PixelFilter? { if case .image(let filter) = upscaler.kind { filter } else { nil } }

  /// The first pass's latent at the size of the second pass.
  ///
  /// - Parameters:
  ///   - latent: The first pass's latent.
  ///   - throughImage: Computes the latent of the enlarged image, if images are enlarged instead of latents.
  /// - Returns: A latent of the settings' shape.
  /// - Throws: The error of `throughImage`.
  func enlarged(_ latent: Latent, throughImage: (Latent) throws -> Latent) rethrows -> Latent {
    let large =
      if let filter = upscaler.latentFilter {
        latent.resized(
          height: size.height / size.pixelsPerPlace, width: size.width / size.pixelsPerPlace, filter: filter)
      } else {
        try throughImage(latent)
      }
    return large.cropped(rows: size.rows, columns: size.columns)
  }

  /// Creates the second pass before its first step. There must be a denoising strength.
  ///
  /// - Parameters:
  ///   - latent: The first pass's latent, at the size of the second pass.
  ///   - steps: The number of steps of the first pass.
  /// - Returns: The sampling loop.
  func start(over latent: Latent, after steps: Int) -> SamplingLoop {
    SamplingLoop(over: latent, settings: settings, training: training, earlierSteps: steps)
  }
}
