/// The noise levels that a schedule may lean on, and their timesteps.
protocol NoiseLevels {
  /// The levels, rising.
  var sigmas: [Float] { get }
  /// The timestep that stands for a noise level.
  func timestep(forSigma sigma: Float) -> Float
  /// The noise level of a timestep.
  func sigma(atTimestep timestep: Float) -> Float
}

extension TrainingSchedule: NoiseLevels {}

/// Between two levels log sigma is linear.
enum LogInterpolation {
  /// The sigma at a fractional index into rising logarithms.
  static func sigma(_ logSigmas: [Float], at index: Float) -> Float {
    let lower = index.rounded(.down)
    let weight = index - lower
    let low = logSigmas[Int(lower)]
    let high = logSigmas[Int(index.rounded(.up))]
    return .exp((1 - weight) * low + weight * high)
  }
}
