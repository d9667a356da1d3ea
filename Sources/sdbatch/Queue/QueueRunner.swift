import Foundation
import Recipes
import Runs

/// Runs the entries of a queue one after the other, in one process, so that models stay loaded.
final class QueueRunner {
  private let queue: QueueFolder
  private let spool: QueueSpool?
  private let style: ProgressPrinter.Style
  private let stopTime: StopTime
  private let engines = EngineShelf()
  /// The folder for outputs of files from the spool folder.
  private let home = FileManager.default.currentDirectoryPath
  private var worst = ExitStatus.done
  /// Entries whose run folder another process uses, and when to try them again.
  private var waiting: [Int: ContinuousClock.Instant] = [:]
  /// Entries whose output could not be written, and when a process that watches tries them again; others leave them to the next.
  private var unwritten: [Int: ContinuousClock.Instant] = [:]
  private var isWatching = false
  /// What is known of the queue, and when it was looked at.
  private var mark = ""
  private var lastLook: ContinuousClock.Instant?
  private var lastSpool: ContinuousClock.Instant?
  private var isInterrupted = false

  /// - Parameters:
  ///   - queue: The queue.
  ///   - spool: A folder from which more entries come; nil for none.
  ///   - style: How to print.
  ///   - stopTime: When the process stops.
  init(_ queue: QueueFolder, spool: QueueSpool?, style: ProgressPrinter.Style, stopTime: StopTime) {
    (self.queue, self.spool, self.style, self.stopTime) = (queue, spool, style, stopTime)
  }

  /// Runs the entries of the queue.
  ///
  /// - Parameter isWatching: Whether to wait for more entries, until the process is asked to stop.
  /// - Returns: The worst of the entries' exit codes, or why the process stopped.
  /// - Throws: `QueueError.inUse`, `RunError`.
  func run(isWatching: Bool) throws -> ExitStatus {
    self.isWatching = isWatching
    let lock = try queue.takeOver()
    defer { withExtendedLifetime(lock) {} }
    try queue.tidy()
    try spool?.prepare(in: home)
    var idleSince: ContinuousClock.Instant?
    while true {
      if let reason = stopRequest { return ExitStatus(reason) }
      try takeSpooled()
      if let entry = try next() {
        idleSince = nil
        try queue.note(running: entry.id)
        defer { try? queue.note(running: nil) }
        try carryOut(entry)
        continue
      }
      if !isWatching, waiting.isEmpty { return worst }
      let idle = idleSince ?? .now
      if idleSince == nil {
        idleSince = idle
        if isWatching, style == .live || style == .lines { Console.logger.info("the queue is empty, waiting for more") }
      }
      // Models take memory that other programs may need.
      if idle.duration(to: .now) > .seconds(300) { engines.clear() }
      usleep(300_000)
    }
  }

  private var stopRequest: StopReason? { StopSignals.request ?? stopTime.request }

  /// The entry to run now; nil if there is none. Pauses entries whose time is over.
  private func next() throws -> QueueEntry? {
    if queue.isPaused { return nil }
    let entries = try queue.entries()
    // Other processes may have removed entries that waited.
    waiting = waiting.filter { waiting in entries.contains { $0.id == waiting.key && !$0.isPaused } }
    for entry in entries where !entry.isPaused {
      if let until = entry.until, time(nil) >= until {
        try pause(entry)
        continue
      }
      if isLater(entry.id) { continue }
      return entry
    }
    return nil
  }

  /// Whether an entry is not to be run now.
  private func isLater(_ id: Int) -> Bool {
    if let later = waiting[id], later > .now { return true }
    return unwritten[id].map { !isWatching || $0 > .now } ?? false
  }

  /// Pauses an entry whose time is over; another process may have removed it.
  private func pause(_ entry: QueueEntry) throws {
    do {
      try queue.change(entry.id) { entry in
        (entry.isPaused, entry.until, entry.note) = (true, nil, "its time was over")
      }
    } catch QueueError.noEntry {}
  }

  /// Adds the files that were dropped into the spool folder.
  private func takeSpooled() throws {
    guard let spool, lastSpool.map({ $0.duration(to: .now) > .milliseconds(500) }) ?? true else { return }
    lastSpool = .now
    _ = try spool.take(in: home)
  }

  /// Whether another entry is to run instead of this one; reads the queue a few times per second at most.
  private func isOutranked(_ entry: QueueEntry) -> Bool {
    if isInterrupted { return true }
    guard lastLook.map({ $0.duration(to: .now) > .milliseconds(200) }) ?? true else { return false }
    lastLook = .now
    try? takeSpooled()
    let current = queue.mark
    let isTimeOver = entry.until.map { time(nil) >= $0 } ?? false
    guard current != mark || isTimeOver || !waiting.isEmpty else { return false }
    mark = current
    // If the queue cannot be read now, it is read again between two runs.
    guard let entries = try? queue.entries() else { return false }
    guard !queue.isPaused, !isTimeOver, let own = entries.first(where: { $0.id == entry.id }), !own.isPaused else {
      isInterrupted = true
      return true
    }
    isInterrupted = entries.contains { other in
      other.priority < own.priority && !other.isPaused && !isLater(other.id)
    }
    return isInterrupted
  }

  // MARK: An entry

  private func carryOut(_ entry: QueueEntry) throws {
    (isInterrupted, mark, lastLook) = (false, "", nil)
    var status = ExitStatus.done
    do {
      guard chdir(entry.folder) == 0 else { throw QueueRunError(folder: entry.folder, code: errno) }
      defer { chdir(home) }
      // For a process that runs for days, the date changes.
      PlanningEnvironment.renew()
      let command = try RunCommand.parse([entry.path] + entry.arguments)
      if style == .lines || style == .live { Console.output("queue \(entry.id): \(entry.path)") }
      for target in try command.targets() {
        do {
          let outcome = try command.run(target.get(), engines, style) { [self] in
            stopRequest ?? (isOutranked(entry) ? .queue : nil)
          }
          if outcome.stop == .queue { return }
          status = max(status, ExitStatus(outcome))
        } catch let stop as StopRequested where stop.reason == .queue {
          return
        } catch RunError.folderInUse(let path, let owner) {
          // Reported once, and tried repeatedly.
          if waiting[entry.id] == nil { _ = report(RunError.folderInUse(path: path, owner: owner)) }
          status = max(status, .folderInUse)
        } catch {
          status = max(status, report(error))
        }
        if status.isStop { break }
      }
    } catch {
      status = max(status, report(error))
    }
    // Stopped: the next process continues.
    if stopRequest != nil, status.isStop { return }
    if status == .folderInUse {
      waiting[entry.id] = .now + .seconds(10)
      return
    }
    waiting[entry.id] = nil
    worst = max(worst, status)
    if status == .notWritten {
      // A full disk must not use up the queue.
      unwritten[entry.id] = .now + .seconds(600)
      Console.error(
        "note: queue \(entry.id) stays: its output could not be written; "
          + (isWatching ? "it is tried again in ten minutes" : "the next queue run continues it"))
      return
    }
    try queue.finish(entry.id, code: status.rawValue)
  }

  private func report(_ error: any Error) -> ExitStatus {
    if let status = SDBatch.report(error) { return status }
    // There is a mistake in the entry's options.
    Console.error(SDBatch.message(for: error))
    return .unusableInput
  }
}

/// Why an entry cannot be run.
private struct QueueRunError: InputFailure, CustomStringConvertible {
  let folder: String
  let code: Int32

  var description: String { "cannot change to \(folder): \(String(cString: strerror(code)))" }
}
