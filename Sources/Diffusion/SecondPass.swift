import Sampling
import Settings

/// The second pass of an image: what is made of the first one's latent, and how it is sampled.
///
/// Source: `StableDiffusionProcessingTxt2Img.sample_hr_pass` of stable-diffusion-webui 1.10.1.
struct SecondPass {
  /// Calls of the network that the first pass makes, as prompts reckon.
  let callsBefore: Int
  /// Steps that it takes; 0 where no noise is put on.
  let stepCount: Int
  /// How it is sampled.
  let settings: SamplingSettings
  private let hires: HiresSettings
  private let size: HiresSize
  private let upscaler: UpscalerReference
  private let training: TrainingSchedule

  /// The second pass of a job; nothing where there is none.
  ///
  /// - Parameters:
  ///   - job: The settings of the job.
  ///   - pass: The settings of the pass; its size is that which prompts are told of.
  ///   - channels: Of the latent.
  ///   - training: The noise levels that its checkpoint was trained on.
  /// - Throws: What `check` throws.
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
    self.settings = settings
    stepCount = hires.denoisingStrength > 0 ? SamplingLoop.stepCount(settings, training: training) : 0
  }

  /// Throws `EngineError.hiresSize` if the second pass would make no image, or one that is too large.
  static func check(_ job: ImageSettings) throws {
    guard let size = job.hiresSize, !size.isPossible else { return }
    throw EngineError.hiresSize(width: size.width, height: size.height, limit: SizeLimit.sides.upperBound)
  }

  /// What the image is enlarged to before anything is cut off, in pixels.
  var enlargedWidth: Int { size.width }
  /// Likewise.
  var enlargedHeight: Int { size.height }

  /// The filter that enlarges the decoded image; nothing for networks and for filters of latents.
  var pixelFilter: PixelFilter? { if case .image(let filter) = upscaler.kind { filter } else { nil } }

  /// The first pass's latent at the size of the second.
  ///
  /// - Parameters:
  ///   - latent: The first pass's.
  ///   - throughImage: Makes the latent of the enlarged image, where that is what is enlarged.
  /// - Returns: A latent of the settings' shape.
  /// - Throws: What `throughImage` throws.
  func enlarged(_ latent: Latent, throughImage: (Latent) throws -> Latent) rethrows -> Latent {
    let large =
      if let filter = upscaler.latentFilter {
        latent.resized(height: size.height / 8, width: size.width / 8, filter: filter)
      } else {
        try throughImage(latent)
      }
    return large.cropped(rows: size.rows, columns: size.columns)
  }

  /// The second pass before its first step; only where some noise is put on.
  ///
  /// - Parameters:
  ///   - latent: The first pass's, at the size of the second.
  ///   - steps: How many steps the first took.
  /// - Returns: A loop.
  func start(over latent: Latent, after steps: Int) -> SamplingLoop {
    SamplingLoop(over: latent, settings: settings, training: training, earlierSteps: steps)
  }
}
