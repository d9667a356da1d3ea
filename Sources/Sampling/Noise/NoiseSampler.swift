/// The noise of unit variance that a sampler adds in its steps.
protocol NoiseSampler: Sendable {
  /// The number of draws so far, which determines all later noise together with the seed; 0 if noise depends only on the
  /// sigmas.
  var drawCount: Int { get }
  /// The noise of a step from one noise level to a lower one.
  mutating func noise(from sigma: Float, to nextSigma: Float) -> Latent
}

/// The two kinds of noise that samplers use.
enum NoiseKind: Sendable {
  /// One draw after another from the image's own generator.
  case stream
  /// Increments of one Brownian motion over sigma.
  case brownian
}
