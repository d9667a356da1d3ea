/// The noise that a sampler adds on its way, of unit variance.
protocol NoiseSampler: Sendable {
  /// Draws made so far; with the seed it says where the noise stands. 0 where noise depends on the sigmas alone.
  var drawCount: Int { get }
  /// The noise of a step from one noise level to a lower one.
  mutating func noise(from sigma: Float, to nextSigma: Float) -> Latent
}

/// The two ways in which samplers take noise.
enum NoiseKind: Sendable {
  /// One draw after another from the image's own generator.
  case stream
  /// Increments of one Brownian motion over sigma.
  case brownian
}
