import Settings

/// The calls of the model that skip the negative prompt, and with it guidance.
public struct GuidanceSkips: Hashable, Sendable {
  private let minimum: Float
  private let isEveryCall: Bool
  private let earlyPart: Double
  private let plannedCalls: Int

  /// The calls that a job skips: its first ones, and those below a noise level.
  public init(_ job: PassSettings) {
    minimum = Float(job.sMinUncond)
    isEveryCall = job.sMinUncondAll
    earlyPart = job.skipEarlyCond
    plannedCalls = job.sampler.plannedCalls(steps: job.steps)
  }

  /// Whether the call, counted from 0, at this noise level (a sigma, or a timestep for samplers without sigmas) is skipped.
  public func skips(call: Int, level: Float) -> Bool {
    if earlyPart != 0, Double(call) / Double(plannedCalls) <= earlyPart { return true }
    return (call % 2 == 1 || isEveryCall) && minimum > 0 && level < minimum
  }
}
