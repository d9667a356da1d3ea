import Settings

/// The way of an image through the noise levels: all of it, or what a denoising strength leaves of it.
///
/// Source: `setup_img2img_steps` and `sample_img2img` of stable-diffusion-webui 1.10.1.
struct SamplingCourse {
  /// Where an image begins that is more than noise.
  enum Start {
    /// As much noise on top of it.
    case sigma(Float)
    /// As much of its variance is left of it, the rest is noise.
    case alpha(Float)
  }

  /// The noise levels, falling; none for samplers that go by timesteps.
  let sigmas: [Float]
  /// Between which the noise of the whole way lies; nothing without sigmas.
  let noiseRange: NoiseRange?
  /// Before its first step.
  let sampler: any Sampler
  /// How much noise is put on a latent; nothing where the image begins as noise.
  let start: Start?

  /// The course of these settings.
  init(_ settings: SamplingSettings, _ training: TrainingSchedule) {
    let part = settings.denoisingStrength.map { SamplingPart(strength: $0, steps: settings.steps) }
    var steps = part?.allSteps ?? settings.steps
    var levels: [Float] = []
    if settings.sampler.usesTimesteps {
      // There is no sigma to discard, but the webui asks for one timestep more all the same.
      if settings.scheduleOptions.discardsPenultimateSigma { steps += 1 }
    } else {
      levels = SigmaSchedule.sigmas(
        settings.schedule, for: settings.sampler, steps: steps, options: settings.scheduleOptions, training: training)
    }
    noiseRange = NoiseRange(levels)
    // Schedules that do not have as many values as are asked for may end before: a step is left in any case.
    sigmas = part.map { Array(levels.dropFirst(max(0, min($0.firstIndex, levels.count - 2)))) } ?? levels
    sampler = SamplerRegistry.sampler(
      settings.sampler, options: settings.options, sigmas: sigmas, steps: steps, training: training, part: part)
    if let part {
      let timesteps = Timesteps(count: steps, training: training)
      start =
        sigmas.first.map { .sigma($0) } ?? .alpha(timesteps.alphas[min(part.timestepCount, timesteps.alphas.count - 1)])
    } else {
      start = nil
    }
  }
}

/// The last steps of a longer way, of which there are as many as are asked for.
struct SamplingPart {
  /// How much of the way is left, above 0.
  let strength: Double
  /// At least 1.
  let steps: Int

  /// A way of more steps would begin hardly lower.
  private static let limit = 1_000_000.0

  /// Steps of the whole way.
  var allSteps: Int { Int(min(Double(steps) / min(strength, 0.999), max(Self.limit, Double(steps)))) }

  /// The place of the first sigma that is left.
  var firstIndex: Int { allSteps - steps }

  /// Timesteps that are left; the one after them is where the noise is put on.
  var timestepCount: Int { steps - 1 }

  /// Between which samplers move that do not go by the schedule: the last sigma, 0, is none that they could reach.
  func range(_ sigmas: [Float]) -> (low: Float, high: Float)? {
    sigmas.first.map { (sigmas[sigmas.count - 2], $0) }
  }
}

/// The sigmas between which noise grows on a tree.
struct NoiseRange: Codable, Hashable, Sendable {
  /// The smallest above 0.
  let low: Float
  /// The largest.
  let high: Float

  /// The range of falling sigmas; nothing without any.
  init?(_ sigmas: [Float]) {
    guard let first = sigmas.first else { return nil }
    high = first
    low = sigmas.last { $0 > 0 } ?? first
  }
}
