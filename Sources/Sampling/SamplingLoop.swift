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
  /// Steps of the passes before this one.
  public let earlierSteps: Int
  private var sampler: any Sampler
  private var noise: any NoiseSampler
  /// The sigmas between which noise grows on a tree.
  private let noiseRange: NoiseRange?

  /// Steps in all; an estimate, always above `stepIndex`, where the sampler finds its steps on the way.
  public var stepCount: Int { sampler.stepCount(sigmas: sigmas) }
  /// Whether the latent is the result.
  public var isFinished: Bool { sampler.isFinished(after: stepIndex, sigmas: sigmas) }

  /// The start of an image: noise at the schedule's highest sigma, or of unit variance for samplers without sigmas.
  public init(settings: SamplingSettings, training: TrainingSchedule) {
    let course = SamplingCourse(settings, training)
    var stream = ImageNoise(
      seed: settings.seed, source: settings.rng, shape: settings.shape, variation: settings.variation)
    var latent = stream.next()
    if let first = course.sigmas.first {
      latent.scale(by: settings.sgmNoiseMultiplier ? (1 + first * first).squareRoot() : first)
    }
    self.init(settings, course, latent: latent, stream: stream, earlierSteps: 0)
  }

  /// The start of a second pass over a latent: as much noise is put on it as its denoising strength asks for.
  ///
  /// The noise is the first of a stream of its own, from the same seed.
  ///
  /// - Parameters:
  ///   - latent: Of the settings' shape.
  ///   - settings: With a denoising strength.
  ///   - training: The noise levels of the training.
  ///   - earlierSteps: Steps of the passes before.
  public init(over latent: Latent, settings: SamplingSettings, training: TrainingSchedule, earlierSteps: Int) {
    let course = SamplingCourse(settings, training)
    var stream = ImageNoise(
      seed: settings.seed, source: settings.rng, shape: settings.shape, variation: settings.variation)
    var start = latent
    switch course.start {
    case .sigma(let sigma): start.add(sigma, stream.next())
    case .alpha(let alpha): start.scale(by: alpha.squareRoot(), adding: (1 - alpha).squareRoot(), stream.next())
    case nil: break
    }
    self.init(settings, course, latent: start, stream: stream, earlierSteps: earlierSteps)
  }

  private init(
    _ settings: SamplingSettings, _ course: SamplingCourse, latent: Latent, stream: ImageNoise, earlierSteps: Int
  ) {
    self.settings = settings
    sigmas = course.sigmas
    sampler = course.sampler
    noiseRange = course.noiseRange
    self.latent = latent
    self.earlierSteps = earlierSteps
    noise = Self.noise(sampler.noiseKind, settings: settings, range: noiseRange, stream: stream)
  }

  /// Steps that settings come to; an estimate where the sampler finds its steps on the way.
  public static func stepCount(_ settings: SamplingSettings, training: TrainingSchedule) -> Int {
    let course = SamplingCourse(settings, training)
    return course.sampler.stepCount(sigmas: course.sigmas)
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
    _ kind: NoiseKind, settings: SamplingSettings, range: NoiseRange?, stream: ImageNoise
  ) -> any NoiseSampler {
    guard kind == .brownian, let range else { return stream }
    return BrownianTree(
      seed: settings.seed, source: settings.rng, shape: settings.shape, sigmaMin: range.low, sigmaMax: range.high)
  }
}

/// A checkpoint of the loop: what the settings do not say. The sigmas are kept too, so that a checkpoint continues on
/// the levels it began with.
extension SamplingLoop: Codable {
  enum CodingKeys: String, CodingKey {
    case settings, sigmas, stepIndex, callCount, latent, sampler, drawCount, earlierSteps, noiseRange
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
    // Older checkpoints are of whole passes from noise.
    earlierSteps = try container.decodeIfPresent(Int.self, forKey: .earlierSteps) ?? 0
    noiseRange = try container.decodeIfPresent(NoiseRange.self, forKey: .noiseRange) ?? NoiseRange(sigmas)
    sampler = try Self.decodeSampler(SamplerRegistry.type(of: settings.sampler), from: container)
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
    if earlierSteps != 0 { try container.encode(earlierSteps, forKey: .earlierSteps) }
    try container.encodeIfPresent(noiseRange, forKey: .noiseRange)
  }

  private static func decodeSampler<S: Sampler>(
    _ type: S.Type, from container: KeyedDecodingContainer<CodingKeys>
  ) throws -> any Sampler {
    try container.decode(type, forKey: .sampler)
  }
}
