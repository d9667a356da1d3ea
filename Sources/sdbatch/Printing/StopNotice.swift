import Glibc
import Runs
import Settings
import Synchronization

/// Tells a user who stops a run, at once, that the signal has arrived.
enum StopNotice {
  /// What the run is doing.
  private static let stage = Mutex("")

  /// Notes what the run is doing.
  static func note(_ progress: GenerationProgress) {
    let text =
      if case .sampling(let step, let steps) = progress {
        step < steps ? "step \(step + 1)/\(steps)" : "the last step"
      } else {
        ProgressPrinter.stage(progress)
      }
    stage.withLock { $0 = text }
  }

  /// Prints the notice when the first signal arrives.
  ///
  /// - Parameter style: How the run prints; only terminals and logs get the notice.
  static func install(_ style: ProgressPrinter.Style) {
    guard style == .live || style == .lines else { return }
    StopSignals.whenAsked { signal in
      let stage = stage.withLock { $0 }
      let what = stage.isEmpty ? "stopping" : "finishing \(stage)"
      if style == .live, signal == SIGINT {
        Console.interject("\(what), press Ctrl-C again to stop now")
      } else if style == .live {
        Console.interject("\(StopReason.signal(signal).text): \(what)")
      } else {
        Console.logger.info("\(StopReason.signal(signal).text): \(what)")
      }
    }
  }
}
