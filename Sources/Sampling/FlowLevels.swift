import Foundation
import Settings

/// The noise levels of flow matching that a job's schedules choose from: x = σ · noise + (1 − σ) · image.
///
/// Source: Esser et al. 2024, arXiv:2403.03206, section 5.3.2; the table of Flux as in Forge's `ForgeScheduler`.
public struct FlowLevels: Hashable, Sendable {
  /// σ(u) = a u / (1 + (a − 1) u) for u = 1/N, 2/N ... 1, ascending.
  let table: [Float]
  /// Whether the time of a level is the level itself; if not, it is the index in the table.
  let hasTimeOfSigma: Bool
  /// Whether the schedule `beta` chooses levels of the table.
  let isBetaOfTable: Bool
  /// The shift a of the schedule `flux2`; 0 if it depends on the image's size and the number of steps.
  let curveShift: Double
  /// The shift a of the table.
  private let tableShift: Double

  /// Creates the levels of a family.
  ///
  /// - Parameters:
  ///   - traits: The traits of the family.
  ///   - shift: The shift a; 0 for the family's default.
  init(_ traits: FlowTraits, shift: Double) {
    let a = shift == 0 ? traits.table.shift : shift
    tableShift = a
    table = Self.table(count: traits.table.count, shift: Float(a), isReciprocal: traits.table.hasTimeOfSigma)
    hasTimeOfSigma = traits.table.hasTimeOfSigma
    isBetaOfTable = traits.isBetaOfTable
    curveShift = shift
  }

  /// The level at u = 1 − 10⁻⁴, just below 1, for samplers that divide by 1 − σ.
  var highestFiniteLevel: Float {
    let u = 1 - Float(1e-4)
    return Float(tableShift) * u / (1 + (Float(tableShift) - 1) * u)
  }

  /// The table. Two forms of the same formula are rounded differently.
  private static func table(count: Int, shift: Float, isReciprocal: Bool) -> [Float] {
    (1...count).map { i in
      let u = Float(i) / Float(count)
      return isReciprocal ? shift / (shift + (1 / u - 1)) : shift * u / (1 + (shift - 1) * u)
    }
  }

  /// FLUX.2's schedule: `steps` even steps along the curve of a shift e^μ, then 0.
  ///
  /// - Parameters:
  ///   - steps: The number of steps, at least 1.
  ///   - tokens: The number of tokens of the image; each covers 16x16 pixels.
  /// - Returns: `steps` + 1 descending levels; fewer if levels are too small for single precision.
  func flux2(steps: Int, tokens: Int) -> [Float] {
    let a = curveShift == 0 ? exp(Self.flux2Mu(tokens: tokens, steps: steps)) : curveShift
    // With very many steps, μ is so low that all levels after the first are 0 in single precision; those are left out.
    let positive = max(a, .leastNormalMagnitude)
    let levels = (0..<steps).map { i in
      Float(positive / (positive + (Double(steps) / Double(steps - i) - 1)))
    }
    return levels.filter { $0 > 0 } + [0]
  }

  /// FLUX.2's μ: linear in the number of steps, between two lines in the number of tokens for 10 and 200 steps. Above 4300
  /// tokens only the second line counts.
  ///
  /// Source: `compute_empirical_mu` of black-forest-labs/flux2.
  static func flux2Mu(tokens: Int, steps: Int) -> Double {
    let low = 8.73809524e-05 * Double(tokens) + 1.89833333
    let high = 0.00016927 * Double(tokens) + 0.45666666
    return tokens > 4300 ? high : low + (high - low) * Double(steps - 10) / 190
  }

  /// The levels of the table at the quantiles of a beta distribution, each level once, then 0.
  ///
  /// Source: ComfyUI's `beta_scheduler`, which Forge neo has too; Lee et al. 2024, arXiv:2407.12173.
  func beta(steps: Int, _ distribution: BetaDistribution) -> [Float] {
    let chosen = (0..<steps).map { i in
      let quantile = distribution.quantile(1 - Double(i) / Double(steps))
      return Int((quantile * Double(table.count - 1)).rounded(.toNearestOrEven))
    }
    let unique = chosen.indices.filter { $0 == 0 || chosen[$0] != chosen[$0 - 1] }.map { chosen[$0] }
    return unique.map { table[$0] } + [0]
  }
}

extension TrainingSchedule {
  /// The noise levels of a job whose model was trained by flow matching; for other jobs, those of Stable Diffusion.
  public init(flow job: PassSettings) {
    guard let traits = job.traits.flow else {
      self.init(job)
      return
    }
    self.init(FlowLevels(traits, shift: job.shift))
  }
}
