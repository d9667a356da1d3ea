import Settings

/// The noise levels that the network was trained on: one sigma for each timestep, and the mapping between the two.
///
/// Sigma is √((1 − ᾱ) / ᾱ). Log sigma is linear between two timesteps, so timesteps may be fractional. Source: k-diffusion's
/// `DiscreteSchedule`; the betas are those of Stable Diffusion 1, 2 and XL.
public struct TrainingSchedule: Hashable, Sendable {
  /// ᾱ of every timestep, descending.
  public let alphasCumprod: [Float]
  /// Sigma of every timestep, ascending.
  public let sigmas: [Float]
  /// Eleven sigmas, from the highest, for `ScheduleID.alignYourSteps`.
  public var alignedSteps = [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029]
  /// The levels of flow matching; nil if the network predicts noise.
  public let flow: FlowLevels?
  private let logSigmas: [Float]
  /// Whether every noise level is rounded to a whole timestep.
  private let isQuantized: Bool

  /// The smallest sigma of the training.
  public var sigmaMin: Float { sigmas[0] }
  /// The largest sigma of the training.
  public var sigmaMax: Float { sigmas[sigmas.count - 1] }

  /// The timesteps of Stable Diffusion: β = linspace(√0.00085, √0.012)², ᾱ accumulated in double precision.
  private static let standardAlphas: [Double] = {
    let first = 0.00085.squareRoot()
    let last = 0.012.squareRoot()
    var product = 1.0
    return (0..<1000).map { i in
      let rootBeta = first + (last - first) * Double(i) / 999
      product *= 1 - rootBeta * rootBeta
      return product
    }
  }()

  /// Creates the 1000 timesteps of a model.
  ///
  /// - Parameters:
  ///   - alphasCumprod: ᾱ of each timestep, descending and between 0 and 1; nil for those of Stable Diffusion.
  ///   - noise: With a zero terminal signal-to-noise ratio, √ᾱ is stretched until the last one is almost 0 (Lin et al. 2023,
  ///     arXiv:2305.08891).
  ///   - isDowncast: Whether ᾱ and everything computed from it are in half precision, as in the webui up to 1.7.
  ///   - isQuantized: Whether a noise level has the timestep of the nearest sigma, as with the webui's `enable_quantization`.
  public init(
    alphasCumprod: [Double]? = nil, noise: TrainingNoiseChoice = .standard, isDowncast: Bool = false,
    isQuantized: Bool = false
  ) {
    var alphas = (alphasCumprod ?? Self.standardAlphas).map(Float.init)
    let round: (Float) -> Float = isDowncast ? { HalfPrecision.rounded($0) } : { $0 }
    alphas = alphas.map(round)
    if noise == .zeroTerminalSNR {
      let roots = alphas.map { round($0.squareRoot()) }
      let last = roots[roots.count - 1]
      let stretch = round(roots[0] / round(roots[0] - last))
      alphas = roots.map { root in
        let stretched = round(round(root - last) * stretch)
        return round(stretched * stretched)
      }
      alphas[alphas.count - 1] = round(4.8973451890853435e-08)
    }
    self.init(alphasCumprod: alphas, isQuantized: isQuantized, round: round)
  }

  /// The noise levels that a job assumes its model was trained on.
  ///
  /// - Parameters:
  ///   - job: The job; its settings may override the model's.
  ///   - noise: The noise schedule in the model's files.
  ///   - alphasCumprod: ᾱ of the 1000 timesteps that the model was trained on; nil for those of Stable Diffusion.
  ///   - alignedSteps: Eleven sigmas that were measured on the model's family; nil for those of Stable Diffusion 1.x.
  public init(
    _ job: PassSettings, noise: TrainingNoiseChoice = .standard, alphasCumprod: [Double]? = nil,
    alignedSteps: [Double]? = nil
  ) {
    self.init(
      alphasCumprod: alphasCumprod, noise: job.sdNoiseSchedule == .standard ? noise : job.sdNoiseSchedule,
      isDowncast: job.useDowncastedAlphaBar,
      isQuantized: job.enableQuantization)
    if let alignedSteps { self.alignedSteps = alignedSteps }
  }

