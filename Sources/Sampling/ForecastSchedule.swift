import Settings

/// Which calls of a pass compute the network, if `feature_forecast` forecasts features in the others.
public struct ForecastSchedule: Hashable, Sendable {
  /// After the first calls, the network is computed every N-th call.
  public let interval: Int
  /// The number of calls at the start that compute the network: those of three steps.
  public let firstCalls: Int

  /// The schedule of a pass; nil if every call computes the network.
  public init?(_ job: PassSettings) {
    guard job.forecastMatters else { return nil }
    interval = job.featureForecast
    firstCalls = job.sampler.plannedCalls(steps: 3)
  }

  /// Whether a call computes the network.
  ///
  /// - Parameters:
  ///   - computed: How many calls computed the network so far.
  ///   - forecasts: How many calls were forecast since then.
  /// - Returns: False if features are forecast.
  public func isDue(computed: Int, forecasts: Int) -> Bool { computed < firstCalls || forecasts + 1 >= interval }

  /// The first call whose result depends on the interval.
  public var firstOwnCall: Int { firstCalls + interval - 1 }
}
