import Jobs
import Sampling

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
  private let filter: LatentFilter
  private let training: TrainingSchedule

  /// The longest side of an image, in pixels.
  private static let sizeLimit = 8192

  /// The second pass of a job; nothing where there is none.
  ///
  /// - Parameters:
  ///   - job: The settings of the job.
  ///   - pass: The settings of the pass; its size is that which prompts are told of.
  ///   - channels: Of the latent.
  ///   - training: The noise levels that its checkpoint was trained on.
  /// - Throws: What `check` throws.
  init?(_ job: JobParameters, pass: ImagePass, channels: Int, training: TrainingSchedule) throws {
    try Self.check(job)
    guard let hires = job.hires, let size = job.hiresSize, let filter = hires.effectiveUpscaler.latentFilter
    else { return nil }
    self.hires = hires
    self.size = size
    self.filter = filter
    self.training = training
    callsBefore = job.sampler.plannedCalls(steps: job.steps)
    var settings = SamplingSettings(pass.begun, channels: channels)
    settings.shape = LatentShape(channels: channels, height: size.rows.count, width: size.columns.count)
    settings.denoisingStrength = hires.denoisingStrength
    self.settings = settings
    stepCount = hires.denoisingStrength > 0 ? SamplingLoop.stepCount(settings, training: training) : 0
  }

  /// Throws `EngineError.hiresSize` if the second pass would make no image, or one that is too large.
  static func check(_ job: JobParameters) throws {
    guard let hires = job.hires, let size = job.hiresSize else { return }
    let sides = [size.finalWidth, size.finalHeight, size.width, size.height]
    guard sides.allSatisfy({ (8...sizeLimit).contains($0) }) else {
      throw EngineError.hiresSize(width: size.width, height: size.height, limit: sizeLimit)
    }
    guard hires.effectiveUpscaler.latentFilter != nil else {
      throw EngineError.noHiresUpscaler(hires.effectiveUpscaler.name)
    }
  }

  /// The first pass's latent at the size of the second.
  func enlarged(_ latent: Latent) -> Latent {
    latent.resized(height: size.height / 8, width: size.width / 8, filter: filter)
      .cropped(rows: size.rows, columns: size.columns)
  }

  /// The second pass before its first step; only where some noise is put on.
  ///
  /// - Parameters:
  ///   - latent: The first pass's.
  ///   - steps: How many steps it took.
  /// - Returns: A loop.
  func start(from latent: Latent, after steps: Int) -> SamplingLoop {
    SamplingLoop(over: enlarged(latent), settings: settings, training: training, earlierSteps: steps)
  }
}
