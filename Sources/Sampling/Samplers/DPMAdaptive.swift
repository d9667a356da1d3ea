import Foundation

/// DPM-Solver-23, whose step length depends on the difference between its two orders.
///
/// A step is an attempt, which may be rejected. The sampler runs from the training's largest sigma to its smallest, whatever
/// the schedule and the number of steps. As in the webui, its noise is not scaled by `s_noise`.
/// Source: Lu et al. 2022, "DPM-Solver", arXiv:2206.00927; k-diffusion's `sample_dpm_adaptive`.
struct DPMAdaptive: Sampler {
  let eta: Double
  private let end: Float
  /// −log σ of the latent.
  private var t: Float
  /// The length of the next attempt.
  private var h: Float = 0.05
  /// The lower-order result of the last accepted attempt.
  private var previousLow: Latent?
  private var stepsTaken = 0

  private static let relativeTolerance: Float = 0.05
  private static let absoluteTolerance: Float = 0.0078
  private static let acceptance = 0.81

  /// Creates a sampler before its first step.
  init(eta: Double, sigmaMin: Float, sigmaMax: Float) {
    self.eta = eta
    end = DPMSolver.t(sigmaMin)
    t = DPMSolver.t(sigmaMax)
  }

  private var stepsLeft: Int {
    guard t < end - 1e-5 else { return 0 }
    // After a very bad attempt, the length may be so short that the estimate overflows an integer.
    let estimate = ((end - t) / h).rounded(.up)
    return estimate < 1_000_000 ? max(Int(estimate), 1) : 1_000_000
  }

  func stepCount(sigmas: [Float]) -> Int { stepsTaken + stepsLeft }

  func isFinished(after steps: Int, sigmas: [Float]) -> Bool { stepsLeft == 0 }

  mutating func step<Model: GuidedModel>(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, model: inout CountedModel<Model>
  ) throws(Model.Failure) {
    let next = min(end, t + h)
    let (target, up) = DPMSolver.ancestral(from: t, to: next, end: end, eta: eta)
    let e = try DPMSolver.noise(x, at: t, model: &model)
    let r = 1.0 / 3
    let middle = DPMSolver.middle(x, from: t, to: target, e, r: r)
    let inner = try DPMSolver.noise(middle.x, at: middle.t, model: &model)
    let low = DPMSolver.second(x, from: t, to: target, e, inner, r: r)
    let high = try DPMSolver.third(x, from: t, to: target, e, inner, model: &model)

    let error = Self.error(low, high, previous: previousLow ?? x)
    let order = eta == 0 ? 3.0 : 1.5
    let factor = 1 + atan(pow(1 / (error + 1e-8), 1 / order) - 1)
    // No attempt would ever be accepted again. Stop here: the latent shows what happened.
    guard factor.isFinite else {
      x = Latent(shape: x.shape, repeating: .nan)
      t = end
      stepsTaken += 1
      return
    }
    if factor >= Self.acceptance {
      previousLow = low
      x = high
      x.add(up, noise.noise(from: DPMSolver.sigma(t), to: DPMSolver.sigma(next)))
      t = next
    }
    h *= Float(factor)
    stepsTaken += 1
  }

  /// The root mean square of the difference between the orders, divided by the tolerance.
  private static func error(_ low: Latent, _ high: Latent, previous: Latent) -> Double {
    var sum = 0.0
    for i in low.values.indices {
      let size = max(low.values[i].magnitude, previous.values[i].magnitude)
      let error = Double((low.values[i] - high.values[i]) / max(absoluteTolerance, relativeTolerance * size))
      sum += error * error
    }
    return (sum / Double(low.values.count)).squareRoot()
  }
}
