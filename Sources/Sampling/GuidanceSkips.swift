import Settings

/// Decides which calls of the model skip the negative prompt, and with it guidance.
///
/// `guidance_interval` follows Kynkäänniemi et al. 2024, arXiv:2404.07724, with fractions of calls instead of noise levels.
public struct GuidanceSkips: Hashable, Sendable {
  private let minimum: Float
  private let isEveryCall: Bool
  private let earlyPart: Double
  private let interval: PassInterval
  private let plannedCalls: Int

  /// The calls that a job skips: its first ones, those outside an interval, and those below a noise level.
  public init(_ job: PassSettings) {
    minimum = Float(job.sMinUncond)
    isEveryCall = job.sMinUncondAll
    earlyPart = job.skipEarlyCond
    interval = job.guidanceInterval
    plannedCalls = job.sampler.plannedCalls(steps: job.steps)
  }

  /// The calls at which guidance starts or stops, independent of the noise level. The first entry says whether call 0 is
  /// skipped; then comes each call where that changes.
  public var changes: [(call: Int, isSkipped: Bool)] {
    var changes = [(call: 0, isSkipped: isOutside(0))]
    if earlyPart == 0, interval == .whole { return changes }
    // After the planned calls nothing changes any more.
    for call in 1...(plannedCalls + 1) where isOutside(call) != changes[changes.count - 1].isSkipped {
      changes.append((call, isOutside(call)))
    }
    return changes
  }

  /// Whether the call is skipped at every noise level.
  public func isOutside(_ call: Int) -> Bool {
    if earlyPart != 0, Double(call) / Double(plannedCalls) <= earlyPart { return true }
    return !interval.contains(call: call, of: plannedCalls)
  }

  /// Whether a call is skipped. `call` counts from 0; `level` is a sigma, or a timestep for samplers without sigmas.
  public func skips(call: Int, level: Float) -> Bool {
    if isOutside(call) { return true }
    return (call % 2 == 1 || isEveryCall) && minimum > 0 && level < minimum
  }
}
