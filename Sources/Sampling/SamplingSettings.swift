import Settings

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
  /// What the schedule may be told besides.
  public var scheduleOptions: ScheduleOptions
  /// Whether the first noise is scaled by √(1 + σ²) rather than by σ.
  public var sgmNoiseMultiplier: Bool
  /// How the first noise departs from the seed's.
  public var variation: NoiseVariation
  /// Whose random numbers the noise uses.
  public var rng: NoiseSourceID
  /// The size of the latent.
  public var shape: LatentShape
  /// How much noise is put on a latent to start from; nothing to start from noise alone.
  public var denoisingStrength: Double?

  /// These settings.
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

  /// The settings of a job, for a model whose latents have `channels` channels of an eighth of the image's size.
  public init(_ job: ImageSettings, channels: Int = 4) {
    self.init(
      sampler: job.sampler, schedule: job.scheduler, steps: job.steps,
      options: SamplerOptions(
        eta: job.eta, sChurn: job.sChurn, sTmin: job.sTmin, sTmax: job.sTmax, sNoise: job.sNoise, etaDDIM: job.etaDDIM,
        uniPC: UniPCOptions(
          variant: job.uniPCVariant, skipType: job.uniPCSkipType, order: job.uniPCOrder,
          lowerOrderFinal: job.uniPCLowerOrderFinal)),
      scheduleOptions: ScheduleOptions(
        discardsPenultimateSigma: job.alwaysDiscardNextToLastSigma, sigmaMin: job.sigmaMin, sigmaMax: job.sigmaMax,
        rho: job.rho, betaAlpha: job.betaDistAlpha, betaBeta: job.betaDistBeta,
        usesOldRange: job.useOldKarrasSchedulerSigmas),
      sgmNoiseMultiplier: job.sgmNoiseMultiplier, seed: job.seed, variation: NoiseVariation(job), rng: job.rng,
      shape: LatentShape(channels: channels, height: job.height / 8, width: job.width / 8))
  }
}

extension NoiseVariation {
  /// What a job asks for.
  init(_ job: ImageSettings) {
    self.init(
      subseed: job.subseedMatters ? job.subseed : 0, subseedStrength: job.subseedStrength,
      resizeFrom: job.seedResizeMatters
        ? Size(width: job.seedResizeFromW / 8, height: job.seedResizeFromH / 8) : nil,
      seedDelta: job.etaNoiseSeedDelta)
  }
}

extension TrainingSchedule {
  /// The noise levels that a job takes its model to be trained on.
  ///
  /// - Parameters:
  ///   - job: May ask for other noise than the model's.
  ///   - noise: What the model's files say.
  ///   - alignedSteps: Eleven sigmas that were measured on the model's family; nothing for those of Stable Diffusion 1.x.
  public init(_ job: ImageSettings, noise: TrainingNoiseChoice = .standard, alignedSteps: [Double]? = nil) {
    self.init(
      noise: job.sdNoiseSchedule == .standard ? noise : job.sdNoiseSchedule, isDowncast: job.useDowncastedAlphaBar,
      isQuantized: job.enableQuantization)
    if let alignedSteps { self.alignedSteps = alignedSteps }
  }
}
