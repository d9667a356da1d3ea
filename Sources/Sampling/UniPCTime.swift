import Foundation
import Settings

/// The continuous time of UniPC, from 1/1000 to 1. Log α is linear between the training's timesteps.
///
/// Source: DPM-Solver's discrete `NoiseScheduleVP`, arXiv:2206.00927.
struct UniPCTime {
  private let logAlphas: [Double]

  init(_ training: TrainingSchedule) { logAlphas = training.alphasCumprod.map { 0.5 * log(Double($0)) } }

  private var total: Double { Double(logAlphas.count) }

  /// The time at a timestep of the training, as the webui computes it for an image that does not start from pure noise.
  static func time(atTimestep timestep: Int) -> Double { Double(timestep) / 1000 + 1 / 1000 }

  /// The levels between `steps` steps, starting at a time.
  func levels(_ skipType: UniPCSkipType, steps: Int, from start: Double = 1) -> [UniPC.Level] {
    guard steps > 0 else { return [level(at: start)] }
    let times: [Double]
    switch skipType {
    case .timeUniform: times = Self.spaced(start, 1 / total, steps)
    case .timeQuadratic:
      times = Self.spaced(start.squareRoot(), (1 / total).squareRoot(), steps).map { $0 * $0 }
    case .logSNR:
      times = Self.spaced(level(at: start).lambda, level(at: 1 / total).lambda, steps).map(time(forLambda:))
    }
    return times.map(level(at:))
  }

  private static func spaced(_ start: Double, _ end: Double, _ steps: Int) -> [Double] {
    (0...steps).map { start + (end - start) * Double($0) / Double(steps) }
  }

  private func level(at time: Double) -> UniPC.Level {
    // The time of the i-th timestep is (i + 1) / total. Beyond the ends, the outer segments are extended.
    let position = time * total - 1
    // Training levels without any signal make the position NaN, and the image too.
    let low = position > 0 ? Int(min(position, Double(logAlphas.count - 2))) : 0
    let logAlpha = logAlphas[low] + (position - Double(low)) * (logAlphas[low + 1] - logAlphas[low])
    let sigma = (-expm1(2 * logAlpha)).squareRoot()
    return UniPC.Level(
      timestep: (time - 1 / total) * 1000, alpha: exp(logAlpha), sigma: sigma, lambda: logAlpha - log(sigma))
  }

  private func time(forLambda lambda: Double) -> Double {
    // log α = −½ log(1 + e^(−2λ)), written so that it does not overflow.
    let logAlpha = -0.5 * (max(0, -2 * lambda) + log1p(exp(-(2 * lambda).magnitude)))
    let above = logAlphas.firstIndex { $0 < logAlpha } ?? logAlphas.count - 1
    let low = min(max(above - 1, 0), logAlphas.count - 2)
    let position = Double(low) + (logAlpha - logAlphas[low]) / (logAlphas[low + 1] - logAlphas[low])
    return (position + 1) / total
  }
}
