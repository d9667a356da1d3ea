import Settings

/// Which calls of a pass compute the network, if `feature_forecast` forecasts its features in the others.
public struct ForecastSchedule: Hashable, Sendable {
  /// Every how many calls the network is computed after the first ones.
  public let interval: Int
  /// How many calls, from the first on, compute the network: those of three steps.
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
  ///   - computed: How many calls did before.
  ///   - forecasts: How many did not since.
  /// - Returns: False if features are forecast.
  public func isDue(computed: Int, forecasts: Int) -> Bool { computed < firstCalls || forecasts + 1 >= interval }

  /// The first call that differs from that of another interval.
  public var firstOwnCall: Int { firstCalls + interval - 1 }
}
