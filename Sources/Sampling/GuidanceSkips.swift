import Settings

/// The calls of the model that leave out the negative prompt, and with it guidance.
public struct GuidanceSkips: Hashable, Sendable {
  private let minimum: Float
  private let isEveryCall: Bool
  private let earlyPart: Double
  private let plannedCalls: Int

  /// What a job asks for: its first calls, and those below a noise level.
  public init(_ job: ImageSettings) {
    minimum = Float(job.sMinUncond)
    isEveryCall = job.sMinUncondAll
    earlyPart = job.skipEarlyCond
    plannedCalls = job.sampler.plannedCalls(steps: job.steps)
  }

  /// Whether the call, counted from 0, at this noise level (a sigma; for samplers without sigmas a timestep) is one.
  public func skips(call: Int, level: Float) -> Bool {
    if earlyPart != 0, Double(call) / Double(plannedCalls) <= earlyPart { return true }
    return (call % 2 == 1 || isEveryCall) && minimum > 0 && level < minimum
  }
}
