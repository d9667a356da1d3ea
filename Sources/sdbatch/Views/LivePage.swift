import Foundation
import Runs
import Sheets

/// Keeps `index.html` and the contact sheet up to date during a run. Each one takes at most about a hundredth of the run's
/// time.
///
/// Nothing depends on them, so errors are ignored.
final class LivePage {
  private let lock: RunLock
  private let files: RunPageFiles
  private let start = ContinuousClock.now
  private var page: Allowance
  private var sheet: Allowance
  private var hasWork = false

  /// How much time one of the files may take, and when it is due.
  private struct Allowance {
    /// The shortest time from one file to the next.
    let interval: Duration
    var last: ContinuousClock.Instant?
    var spent = Duration.zero
    /// How long the next file will take.
    var cost = Duration.zero

    /// Whether there is time for the file.
    func isDue(since start: ContinuousClock.Instant) -> Bool {
      let now = ContinuousClock.now
      if let last, last.duration(to: now) < interval { return false }
      return spent + cost <= start.duration(to: now) / 100 + .milliseconds(100)
    }

    mutating func spend(_ work: () -> Void) {
      let begin = ContinuousClock.now
      work()
      let end = ContinuousClock.now
      last = end
      cost = begin.duration(to: end)
      spent += cost
    }
  }

  /// - Parameters:
  ///   - lock: The lock of the run.
  ///   - interval: The shortest time from one page to the next.
  init(_ lock: RunLock, interval: Duration = .seconds(2)) {
    self.lock = lock
    files = RunPageFiles(folder: lock.folder)
    page = Allowance(interval: interval)
    sheet = Allowance(interval: interval * 15)
  }

  /// Receives an event.
  func note(_ event: RunEvent) {
    switch event {
    case .started(let start):
      hasWork = start.imagesToMake > 0
      // Estimated from the number of jobs; the first page and the first sheet give better numbers. The page of a small run
      // takes hardly any time, so it exists from the start.
      page.cost = .microseconds(200 * start.counts.total)
      sheet.cost = .milliseconds(20 * start.counts.total)
    case .imageDone, .jobFailed: break
    default: return
    }
    guard hasWork else { return }
    // Leave a folder alone that another process made instead of ours.
    if page.isDue(since: start), lock.isHeld {
      let patience = max(.milliseconds(200), page.cost)
      page.spend { _ = try? files.make(SheetOptions(), isRunning: true, patience: patience) }
    }
    guard case .imageDone = event, sheet.isDue(since: start), lock.isHeld else { return }
    sheet.spend { _ = try? ContactSheetFiles(folder: lock.folder).make(SheetOptions()) }
  }
}
