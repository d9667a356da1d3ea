import Foundation
import Settings

/// The noise levels that the sampler visits.
public enum SigmaSchedule {
  /// The descending sigmas of `steps` steps, in single precision as PyTorch computes them.
  ///
  /// There is one sigma more than steps, and the last is 0. Exceptions: `klOptimal` ends above 0, and `ddim` chooses the number
  /// itself. If the second-to-last sigma is discarded, the schedule is computed for one step more and then that sigma is
  /// removed. `automatic` means the sampler's default schedule, or `uniform` if it has none. The sampler LCM replaces the
  /// training levels by its own, unless they are those of flow matching. `tokens`, the number of latent pixels, is used only by
  /// `flux2`.
  ///
  /// Source: Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based Generative Models",
  /// arXiv:2206.00364, equation 5; k-diffusion's `get_sigmas_*`; the webui's `KDiffusionSampler.get_sigmas`; for
  /// `alignYourSteps` Sabour et al. 2024, arXiv:2404.14507; for `beta` Lee et al. 2024, arXiv:2407.12173.
  public static func sigmas(
    _ schedule: ScheduleID, for sampler: SamplerID, steps: Int, options: ScheduleOptions = ScheduleOptions(),
    training: TrainingSchedule, tokens: Int = 1024
  ) -> [Float] {
    precondition(steps > 0, "a schedule takes at least one step")
    let levels: any NoiseLevels = sampler == .lcm && training.flow == nil ? LCMLevels(training) : training
    let discards = sampler.discardsPenultimateSigma || options.discardsPenultimateSigma
    let named = schedule == .automatic ? sampler.defaultSchedule : schedule
    let count = discards ? steps + 1 : steps
    var sigmas =
      switch (named, training.flow) {
      case (.flux2, let flow?): flow.flux2(steps: count, tokens: tokens)
      case (.beta, let flow?) where flow.isBetaOfTable:
        flow.beta(steps: count, BetaDistribution(alpha: options.betaAlpha, beta: options.betaBeta))
      default: Self.sigmas(named, count: count, options: options, levels: levels, alignedSteps: training.alignedSteps)
      }
    if discards, sigmas.count > 2 { sigmas.remove(at: sigmas.count - 2) }
    return sigmas
  }

  /// The sigmas: for most schedules, `count` of them above 0, then 0.
  private static func sigmas(
    _ schedule: ScheduleID, count: Int, options: ScheduleOptions, levels: any NoiseLevels, alignedSteps: [Double]
  ) -> [Float] {
    let (low, high) = options.range(of: levels)
    switch schedule {
    // Only flow matching has `flux2`; other models are refused before a run.
    case .automatic, .uniform, .flux2:
      let first = levels.timestep(forSigma: levels.sigmas[levels.sigmas.count - 1])
      let last = levels.timestep(forSigma: levels.sigmas[0])
      return linspace(first, last, count).map(levels.sigma(atTimestep:)) + [0]
    case .normal:
      let (first, last) = (levels.timestep(forSigma: Float(high)), levels.timestep(forSigma: Float(low)))
      return linspace(first, last, count).map(levels.sigma(atTimestep:)) + [0]
    case .sgmUniform:
      let (first, last) = (levels.timestep(forSigma: Float(high)), levels.timestep(forSigma: Float(low)))
      return linspace(first, last, count + 1).dropLast().map(levels.sigma(atTimestep:)) + [0]
    case .karras:
      return karras(count, low, high, rho: options.rho == 0 ? 7 : options.rho) + [0]
    case .exponential:
      return linspace(Float(log(high)), Float(log(low)), count).map(Float.exp) + [0]
    case .polyexponential:
      let span = Float(log(high) - log(low))
      let rho = options.rho == 0 ? 1 : options.rho
      return linspace(1, 0, count).map { Float.exp(Float.pow($0, rho) * span + Float(log(low))) } + [0]
    case .klOptimal:
      let (first, last) = (Float(atan(Double(Float(high)))), Float(atan(Double(Float(low)))))
      return (0...count).map { i in
        let weight = Float(i) / Float(count)
        return Float(tan(Double(weight * last + (1 - weight) * first)))
      }
    case .alignYourSteps:
      return alignYourSteps(count, table: alignedSteps) + [0]
    case .simple:
      let stride = Double(levels.sigmas.count) / Double(count)
      return (0..<count).map { levels.sigmas[levels.sigmas.count - 1 - Int(Double($0) * stride)] } + [0]
    case .ddim:
      let stride = max(levels.sigmas.count / count, 1)
      return Swift.stride(from: 1, to: levels.sigmas.count, by: stride).reversed().map { levels.sigmas[$0] } + [0]
    case .beta:
      let distribution = BetaDistribution(alpha: options.betaAlpha, beta: options.betaBeta)
      return (0..<count).map { i in
        let part = count == 1 ? 0 : Double(i) / Double(count - 1)
        return Float(low + distribution.quantile(1 - part) * (high - low))
      } + [0]
    }
  }

