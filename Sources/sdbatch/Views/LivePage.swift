import Foundation
import Runs
import Sheets

/// Keeps `index.html` up to date during a run, in about a hundredth of its time at most.
///
/// Nothing depends on it, so errors are ignored.
final class LivePage {
  private let lock: RunLock
  private let files: RunPageFiles
  private let interval: Duration
  private let start = ContinuousClock.now
  private var last: ContinuousClock.Instant?
  private var spent = Duration.zero
  /// How long the next page will take.
  private var cost = Duration.zero
  private var hasWork = false

  /// - Parameters:
  ///   - lock: Of the run.
  ///   - interval: From one page to the next at least.
  init(_ lock: RunLock, interval: Duration = .seconds(10)) {
    self.lock = lock
    files = RunPageFiles(folder: lock.folder)
    self.interval = interval
  }

  /// Takes in what happened.
  func note(_ event: RunEvent) {
    switch event {
    case .started(let start):
      hasWork = start.imagesToMake > 0
      // Measured per job; the first page gives a better estimate.
      cost = .microseconds(200 * start.counts.total)
    case .imageDone, .jobFailed: break
    default: return
    }
    if hasWork, isDue { make() }
  }

  /// Whether there is time for a page. The page of a small run takes hardly any, so it exists from the start.
  private var isDue: Bool {
    let now = ContinuousClock.now
    if let last, last.duration(to: now) < interval { return false }
    return spent + cost <= start.duration(to: now) / 100 + .milliseconds(100)
  }

  private func make() {
    let begin = ContinuousClock.now
    // Leave a folder alone that another process made in place of ours.
    guard lock.isHeld else { return }
    try? files.make(SheetOptions(), isRunning: true, patience: max(.milliseconds(200), cost))
    let end = ContinuousClock.now
    last = end
    cost = begin.duration(to: end)
    spent += cost
  }
}
