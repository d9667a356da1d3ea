import Foundation

/// The beta distribution on 0...1.
///
/// Source: the continued fraction of DLMF 8.17.22, by Lentz's method.
struct BetaDistribution {
  let alpha: Double
  let beta: Double

  /// The probability of a value of at most `x`.
  func cumulative(_ x: Double) -> Double {
    guard x > 0 else { return 0 }
    guard x < 1 else { return 1 }
    // The fraction converges fast only on one side of the mean.
    return x < (alpha + 1) / (alpha + beta + 2)
      ? Self.lower(x, alpha, beta) : 1 - Self.lower(1 - x, beta, alpha)
  }

  /// The `x` whose cumulative probability is `p`.
  func quantile(_ p: Double) -> Double {
    guard p > 0 else { return 0 }
    guard p < 1 else { return 1 }
    // It must be exact, because levels are chosen by the rounded quantile.
    if p == 0.5, alpha == beta { return 0.5 }
    // Near 1, the complement has more digits.
    if p > 0.5 { return 1 - BetaDistribution(alpha: beta, beta: alpha).lowerQuantile(1 - p) }
    return lowerQuantile(p)
  }

  /// The quantile by bisection, in log x because quantiles may be very small.
  private func lowerQuantile(_ p: Double) -> Double {
    var low = -745.0
    var high = 0.0
    for _ in 0..<80 {
      let middle = (low + high) / 2
      if cumulative(exp(middle)) < p { low = middle } else { high = middle }
    }
    return exp((low + high) / 2)
  }

  private static func lower(_ x: Double, _ a: Double, _ b: Double) -> Double {
    let scale = exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * log(x) + b * log1p(-x)) / a
    let tiny = 1e-300
    var c = 1.0
    var d = 1 / nonzero(1 - (a + b) * x / (a + 1), tiny)
    var fraction = d
    for m in 1...500 {
      let k = Double(m)
      let even = k * (b - k) * x / ((a + 2 * k - 1) * (a + 2 * k))
      d = 1 / nonzero(1 + even * d, tiny)
      c = nonzero(1 + even / c, tiny)
      fraction *= d * c
      let odd = -(a + k) * (a + b + k) * x / ((a + 2 * k) * (a + 2 * k + 1))
      d = 1 / nonzero(1 + odd * d, tiny)
      c = nonzero(1 + odd / c, tiny)
      fraction *= d * c
      if (d * c - 1).magnitude < 1e-16 { break }
    }
    return scale * fraction
  }

  private static func nonzero(_ x: Double, _ tiny: Double) -> Double { x.magnitude < tiny ? tiny : x }

  private static func logGamma(_ x: Double) -> Double { lgamma(x) }
}
