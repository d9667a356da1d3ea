/// The noise levels that a schedule chooses from, and their timesteps.
protocol NoiseLevels {
  /// The levels, ascending.
  var sigmas: [Float] { get }
  /// The timestep of a noise level.
  func timestep(forSigma sigma: Float) -> Float
  /// The noise level of a timestep.
  func sigma(atTimestep timestep: Float) -> Float
}

extension TrainingSchedule: NoiseLevels {}

/// Interpolation between noise levels, which is linear in log sigma.
enum LogInterpolation {
  /// The sigma at a fractional index into ascending logarithms.
  ///
  /// NaN if the index is NaN: infinite training levels have no timestep.
  static func sigma(_ logSigmas: [Float], at index: Float) -> Float {
    guard index.isFinite else { return .nan }
    let index = min(max(index, 0), Float(logSigmas.count - 1))
    let lower = index.rounded(.down)
    let weight = index - lower
    let low = logSigmas[Int(lower)]
    let high = logSigmas[Int(index.rounded(.up))]
    return .exp((1 - weight) * low + weight * high)
  }
}
