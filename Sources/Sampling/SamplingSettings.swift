import Settings

/// Everything that affects the sampling of one image, except the model and the prompts.
public struct SamplingSettings: Codable, Hashable, Sendable {
  /// The sampler.
  public var sampler: SamplerID
  /// The schedule; `automatic` means the sampler's default.
  public var schedule: ScheduleID
  /// The number of steps, at least 1.
  public var steps: Int
  /// Further settings of the sampler.
  public var options: SamplerOptions
  /// The seed of all noise of the image.
  public var seed: Int64
  /// Further settings of the schedule.
  public var scheduleOptions: ScheduleOptions
  /// Whether the initial noise is scaled by √(1 + σ²) instead of σ.
  public var sgmNoiseMultiplier: Bool
  /// How the initial noise differs from that of the seed.
  public var variation: NoiseVariation
  /// The random number generator of the noise.
  public var rng: NoiseSourceID
  /// The size of the latent.
  public var shape: LatentShape
  /// How much noise is added to the latent that sampling starts from; nil to start from pure noise.
  public var denoisingStrength: Double?
  /// How much of the same noise is added to that latent once more; nil for none.
  public var extraNoise: Double?
  /// Whether the levels are those of flow matching; nil means no.
  public var isFlow: Bool?

  /// Creates settings.
  public init(
    sampler: SamplerID, schedule: ScheduleID = .automatic, steps: Int, options: SamplerOptions = SamplerOptions(),
    scheduleOptions: ScheduleOptions = ScheduleOptions(), sgmNoiseMultiplier: Bool = false, seed: Int64,
    variation: NoiseVariation = NoiseVariation(), rng: NoiseSourceID, shape: LatentShape,
    denoisingStrength: Double? = nil
  ) {
    self.sampler = sampler
    self.schedule = schedule
    self.steps = steps
    self.options = options
    self.scheduleOptions = scheduleOptions
    self.sgmNoiseMultiplier = sgmNoiseMultiplier
    self.seed = seed
    self.variation = variation
    self.rng = rng
    self.shape = shape
    self.denoisingStrength = denoisingStrength
  }

  /// The settings of a job, for a model whose latents have `channels` channels.
  public init(_ job: PassSettings, channels: Int = 4) {
    let side = job.traits.geometry.pixelsPerPlace
    self.init(
      sampler: job.sampler, schedule: job.traits.flow == nil ? job.scheduler : job.namedSchedule, steps: job.steps,
      options: SamplerOptions(job), scheduleOptions: ScheduleOptions(job),
      sgmNoiseMultiplier: job.sgmNoiseMultiplier, seed: job.seed, variation: NoiseVariation(job), rng: job.rng,
      shape: LatentShape(channels: channels, height: job.height / side, width: job.width / side))
    if job.traits.flow != nil { isFlow = true }
  }
}
