/// The sampler of latent consistency models: denoise completely, then add noise up to the next level.
///
/// The model is evaluated only at the 50 timesteps that such models are distilled for, and its output is mixed with its input.
/// Source: Luo et al. 2023, "Latent Consistency Models", arXiv:2310.04378, as in the webui.
struct LCM: Sampler {
  private let levels: LCMLevels

  /// Creates a sampler before its first step.
  init(levels: LCMLevels) { self.levels = levels }

  private static let dataVariance: Float = 0.25

  mutating func step<Model: GuidedModel>(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, model: inout CountedModel<Model>
  ) throws(Model.Failure) {
    let timestep = levels.timestep(forSigma: sigmas[i])
    let denoised = try model.denoised(x, sigma: sigmas[i], timestep: timestep)
    let scaled = 10 * timestep
    let norm = scaled * scaled + Self.dataVariance
    x.scale(by: Self.dataVariance / norm, adding: scaled / norm.squareRoot(), denoised)
    if sigmas[i + 1] > 0 { x.add(sigmas[i + 1], noise.noise(from: sigmas[i], to: sigmas[i + 1])) }
  }
}

/// Every twentieth level of the training; latent consistency models are distilled for these.
struct LCMLevels: NoiseLevels, Codable {
  let sigmas: [Float]
  private let logSigmas: [Float]

  private static let stride = 20

  /// The levels of the timesteps 19, 39 ... 999.
  init(_ training: TrainingSchedule) {
    let chosen = Swift.stride(from: Self.stride - 1, to: training.sigmas.count, by: Self.stride)
    sigmas = chosen.map { training.sigmas[$0] }
    logSigmas = sigmas.map(Float.log)
  }

  /// The timestep of the nearest level in log sigma.
  func timestep(forSigma sigma: Float) -> Float {
    let log = Float.log(sigma)
    let nearest =
      logSigmas.indices.min { (log - logSigmas[$0]).magnitude < (log - logSigmas[$1]).magnitude } ?? 0
    return Float(nearest * Self.stride + Self.stride - 1)
  }

  func sigma(atTimestep timestep: Float) -> Float {
    let position = (timestep - Float(Self.stride - 1)) / Float(Self.stride)
    return LogInterpolation.sigma(logSigmas, at: min(max(position, 0), Float(sigmas.count - 1)))
  }
}
