/// The way of one image from noise to a latent, step by step.
///
/// It may be stopped between any two steps, coded, decoded and continued: the latent that comes out is the same, bit for
/// bit, as without stopping.
public struct SamplingLoop: Sendable {
  /// What is sampled.
  public let settings: SamplingSettings
  /// The noise levels, falling; none for samplers that go by timesteps.
  public let sigmas: [Float]
  /// The image so far.
  public private(set) var latent: Latent
  /// The next step, from 0.
  public private(set) var stepIndex = 0
  /// Calls of the model so far.
  public private(set) var callCount = 0
  private var sampler: any Sampler
  private var noise: any NoiseSampler

  /// Steps in all; an estimate, always above `stepIndex`, where the sampler finds its steps on the way.
  public var stepCount: Int { sampler.stepCount(sigmas: sigmas) }
  /// Whether the latent is the result.
  public var isFinished: Bool { sampler.isFinished(after: stepIndex, sigmas: sigmas) }

  /// The start of an image: noise at the schedule's highest sigma, or of unit variance for samplers without sigmas.
  public init(settings: SamplingSettings, training: TrainingSchedule) {
    self.settings = settings
    var steps = settings.steps
    if settings.sampler.usesTimesteps {
      sigmas = []
      // There is no sigma to discard, but the webui asks for one timestep more all the same.
      if settings.scheduleOptions.discardsPenultimateSigma { steps += 1 }
    } else {
      sigmas = SigmaSchedule.sigmas(
        settings.schedule, for: settings.sampler, steps: steps, options: settings.scheduleOptions, training: training)
    }
    sampler = SamplerRegistry.sampler(
      settings.sampler, options: settings.options, sigmas: sigmas, steps: steps, training: training)
    var stream = ImageNoise(
      seed: settings.seed, source: settings.rng, shape: settings.shape, variation: settings.variation)
    latent = stream.next()
    if let first = sigmas.first {
      latent.scale(by: settings.sgmNoiseMultiplier ? (1 + first * first).squareRoot() : first)
    }
    noise = Self.noise(sampler.noiseKind, settings: settings, sigmas: sigmas, stream: stream)
  }

  /// Takes one step, which calls the model a few times; when that throws, the loop stays as it was before the step.
  public mutating func step<Model: GuidedModel>(model: Model) throws(Model.Failure) {
    precondition(!isFinished, "the last step of \(stepCount) is taken")
    var sampler = sampler
    var noise = noise
    var x = latent
    var counted = CountedModel(model, callCount: callCount)
    try sampler.step(stepIndex, sigmas: sigmas, x: &x, noise: &noise, model: &counted)
    self.sampler = sampler
    self.noise = noise
    latent = x
    callCount = counted.callCount
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
    case settings, sigmas, stepIndex, callCount, latent, sampler, drawCount
  }

  /// Continues a checkpoint; throws `DecodingError` when its parts do not belong together.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    settings = try container.decode(SamplingSettings.self, forKey: .settings)
    sigmas = try container.decode([Float].self, forKey: .sigmas)
    stepIndex = try container.decode(Int.self, forKey: .stepIndex)
    latent = try container.decode(Latent.self, forKey: .latent)
    callCount = try container.decode(Int.self, forKey: .callCount)
    let drawCount = try container.decode(Int.self, forKey: .drawCount)
    sampler = try Self.decodeSampler(SamplerRegistry.type(of: settings.sampler), from: container)
    let stepCount = sampler.stepCount(sigmas: sigmas)
    guard settings.sampler.usesTimesteps == sigmas.isEmpty, stepIndex >= 0, stepIndex <= stepCount,
      latent.shape == settings.shape, callCount >= 0, drawCount >= 0
    else {
      throw DecodingError.dataCorruptedError(
        forKey: .stepIndex, in: container,
        debugDescription: """
          step \(stepIndex) of \(stepCount), \(sigmas.count) sigmas, \(callCount) calls, \(drawCount) draws and a \
          latent of \(latent.shape) do not continue an image of \(settings.shape)
          """)
    }
    let stream = ImageNoise(
      seed: settings.seed, source: settings.rng, shape: settings.shape, variation: settings.variation,
      drawCount: drawCount)
    noise = Self.noise(sampler.noiseKind, settings: settings, sigmas: sigmas, stream: stream)
  }

  /// Writes a checkpoint.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(settings, forKey: .settings)
    try container.encode(sigmas, forKey: .sigmas)
    try container.encode(stepIndex, forKey: .stepIndex)
    try container.encode(callCount, forKey: .callCount)
    try container.encode(latent, forKey: .latent)
    try container.encode(sampler, forKey: .sampler)
    try container.encode(noise.drawCount, forKey: .drawCount)
  }

  private static func decodeSampler<S: Sampler>(
    _ type: S.Type, from container: KeyedDecodingContainer<CodingKeys>
  ) throws -> any Sampler {
    try container.decode(type, forKey: .sampler)
  }
}
