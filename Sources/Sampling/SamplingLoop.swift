/// Samples one image from noise to a latent, step by step.
///
/// It can be stopped between any two steps, saved, restored and continued. The latent then has the same bits as without
/// stopping.
public struct SamplingLoop: Sendable {
  /// The settings of this pass.
  public let settings: SamplingSettings
  /// The noise levels, descending; empty for samplers that use timesteps.
  public let sigmas: [Float]
  /// The image so far.
  public private(set) var latent: Latent
  /// The index of the next step.
  public private(set) var stepIndex = 0
  /// The number of calls of the model so far.
  public private(set) var callCount = 0
  /// The number of steps of earlier passes.
  public let earlierSteps: Int
  private var sampler: any Sampler
  private var noise: any NoiseSampler
  /// The range of noise levels that a Brownian tree covers.
  private let noiseRange: NoiseRange?

  /// The number of steps. If the sampler chooses its steps as it goes, this is an estimate, which is always above `stepIndex`.
  public var stepCount: Int { sampler.stepCount(sigmas: sigmas) }
  /// Whether the latent is finished.
  public var isFinished: Bool { sampler.isFinished(after: stepIndex, sigmas: sigmas) }

  /// Starts an image from noise: at the schedule's highest sigma, or of unit variance for samplers without sigmas.
  public init(settings: SamplingSettings, training: TrainingSchedule) {
    let setup = SamplingSetup(settings, training)
    var stream = ImageNoise(
      seed: settings.seed, source: settings.rng, shape: settings.shape, variation: settings.variation)
    var latent = stream.next()
    if let first = setup.sigmas.first {
      latent.scale(by: settings.sgmNoiseMultiplier ? (1 + first * first).squareRoot() : first)
    }
    self.init(settings, setup, latent: latent, stream: stream, earlierSteps: 0)
  }

  /// Starts a second pass from a latent. Noise is added to the latent according to the denoising strength, and once more
  /// according to `extraNoise`.
  ///
  /// The noise is the first draw of a separate stream with the same seed.
  ///
  /// - Parameters:
  ///   - latent: A latent of the settings' shape.
  ///   - settings: Settings with a denoising strength.
  ///   - training: The noise levels of the training.
  ///   - earlierSteps: The number of steps of earlier passes.
  public init(over latent: Latent, settings: SamplingSettings, training: TrainingSchedule, earlierSteps: Int) {
    let setup = SamplingSetup(settings, training)
    var stream = ImageNoise(
      seed: settings.seed, source: settings.rng, shape: settings.shape, variation: settings.variation)
    var start = latent
    let extra = Float(settings.extraNoise ?? 0)
    switch setup.start {
    case .sigma(let sigma):
      let draw = stream.next()
      start.add(sigma, draw)
      if extra > 0 { start.add(extra, draw) }
    case .flow(let sigma):
      let draw = stream.next()
      start.scale(by: 1 - sigma, adding: sigma, draw)
      if extra > 0 { start.add(extra, draw) }
    case .alpha(let alpha):
      let draw = stream.next()
      start.scale(by: alpha.squareRoot(), adding: (1 - alpha).squareRoot(), draw)
      if extra > 0 { start.add(extra * alpha.squareRoot(), draw) }
    case nil: break
    }
    self.init(settings, setup, latent: start, stream: stream, earlierSteps: earlierSteps)
  }

  private init(
    _ settings: SamplingSettings, _ setup: SamplingSetup, latent: Latent, stream: ImageNoise, earlierSteps: Int
  ) {
    self.settings = settings
    sigmas = setup.sigmas
    sampler = setup.sampler
    noiseRange = setup.noiseRange
    self.latent = latent
    self.earlierSteps = earlierSteps
    noise = Self.noise(sampler.noiseKind, settings: settings, range: noiseRange, stream: stream)
  }

  /// Whether all noise levels of these settings are finite. Otherwise an image cannot be sampled.
  public static func hasFiniteLevels(_ settings: SamplingSettings, training: TrainingSchedule) -> Bool {
    SamplingSetup(settings, training).isFinite
  }

  /// The number of steps; an estimate if the sampler chooses its steps as it goes.
  public static func stepCount(_ settings: SamplingSettings, training: TrainingSchedule) -> Int {
    let setup = SamplingSetup(settings, training)
    return setup.sampler.stepCount(sigmas: setup.sigmas)
  }

  /// The noise levels, descending; empty for samplers that use timesteps.
  public static func sigmas(_ settings: SamplingSettings, training: TrainingSchedule) -> [Float] {
    SamplingSetup(settings, training).sigmas
  }

  /// Takes one step, which calls the model a few times. If the model throws, the loop stays as it was before the step.
  public mutating func step<Model: GuidedModel>(model: Model) throws(Model.Failure) {
    precondition(!isFinished, "all \(stepCount) steps are taken")
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
    _ kind: NoiseKind, settings: SamplingSettings, range: NoiseRange?, stream: ImageNoise
  ) -> any NoiseSampler {
    guard kind == .brownian, let range else { return stream }
    return BrownianTree(
      seed: settings.seed, source: settings.rng, shape: settings.shape, sigmaMin: range.low, sigmaMax: range.high)
  }
}

/// A saved loop. The sigmas are saved too, although they follow from the settings, so that a resumed image continues with the
/// levels that it started with.
extension SamplingLoop: Codable {
  enum CodingKeys: String, CodingKey {
    case settings, sigmas, stepIndex, callCount, latent, sampler, drawCount, earlierSteps, noiseRange
  }

  /// Restores a saved loop; throws `DecodingError` if its parts do not match.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    settings = try container.decode(SamplingSettings.self, forKey: .settings)
    sigmas = try container.decode([Float].self, forKey: .sigmas)
    stepIndex = try container.decode(Int.self, forKey: .stepIndex)
    latent = try container.decode(Latent.self, forKey: .latent)
    callCount = try container.decode(Int.self, forKey: .callCount)
    let drawCount = try container.decode(Int.self, forKey: .drawCount)
    // Older versions saved only passes that start with noise.
    earlierSteps = try container.decodeIfPresent(Int.self, forKey: .earlierSteps) ?? 0
    noiseRange = try container.decodeIfPresent(NoiseRange.self, forKey: .noiseRange) ?? NoiseRange(sigmas)
    sampler = try Self.decodeSampler(
      SamplerRegistry.type(of: settings.sampler, inFlow: settings.isFlow == true), from: container)
    let stepCount = sampler.stepCount(sigmas: sigmas)
    guard settings.sampler.usesTimesteps == sigmas.isEmpty, stepIndex >= 0, earlierSteps >= 0, stepIndex <= stepCount,
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
    noise = Self.noise(sampler.noiseKind, settings: settings, range: noiseRange, stream: stream)
  }

  /// Saves the loop.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(settings, forKey: .settings)
    try container.encode(sigmas, forKey: .sigmas)
    try container.encode(stepIndex, forKey: .stepIndex)
    try container.encode(callCount, forKey: .callCount)
    try container.encode(latent, forKey: .latent)
    try container.encode(sampler, forKey: .sampler)
    try container.encode(noise.drawCount, forKey: .drawCount)
    if earlierSteps != 0 { try container.encode(earlierSteps, forKey: .earlierSteps) }
    try container.encodeIfPresent(noiseRange, forKey: .noiseRange)
  }

  private static func decodeSampler<S: Sampler>(
    _ type: S.Type, from container: KeyedDecodingContainer<CodingKeys>
  ) throws -> any Sampler {
    try container.decode(type, forKey: .sampler)
  }
}
