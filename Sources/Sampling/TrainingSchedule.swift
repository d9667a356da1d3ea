/// The noise levels that the network was trained on: one sigma per timestep, and the mapping between the two.
///
/// Sigma is √((1 − ᾱ) / ᾱ); between two timesteps log sigma is linear, so timesteps may be fractional.
/// Source: k-diffusion's `DiscreteSchedule`; the betas are those of Stable Diffusion 1, 2 and XL.
public struct TrainingSchedule: Hashable, Sendable {
  /// ᾱ of every timestep, falling.
  public let alphasCumprod: [Float]
  /// Sigma of every timestep, rising.
  public let sigmas: [Float]
  private let logSigmas: [Float]

  /// The smallest sigma of the training.
  public var sigmaMin: Float { sigmas[0] }
  /// The largest sigma of the training.
  public var sigmaMax: Float { sigmas[sigmas.count - 1] }

  /// The 1000 timesteps of Stable Diffusion: β = linspace(√0.00085, √0.012)², ᾱ accumulated in double precision.
  public init() {
    let first = 0.00085.squareRoot()
    let last = 0.012.squareRoot()
    var product = 1.0
    let alphas = (0..<1000).map { i in
      let rootBeta = first + (last - first) * Double(i) / 999
      product *= 1 - rootBeta * rootBeta
      return Float(product)
    }
    self.init(alphasCumprod: alphas)
  }

  /// A schedule with these ᾱ, falling and between 0 and 1; at least two.
  public init(alphasCumprod: [Float]) {
    precondition(alphasCumprod.count > 1, "a training schedule takes at least two timesteps")
    self.alphasCumprod = alphasCumprod
    sigmas = alphasCumprod.map { ((1 - $0) / $0).squareRoot() }
    logSigmas = sigmas.map(Float.log)
  }

  /// The fractional timestep whose noise level is `sigma`, clamped to the trained range.
  public func timestep(forSigma sigma: Float) -> Float {
    let logSigma = Float.log(sigma)
    // The first timestep whose log sigma is above; the one before it starts the segment.
    var below = 0
    var above = logSigmas.count
    while below < above {
      let middle = (below + above) / 2
      if logSigmas[middle] <= logSigma { below = middle + 1 } else { above = middle }
    }
    let low = min(max(below - 1, 0), logSigmas.count - 2)
    let weight = (logSigmas[low] - logSigma) / (logSigmas[low] - logSigmas[low + 1])
    let clamped = min(max(weight, 0), 1)
    return (1 - clamped) * Float(low) + clamped * Float(low + 1)
  }

  /// The noise level of a fractional timestep in 0...(timesteps − 1).
  public func sigma(atTimestep timestep: Float) -> Float {
    let lower = timestep.rounded(.down)
    let weight = timestep - lower
    let low = logSigmas[Int(lower)]
    let high = logSigmas[Int(timestep.rounded(.up))]
    return .exp((1 - weight) * low + weight * high)
  }
}
