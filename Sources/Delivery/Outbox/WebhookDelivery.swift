import Foundation
import Runs
import Settings

/// Delivers the announcements of an outbox in the background: for each address one at a time, in order.
///
/// If all attempts for a document fail, the documents after it wait until a new document is announced. If the receiver rejected
/// this document itself (400, 413, 415, 422), the next one is tried. If a host does not answer, one address probes it and its
/// other addresses wait. Only `finish` blocks.
public final class WebhookDelivery: @unchecked Sendable {
  /// The announcements to one address.
  private struct Lane {
    let origin: String
    var entries: ArraySlice<Outbox.Entry> = []
    var attempts = 0
    /// When the next attempt is due.
    var due = ContinuousClock.now
    var isBusy = false
    /// The latest end of an attempt. It is not kept if threads of the system's libraries never start.
    var busyUntil = ContinuousClock.now
    /// All attempts for the first document failed; nothing is due until a new one is announced.
    var isResting = false
    /// How many documents in a row were rejected because of their content.
    var refusals = 0
  }

  // All of these are used only while the condition is locked.
  private let condition = NSCondition()
  private let outbox: Outbox
  private var lanes: [String: Lane] = [:]
  /// Hosts that did not answer, each with the address that probes it.
  private var scouts: [String: String] = [:]
  private var workers = 0
  private var isOver = false

  /// The ids of documents whose announcement is damaged.
  let lost: Set<String>

  private let options: WebhookOptions
  private let sender: WebhookSender
  private let report: @Sendable (WebhookEvent) -> Void
  private static let workerLimit = 4
  private static let refusalLimit = 3

  /// Creates a delivery, which starts at once with what earlier runs left in the outbox.
  ///
  /// - Parameters:
  ///   - outbox: What to announce; only the delivery uses it from now on.
  ///   - options: Attempts, interval and time limit.
  ///   - report: Receives every event, from any thread, one at a time.
  public init(_ outbox: Outbox, options: WebhookOptions, report: @escaping @Sendable (WebhookEvent) -> Void) {
    self.outbox = outbox
    lost = outbox.lost
    self.options = options
    self.report = report
    sender = WebhookSender(options)
    condition.withLock {
      for entry in outbox.inOrder { append(entry) }
      startWorkers()
    }
  }

  /// Announces a document; returns as soon as the announcement is durable.
  ///
  /// - Parameter announcement: The document and its address.
  /// - Throws: `RunError.notWritten`.
  public func announce(_ announcement: Announcement) throws {
    try condition.withLock {
      append(try outbox.add(announcement))
      startWorkers()
      condition.broadcast()
    }
  }

  /// Waits until no attempt is due. What was not delivered stays in the outbox.
  ///
  /// - Parameter isStopped: Called from time to time; ends the wait when it returns true.
  public func finish(isStopped: () -> Bool) {
    condition.lock()
    startWorkers()
    while workers > 0, lanes.values.contains(where: { $0.isBusy ? .now < $0.busyUntil : isDue($0) }), !isStopped() {
      _ = condition.wait(until: Date(timeIntervalSinceNow: 0.05))
    }
    isOver = true
    if outbox.count > 0 { report(.waiting(outbox.count)) }
    condition.broadcast()
    condition.unlock()
  }

  // MARK: The work

  private func append(_ entry: Outbox.Entry) {
    let address = entry.announcement.address
    var lane = lanes[address.url] ?? Lane(origin: address.origin)
    lane.entries.append(entry)
    tidy(&lane)
    // Try everything again.
    if let scout = scouts[lane.origin], (scout == address.url ? lane : lanes[scout])?.isResting != false {
      scouts[lane.origin] = nil
    }
    if lane.isResting {
      lane.isResting = false
      lane.attempts = 0
      lane.refusals = 0
      lane.due = .now
    }
    lanes[address.url] = lane
  }

  /// Skips documents at the front that were replaced by a later announcement.
  private func tidy(_ lane: inout Lane) {
    while !lane.isBusy, let first = lane.entries.first, !outbox.contains(first) {
      lane.entries.removeFirst()
      lane.attempts = 0
      lane.due = .now
    }
  }

  private func isDue(_ lane: Lane) -> Bool {
    guard let first = lane.entries.first, !lane.isResting else { return false }
    return scouts[lane.origin].map { $0 == first.announcement.address.url } ?? true
  }

  private func startWorkers() {
    while workers < Self.workerLimit, workers < lanes.values.count(where: { isDue($0) }) {
      // Without a thread, the documents stay in the outbox.
      guard DetachedThread.start({ [self] in work() }) else { return }
      workers += 1
    }
  }

  private func work() {
    condition.lock()
    while !isOver {
      let ready = lanes.filter { isDue($0.value) && !$0.value.isBusy }.min { $0.value.due < $1.value.due }
      guard let (url, lane) = ready else {
        condition.wait()
        continue
      }
      let wait = lane.due - .now
      guard wait <= .zero else {
        _ = condition.wait(until: Date(timeIntervalSinceNow: wait.inSeconds))
        continue
      }
      let entry = lane.entries[lane.entries.startIndex]
      let path = outbox.path(entry)
      lanes[url]?.isBusy = true
      lanes[url]?.busyUntil = .now + sender.patience(for: path) + .seconds(10)
      condition.unlock()
      var failure: WebhookSender.Failure?
      do throws(WebhookSender.Failure) {
        try sender.post(path, entry.announcement)
      } catch {
        failure = error
      }
      condition.lock()
      note(failure, of: entry, url)
      condition.broadcast()
    }
    workers -= 1
    condition.unlock()
  }

  private func note(_ failure: WebhookSender.Failure?, of entry: Outbox.Entry, _ url: String) {
    guard var lane = lanes[url] else { return }
    lane.isBusy = false
    lane.attempts += 1
    lane.due = .now
    let isSilent = failure?.isSilence == true
    if isSilent, scouts[lane.origin] == nil { scouts[lane.origin] = url }
    defer {
      tidy(&lane)
      if !isSilent || (lane.entries.isEmpty && scouts[lane.origin] == url) { scouts[lane.origin] = nil }
      lanes[url] = lane
      startWorkers()
    }
    guard let failure, outbox.contains(entry) else {
      // If the entry cannot be removed, the next run delivers the document once more.
      try? outbox.remove(entry)
      if failure == nil {
        lane.refusals = 0
        report(.delivered(entry.announcement))
      }
      return
    }
    if failure == .noDocument {
      try? outbox.remove(entry)
      report(.dropped(entry.announcement, reason: failure.description))
      return
    }
    if lane.attempts < options.attempts {
      lane.due = .now + options.interval
      report(.retried(entry.announcement, reason: failure.description))
      return
    }
    lane.attempts = 0
    if failure.isAboutDocument { lane.refusals += 1 }
    if failure.isAboutDocument, lane.refusals < Self.refusalLimit {
      lane.entries.removeFirst()
    } else {
      lane.isResting = true
    }
    report(.kept(entry.announcement, reason: failure.description))
  }
}
