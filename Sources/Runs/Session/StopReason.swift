import Glibc

/// Thrown through a generator to stop it between two steps, because the run was asked to stop.
public struct StopRequested: Error, Hashable {
  /// Why.
  public var reason: StopReason

  /// A request to stop.
  public init(_ reason: StopReason) { self.reason = reason }
}

/// Why a run ended with work left.
public enum StopReason: Hashable, Sendable {
  /// A signal, by number.
  case signal(Int32)
  /// A job failed, and the run was asked to stop in this case.
  case failure
  /// The time of day at which to stop.
  case until
  /// The run has reached its maximum time.
  case maxTime
  /// The queue has something else to do first.
  case queue

  /// Whether somebody cancelled the run; false if its time is over, which SIGUSR1 means under Slurm.
  public var isCancelling: Bool {
    switch self {
    case .signal(SIGUSR1), .failure, .until, .maxTime, .queue: false
    case .signal: true
    }
  }

  /// What requested the stop.
  public var text: String {
    switch self {
    case .signal(SIGINT): "SIGINT"
    case .signal(SIGTERM): "SIGTERM"
    case .signal(SIGHUP): "SIGHUP"
    case .signal(SIGUSR1): "SIGUSR1"
    case .signal(let number): "signal \(number)"
    case .failure: "--fail-fast"
    case .until: "--until"
    case .maxTime: "--max-time"
    case .queue: "the queue"
    }
  }
}
