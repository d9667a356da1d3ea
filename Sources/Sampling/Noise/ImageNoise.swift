import Jobs

/// The stream of noise of one image: the first draw is the noise it starts from, the later ones its sampler's.
///
/// The image has a generator of its own, so its noise never depends on its batch.
struct ImageNoise: NoiseSampler {
  /// The size of each draw.
  let shape: LatentShape
  private(set) var drawCount = 0
  private var generator: any NormalGenerator

  /// The stream of this seed, after `drawCount` draws.
  init(seed: Int64, source: NoiseSourceID, shape: LatentShape, drawCount: Int = 0) {
    self.shape = shape
    generator = source.generator(seed: seed)
    for _ in 0..<drawCount { generator.skip(shape.count) }
    self.drawCount = drawCount
  }

  /// The next draw.
  mutating func next() -> Latent {
    drawCount += 1
    return Latent(shape: shape, values: generator.normals(shape.count))
  }

  /// The next draw, whatever the sigmas are.
  mutating func noise(from sigma: Float, to nextSigma: Float) -> Latent { next() }
}
