import Settings

/// What sampling starts with: the sampler and its noise levels. With a denoising strength below 1, these are only the last part
/// of the schedule.
///
/// Source: `setup_img2img_steps` and `sample_img2img` of stable-diffusion-webui 1.10.1.
struct SamplingSetup {
  /// How much noise is added to the latent that sampling starts from.
  enum Start {
    /// Noise of this deviation is added.
    case sigma(Float)
    /// This fraction of the latent is replaced by noise.
    case flow(Float)
    /// This fraction of the variance remains, the rest is noise.
    case alpha(Float)
  }

  /// The noise levels, descending; empty for samplers that use timesteps.
  let sigmas: [Float]
  /// The range of the noise levels of the whole schedule; nil without sigmas.
  let noiseRange: NoiseRange?
  /// The sampler before its first step.
  let sampler: any Sampler
  /// How much noise is added to a latent; nil if sampling starts from pure noise.
  let start: Start?

  /// The range in which samplers with their own steps move; nil for all others.
  private let ownRange: (low: Float, high: Float)?

  /// Whether all noise levels are finite, so that sampling can run.
  var isFinite: Bool {
    sigmas.allSatisfy(\.isFinite) && (ownRange.map { $0.low.isFinite && $0.high.isFinite } ?? true)
  }

  /// The setup for these settings.
  init(_ settings: SamplingSettings, _ training: TrainingSchedule) {
    let part = settings.denoisingStrength.map { SamplingPart(strength: $0, steps: settings.steps) }
    var steps = part?.allSteps ?? settings.steps
    var levels: [Float] = []
    if settings.sampler.usesTimesteps {
      // There is no sigma to discard, but the webui still takes one timestep more.
      if settings.scheduleOptions.discardsPenultimateSigma { steps += 1 }
    } else {
      levels = SigmaSchedule.sigmas(
        settings.schedule, for: settings.sampler, steps: steps, options: settings.scheduleOptions,
        training: training, tokens: settings.shape.height * settings.shape.width)
    }
    noiseRange = NoiseRange(levels)
    // Schedules may have fewer values than requested. At least one step remains.
    sigmas = part.map { Array(levels.dropFirst(max(0, min($0.firstIndex, levels.count - 2)))) } ?? levels
    ownRange =
      SamplerRegistry.hasOwnSteps(settings.sampler)
      ? SamplerRegistry.range(sigmas, training: training, part: part) : nil
    sampler = SamplerRegistry.sampler(
      settings.sampler, options: settings.options, sigmas: sigmas, steps: steps, training: training, part: part)
    if part != nil, training.flow != nil {
      start = sigmas.first.map { .flow($0) }
    } else if let part {
      let timesteps = Timesteps(count: steps, training: training)
      start =
        sigmas.first.map { .sigma($0) } ?? .alpha(timesteps.alphas[min(part.timestepCount, timesteps.alphas.count - 1)])
    } else {
      start = nil
    }
  }
}

/// The last steps of a longer schedule. Their number is the one in the settings.
struct SamplingPart {
  /// The fraction of the schedule that is sampled, above 0.
  let strength: Double
  /// The number of steps, at least 1.
  let steps: Int

  /// A schedule with more steps would hardly start at a lower level.
  private static let limit = 1_000_000.0

  /// The number of steps of the whole schedule.
  var allSteps: Int { Int(min(Double(steps) / min(strength, 0.999), max(Self.limit, Double(steps)))) }

  /// The index of the first sigma that is used.
  var firstIndex: Int { allSteps - steps }

  /// The number of timesteps that are used; noise is added at the one after them.
  var timestepCount: Int { steps - 1 }

  /// The noise levels between which samplers with their own steps move. They cannot reach the last sigma, 0.
  func range(_ sigmas: [Float]) -> (low: Float, high: Float)? {
    sigmas.first.map { (sigmas[sigmas.count - 2], $0) }
  }
}

/// The range of noise levels that a Brownian tree covers.
struct NoiseRange: Codable, Hashable, Sendable {
  /// The smallest above 0.
  let low: Float
  /// The largest.
  let high: Float

  /// The range of all sigmas above 0, in any order; nil if there are none, or if one is NaN or infinite.
  init?(_ sigmas: [Float]) {
    let positive = sigmas.filter { $0 > 0 }
    guard let low = positive.min(), let high = positive.max(), sigmas.allSatisfy(\.isFinite) else { return nil }
    (self.low, self.high) = (low, high)
  }
}
