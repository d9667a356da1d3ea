import Batch
import Foundation
import Sheets

/// Keeps `index.html` up to date while a run goes on, for about a hundredth of its time at most.
///
/// Nothing depends on it, so what keeps it from being written is let go.
final class LivePage {
  private let files: RunPageFiles
  private let interval: Duration
  private let start = ContinuousClock.now
  private var last: ContinuousClock.Instant?
  private var spent = Duration.zero
  /// What the next page will take.
  private var cost = Duration.zero
  private var hasWork = false

  /// - Parameters:
  ///   - folder: The run, whose lock is held.
  ///   - interval: From one page to the next at least.
  init(_ folder: RunFolder, interval: Duration = .seconds(10)) {
    files = RunPageFiles(folder: folder)
    self.interval = interval
  }

  /// Takes in what happened.
  func note(_ event: RunEvent) {
    switch event {
    case .started(let start):
      hasWork = start.imagesToMake > 0
      // Of a job, as measured; the first page tells better.
      cost = .microseconds(200 * start.counts.total)
    case .imageDone, .jobFailed: break
    default: return
    }
    if hasWork, isDue { make() }
  }

  /// Whether there is time for a page; that of a small run takes no time to speak of, so it is there from the start.
  private var isDue: Bool {
    let now = ContinuousClock.now
    if let last, last.duration(to: now) < interval { return false }
    return spent + cost <= start.duration(to: now) / 100 + .milliseconds(100)
  }

  private func make() {
    let begin = ContinuousClock.now
    try? files.make(SheetOptions(), isRunning: true, patience: max(.milliseconds(200), cost))
    let end = ContinuousClock.now
    last = end
    cost = begin.duration(to: end)
    spent += cost
  }
}