  /// `count` sigmas from `high` to `low` whose `rho`-th roots are evenly spaced.
  static func karras(_ count: Int, _ low: Double, _ high: Double, rho: Double) -> [Float] {
    let start = pow(high, 1 / rho)
    let span = Float(pow(low, 1 / rho) - start)
    return linspace(0, 1, count).map { Float.pow(Float(start) + $0 * span, rho) }
  }

  /// Interpolates eleven levels that were optimised for a family, linear in their logarithms.
  private static func alignYourSteps(_ count: Int, table: [Double]) -> [Float] {
    guard count != table.count else { return table.map { Float($0) } }
    let logs = table.reversed().map { log($0) }
    return (0..<count).reversed().map { i in
      let position = count == 1 ? 0 : Double(i) / Double(count - 1) * 10
      let below = min(Int(position), 9)
      return Float(exp(logs[below] + (position - Double(below)) * (logs[below + 1] - logs[below])))
    }
  }

  /// `count` evenly spaced values, rounded as in PyTorch: from both ends towards the middle, with product and sum fused.
  static func linspace(_ start: Float, _ end: Float, _ count: Int) -> [Float] {
    guard count > 1 else { return [start] }
    let step = (end - start) / Float(count - 1)
    return (0..<count).map { i in
      i < count / 2
        ? start.addingProduct(step, Float(i))
        : end.addingProduct(-step, Float(count - 1 - i))
    }
  }
}

/// The settings of a schedule besides its name and its steps.
public struct ScheduleOptions: Codable, Hashable, Sendable {
  /// Whether the second-to-last sigma is removed, even if the sampler does not require it.
  public var discardsPenultimateSigma: Bool
  /// The smallest sigma; 0 for the model's.
  public var sigmaMin: Double
  /// The largest sigma; 0 for the model's.
  public var sigmaMax: Double
  /// The exponent of `karras` and `polyexponential`; 0 for their defaults.
  public var rho: Double
  /// The first parameter of `beta`.
  public var betaAlpha: Double
  /// The second parameter of `beta`.
  public var betaBeta: Double
  /// Whether 0.1 and 10 replace the model's smallest and largest sigma.
  public var usesOldRange: Bool

  /// Creates options; the defaults are those of the webui.
  public init(
    discardsPenultimateSigma: Bool = false, sigmaMin: Double = 0, sigmaMax: Double = 0, rho: Double = 0,
    betaAlpha: Double = 0.6, betaBeta: Double = 0.6, usesOldRange: Bool = false
  ) {
    self.discardsPenultimateSigma = discardsPenultimateSigma
    self.sigmaMin = sigmaMin
    self.sigmaMax = sigmaMax
    self.rho = rho
    self.betaAlpha = betaAlpha
    self.betaBeta = betaBeta
    self.usesOldRange = usesOldRange
  }

  /// The options of a job.
  init(_ job: PassSettings) {
    self.init(
      discardsPenultimateSigma: job.alwaysDiscardNextToLastSigma, sigmaMin: job.sigmaMin, sigmaMax: job.sigmaMax,
      rho: job.rho, betaAlpha: job.betaDistAlpha, betaBeta: job.betaDistBeta,
      usesOldRange: job.useOldKarrasSchedulerSigmas)
  }

  /// The smallest and the largest sigma of a schedule on these levels.
  func range(of levels: any NoiseLevels) -> (low: Double, high: Double) {
    let low = usesOldRange ? 0.1 : Double(levels.sigmas[0])
    let high = usesOldRange ? 10 : Double(levels.sigmas[levels.sigmas.count - 1])
    return (sigmaMin == 0 ? low : sigmaMin, sigmaMax == 0 ? high : sigmaMax)
  }
}
