import Jobs

/// Everything that decides the sampling of one image but the model and the prompts.
public struct SamplingSettings: Codable, Hashable, Sendable {
  /// The method.
  public var sampler: SamplerID
  /// The schedule; `automatic` stands for the sampler's own.
  public var schedule: ScheduleID
  /// At least 1.
  public var steps: Int
  /// What the sampler may be told besides.
  public var options: SamplerOptions
  /// Seeds all noise of the image.
  public var seed: Int64
  /// Whose random numbers the noise uses.
  public var rng: NoiseSourceID
  /// The size of the latent.
  public var shape: LatentShape

  /// These settings.
  public init(
    sampler: SamplerID, schedule: ScheduleID = .automatic, steps: Int, options: SamplerOptions = SamplerOptions(),
    seed: Int64, rng: NoiseSourceID, shape: LatentShape
  ) {
    self.sampler = sampler
    self.schedule = schedule
    self.steps = steps
    self.options = options
    self.seed = seed
    self.rng = rng
    self.shape = shape
  }

  /// The settings of a job, for a model whose latents have `channels` channels of an eighth of the image's size.
  public init(_ job: JobParameters, channels: Int = 4) {
    self.init(
      sampler: job.sampler, schedule: job.scheduler, steps: job.steps,
      options: SamplerOptions(
        eta: job.eta, sChurn: job.sChurn, sTmin: job.sTmin, sTmax: job.sTmax, sNoise: job.sNoise),
      seed: job.seed, rng: job.rng,
      shape: LatentShape(channels: channels, height: job.height / 8, width: job.width / 8))
  }
}
