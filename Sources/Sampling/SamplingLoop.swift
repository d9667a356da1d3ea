/// The way of one image from noise to a latent, step by step.
///
/// It may be stopped between any two steps, coded, decoded and continued: the latent that comes out is the same, bit for
/// bit, as without stopping.
public struct SamplingLoop: Sendable {
  /// What is sampled.
  public let settings: SamplingSettings
  /// The noise levels, falling, one more than there are steps.
  public let sigmas: [Float]
  /// The image so far, at noise level `sigmas[stepIndex]`.
  public private(set) var latent: Latent
  /// The next step, from 0.
  public private(set) var stepIndex = 0
  private var sampler: any Sampler
  private var noise: any NoiseSampler

  /// Steps in all.
  public var stepCount: Int { sigmas.count - 1 }
  /// Whether the latent is free of noise.
  public var isFinished: Bool { stepIndex == stepCount }

  /// The start of an image: noise at the schedule's highest sigma.
  public init(settings: SamplingSettings, training: TrainingSchedule) {
    self.settings = settings
    sigmas = SigmaSchedule.sigmas(
      settings.schedule, for: settings.sampler, steps: settings.steps, training: training)
    sampler = SamplerRegistry.sampler(settings.sampler, options: settings.options)
    var stream = ImageNoise(seed: settings.seed, source: settings.rng, shape: settings.shape)
    latent = stream.next()
    latent.scale(by: sigmas[0])
    noise = Self.noise(sampler.noiseKind, settings: settings, sigmas: sigmas, stream: stream)
  }

  /// Takes one step, which calls `denoise` once or twice; when that throws, the loop stays as it was before the step.
  public mutating func step(denoise: Denoise) rethrows {
    precondition(!isFinished, "the last step of \(stepCount) is taken")
    var sampler = sampler
    var noise = noise
    var x = latent
    try sampler.step(stepIndex, sigmas: sigmas, x: &x, noise: &noise, denoise: denoise)
    self.sampler = sampler
    self.noise = noise
    latent = x
    stepIndex += 1
  }

  private static func noise(
    _ kind: NoiseKind, settings: SamplingSettings, sigmas: [Float], stream: ImageNoise
  ) -> any NoiseSampler {
    switch kind {
    case .stream:
      stream
    case .brownian:
      BrownianTree(
        seed: settings.seed, source: settings.rng, shape: settings.shape,
        sigmaMin: sigmas.last { $0 > 0 } ?? sigmas[0], sigmaMax: sigmas[0])
    }
  }
}

/// A checkpoint of the loop: what the settings do not say. The sigmas are kept too, so that a checkpoint continues on
/// the levels it began with.
extension SamplingLoop: Codable {
  enum CodingKeys: String, CodingKey {
    case settings, sigmas, stepIndex, latent, sampler, drawCount
  }

  /// Continues a checkpoint; throws `DecodingError` when its parts do not belong together.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    settings = try container.decode(SamplingSettings.self, forKey: .settings)
    sigmas = try container.decode([Float].self, forKey: .sigmas)
    stepIndex = try container.decode(Int.self, forKey: .stepIndex)
    latent = try container.decode(Latent.self, forKey: .latent)
    let drawCount = try container.decode(Int.self, forKey: .drawCount)
    guard sigmas.count > 1, (0..<sigmas.count).contains(stepIndex), latent.shape == settings.shape, drawCount >= 0
    else {
      throw DecodingError.dataCorruptedError(
        forKey: .stepIndex, in: container,
        debugDescription: """
          step \(stepIndex) of \(sigmas.count - 1), \(drawCount) draws and a latent of \(latent.shape) do not continue \
          an image of \(settings.shape)
          """)
    }
    let fresh = SamplerRegistry.sampler(settings.sampler, options: settings.options)
    sampler = try Self.decodeSampler(like: fresh, from: container)
    let stream = ImageNoise(
      seed: settings.seed, source: settings.rng, shape: settings.shape, drawCount: drawCount)
    noise = Self.noise(sampler.noiseKind, settings: settings, sigmas: sigmas, stream: stream)
  }

  /// Writes a checkpoint.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(settings, forKey: .settings)
    try container.encode(sigmas, forKey: .sigmas)
    try container.encode(stepIndex, forKey: .stepIndex)
    try container.encode(latent, forKey: .latent)
    try container.encode(sampler, forKey: .sampler)
    try container.encode(noise.drawCount, forKey: .drawCount)
  }

  private static func decodeSampler<S: Sampler>(
    like sampler: S, from container: KeyedDecodingContainer<CodingKeys>
  ) throws -> any Sampler {
    try container.decode(S.self, forKey: .sampler)
  }
}