  /// Creates a schedule from ᾱ: at least two values, descending and between 0 and 1.
  public init(alphasCumprod: [Float]) { self.init(alphasCumprod: alphasCumprod, isQuantized: false, round: { $0 }) }

  private init(alphasCumprod: [Float], isQuantized: Bool, round: (Float) -> Float) {
    precondition(alphasCumprod.count > 1, "a training schedule takes at least two timesteps")
    self.alphasCumprod = alphasCumprod
    self.isQuantized = isQuantized
    flow = nil
    sigmas = alphasCumprod.map { round(round(round(1 - $0) / $0).squareRoot()) }
    logSigmas = sigmas.map { round(.log($0)) }
  }

  /// Creates the levels of flow matching; they have no ᾱ.
  init(_ flow: FlowLevels) {
    alphasCumprod = []
    isQuantized = false
    self.flow = flow
    sigmas = flow.table
    logSigmas = sigmas.map { .log($0) }
  }

  /// The network's input for a noise level: its timestep, or 1000 σ with flow matching.
  public func networkTimestep(forSigma sigma: Float) -> Float {
    flow == nil ? timestep(forSigma: sigma) : 1000 * sigma
  }

  /// The timestep whose noise level is `sigma`, clamped to the trained range; fractional unless it is quantized.
  public func timestep(forSigma sigma: Float) -> Float {
    if flow?.hasTimeOfSigma == true { return sigma }
    let logSigma = Float.log(sigma)
    // Find the first timestep with a larger log sigma; the one before it starts the segment.
    var below = 0
    var above = logSigmas.count
    while below < above {
      let middle = (below + above) / 2
      if logSigmas[middle] <= logSigma { below = middle + 1 } else { above = middle }
    }
    let low = min(max(below - 1, 0), logSigmas.count - 2)
    if isQuantized {
      // If two are equally near, the webui takes the first.
      let isFirst = (logSigma - logSigmas[low]).magnitude <= (logSigma - logSigmas[low + 1]).magnitude
      return Float(isFirst ? low : low + 1)
    }
    let weight = (logSigmas[low] - logSigma) / (logSigmas[low] - logSigmas[low + 1])
    let clamped = min(max(weight, 0), 1)
    return (1 - clamped) * Float(low) + clamped * Float(low + 1)
  }

  /// The fraction of the noise that has been removed at a noise level, as the webui counts it: 0 at the last timestep, 0.999 at
  /// the first.
  ///
  /// - Parameters:
  ///   - sigma: The noise level.
  ///   - sampler: LCM has its own levels; the webui uses their index as a timestep.
  /// - Returns: 0 to 0.999.
  public func completedPart(atSigma sigma: Float, of sampler: SamplerID) -> Float {
    let levels = sampler == .lcm && flow == nil ? LCMLevels(self).sigmas : sigmas
    var nearest = 0
    for (index, level) in levels.enumerated() where (level - sigma).magnitude < (levels[nearest] - sigma).magnitude {
      nearest = index
    }
    return completedPart(atTimestep: Float(levels.count > 1000 ? nearest * 1000 / levels.count : nearest))
  }

  /// The fraction of the noise that has been removed at a timestep, which is rounded down.
  public func completedPart(atTimestep timestep: Float) -> Float {
    Float(999 - Self.whole(timestep, below: 1000)) / 1000
  }

  /// The timestep rounded down and clamped. 0 for NaN, which samplers may compute from infinite levels.
  private static func whole(_ timestep: Float, below count: Int) -> Int {
    timestep > 0 ? Int(min(timestep, Float(count - 1))) : 0
  }

  /// The noise level of a fractional timestep in 0...(timesteps − 1).
  public func sigma(atTimestep timestep: Float) -> Float {
    flow?.hasTimeOfSigma == true ? timestep : LogInterpolation.sigma(logSigmas, at: timestep)
  }

  /// ᾱ of a timestep, which is rounded down.
  public func alphaCumprod(atTimestep timestep: Float) -> Float {
    alphasCumprod.isEmpty ? 1 : alphasCumprod[Self.whole(timestep, below: alphasCumprod.count)]
  }
}
