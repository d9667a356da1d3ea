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

  /// How many calls, from the first on, are skipped at every noise level.
  public var earlyCalls: Int {
    var count = 0
    while earlyPart != 0, count <= plannedCalls, isEarly(count) { count += 1 }
    return count
  }

  private func isEarly(_ call: Int) -> Bool { Double(call) / Double(plannedCalls) <= earlyPart }

  /// Whether the call, counted from 0, at this noise level (a sigma, or a timestep for samplers without sigmas) is skipped.
  public func skips(call: Int, level: Float) -> Bool {
    if earlyPart != 0, isEarly(call) { return true }
    return (call % 2 == 1 || isEveryCall) && minimum > 0 && level < minimum
  }
}
