import Foundation
import Settings

/// Measures one image while it is made: the time of its steps, and the most memory that the process had during this time.
struct JobMeter {
  private typealias Mark = (step: Int, time: ContinuousClock.Instant)
  private var first: Mark?
  private var last: Mark?

  /// Starts to measure an image.
  init() { PeakMemory.reset() }

  /// Records the image's progress.
  mutating func note(_ progress: GenerationProgress) {
    guard case .sampling(let step, _) = progress else { return }
    let mark = (step, ContinuousClock.now)
    if first == nil { first = mark }
    last = mark
  }

  /// The average time of a step in this process, in seconds; nil if it took none.
  var secondsPerStep: Double? {
    guard let first, let last, last.step > first.step else { return nil }
    return (last.time - first.time) / .seconds(1) / Double(last.step - first.step)
  }
}

/// The most memory that this process has had, as Linux measures it.
package enum PeakMemory {
  /// Restarts the measurement; if the system does not allow that, it covers the whole process.
  package static func reset() {
    let descriptor = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    _ = write(descriptor, "5", 1)
    close(descriptor)
  }

  /// In bytes; nil if the system does not report it.
  package static var bytes: Int64? {
    var usage = rusage()
    guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0, usage.ru_maxrss > 0 else { return nil }
    return Int64(usage.ru_maxrss) << 10
  }
}
