import Foundation
import Infotext
import JSON
import Runs
import Settings
import Text

/// Answers requests during a run: writes each answer as soon as the last of its images exists or has failed.
public final class ResponseDesk {
  /// An order and its progress.
  private struct Desk {
    var order: ResponseOrder
    var digest: String
    var images: [Image]
    /// The number of images that have neither been made nor failed.
    var missing: Int
    /// When this run started to work on it.
    var begin: ContinuousClock.Instant?
    var timestamp: String?
    /// The deadline that was missed.
    var lateness: String?
  }

  private enum Image {
    case missing
    /// It exists already: an earlier run made it, or this run made it for another order.
    case found
    case made(file: String, seconds: Double)
    case failed(String)
  }

  private var desks: [Desk] = []
  /// The index of the last job with each id.
  private var lastJobs: [JobID: Int32] = [:]
  /// For each job, the index of the previous job with the same id; -1 if there is none.
  private var earlierJobs: [Int32]
  /// For each job, the index of its order in `desks`; -1 if no answer needs the job.
  private var orders: [Int32]
  private let jobs: JobList
  private let version: String
  private let folder: RunFolder
  private let disk: Disk
  private let record: ResponseRecord
  private let announce: (Announcement) throws -> Void
  private let lost: Set<String>
  private let start = ContinuousClock.now
  /// Why an answer could not be written; later answers cannot be written either.
  private var failure: (any Error)?
  /// The messages of requests that could not be answered.
  private var unanswered: [String] = []
  private var finished: FinishedImages?

  /// Creates a desk for the orders of a plan.
  ///
  /// - Parameters:
  ///   - newOrders: What to answer; no two orders have a job in common.
  ///   - jobs: The plan's jobs.
  ///   - folder: The run folder; the caller holds its lock.
  ///   - version: The version of this program.
  ///   - disk: The disk.
  ///   - lost: The ids whose announcement in the outbox is damaged.
  ///   - announce: Receives each answer that has an address, and returns once the announcement is durable.
  /// - Throws: `RunError`.
  public init(
    _ newOrders: [ResponseOrder], jobs: JobList, in folder: RunFolder, version: String, on disk: Disk = Disk(),
    lost: Set<String> = [], announce: @escaping (Announcement) throws -> Void
  ) throws {
    self.folder = folder
    self.version = version
    self.disk = disk
    self.announce = announce
    self.lost = lost
    self.jobs = jobs
    orders = Array(repeating: -1, count: jobs.count)
    earlierJobs = orders
    try disk.makeFolder(folder.responses)
    try TemporaryFile.removeLeftovers(in: folder.responses, on: disk)
    record = try ResponseRecord(folder, on: disk)
    for order in newOrders {
      let digest = order.digest(jobs.ids[order.jobs])
      if let entry = record.entries[order.id], entry.digest == digest, entry.status == .completed,
        record.hasIntact(order.id, at: path(order))
      {
        try announceLost(order, entry)
        continue
      }
      for index in order.jobs {
        orders[index] = Int32(desks.count)
        earlierJobs[index] = lastJobs.updateValue(Int32(index), forKey: jobs.ids[index]) ?? -1
      }
      desks.append(
        Desk(
          order: order, digest: digest, images: Array(repeating: .missing, count: order.jobs.count),
          missing: order.jobs.count))
    }
  }

  private func file(_ order: ResponseOrder) -> String { "responses/\(order.id).json" }
  private func path(_ order: ResponseOrder) -> String { folder.file(file(order)) }

  // MARK: The run

  /// Handles an event of the run.
  public func note(_ event: RunEvent) {
    switch event {
    case .imageFound(let job, let id): settle(id, job) { .found }
    case .jobStarted(let running):
      guard let desk = desk(running.job), desks[desk].begin == nil else { return }
      desks[desk].begin = .now
      desks[desk].timestamp = Timestamp.now().compactLocal
    case .imageDone(let running, let file, let seconds):
      settle(running.id, running.job) { .made(file: file, seconds: seconds) }
    case .jobFailed(let running, let error): settle(running.id, running.job) { .failed(error) }
    case .jobQuarantined(let job, let id, let error): settle(id, job) { .failed(error) }
    case .started, .progress, .resumed, .shared, .checkpointIgnored, .finished: break
    }
  }

  /// Why a job must end, if its request has taken longer than it may; otherwise nil.
  public func deadline(for job: Job) -> String? {
    guard let index = desk(job) else { return nil }
    if let lateness = desks[index].lateness { return lateness }
    let desk = desks[index]
    let now = ContinuousClock.now
    if let limit = desk.order.timeToLive, now - start >= .milliseconds(limit) {
      desks[index].lateness = "timed out: policy.ttl of \(limit) ms has passed since the run began"
    } else if let limit = desk.order.executionTimeout, let begin = desk.begin, now - begin >= .milliseconds(limit) {
      desks[index].lateness = "timed out: policy.executionTimeout of \(limit) ms has passed since the work on it began"
    }
    return desks[index].lateness
  }

  private func desk(_ job: Job) -> Int? {
    guard job.index < orders.count, orders[job.index] >= 0 else { return nil }
    return Int(orders[job.index])
  }

  private func settle(_ id: JobID, _ job: Job, _ image: () -> Image) {
    var equalJobs: [Int] = []
    var next = lastJobs[id] ?? -1
    while next >= 0 {
      equalJobs.append(Int(next))
      next = earlierJobs[Int(next)]
    }
    // In the order of the requests.
    for index in equalJobs.reversed() {
      let desk = Int(orders[index])
      let number = index - desks[desk].order.jobs.lowerBound
      // One event settles all equal jobs; later events for them are ignored.
      guard desks[desk].missing > 0, case .missing = desks[desk].images[number] else { continue }
      desks[desk].images[number] = image()
      desks[desk].missing -= 1
      guard desks[desk].missing == 0, failure == nil else { continue }
      do {
        try answer(desks[desk], job)
      } catch let error as RunError where error.isOfWriting {
        failure = error
      } catch {
        // An image was deleted or changed; other requests still have theirs.
        unanswered.append("\(desks[desk].order.id) was not answered: \(error)")
      }
      desks[desk].images = []
    }
  }

  /// Answers the requests that this run started and does not finish.
  ///
  /// - Parameter reason: Why they are not finished.
  /// - Throws: `RunError.notWritten`.
  public func cancel(_ reason: String) throws {
    for desk in desks where desk.begin != nil && desk.missing > 0 { try give(desk, .cancelled, error: reason) }
  }

  /// Ends the work of the desk.
  ///
  /// - Throws: The error if an answer could not be written; `UnansweredRequests` if images of single requests are missing.
  public func close() throws {
    if let failure { throw failure }
    if !unanswered.isEmpty { throw UnansweredRequests(messages: unanswered) }
  }

  // MARK: Answers

  private func answer(_ desk: Desk, _ job: Job) throws {
    let errors = desk.images.compactMap { if case .failed(let error) = $0 { error } else { nil } }
    if errors.isEmpty {
      let (output, seconds) = try output(desk, job)
      return try give(desk, .completed, output: output, executionTime: Int64((seconds * 1000).rounded()))
    }
    try give(
      desk, desk.lateness == nil ? .failed : .timedOut,
      error: desk.lateness ?? Self.error(errors, of: desk.images.count))
  }

  /// Makes an answer durable: first the document, then its entry in the outbox, then its line in `responses.jsonl`. After a
  /// crash in between, the next run does the rest with the same key.
  private func give(
    _ desk: Desk, _ status: ResponseStatus, output: ResponseDocument.Output? = nil, error: String? = nil,
    executionTime: Int64? = nil
  ) throws {
    let (order, path) = (desk.order, path(desk.order))
    let entry = ResponseRecord.Entry(id: order.id, status: status, digest: desk.digest, error: error)
    // A failure that was announced is not announced again every night unless it changes.
    if status != .completed, record.entries[order.id] == entry, record.hasIntact(order.id, at: path) {
      return try announceLost(order, entry)
    }
    let document = ResponseDocument(
      order: order, status: status, delayTime: milliseconds(from: start, to: desk.begin ?? .now),
      executionTime: executionTime ?? desk.begin.map { milliseconds(from: $0, to: .now) } ?? 0, output: output,
      error: error)
    let written = try document.write(to: path, on: disk)
    try announceAnswer(order, entry)
    try record.append(entry, written)
  }

  private func announceAnswer(_ order: ResponseOrder, _ entry: ResponseRecord.Entry) throws {
    guard let address = order.webhook else { return }
    try announce(
      Announcement(id: order.id, key: "\(order.id)-\(entry.fingerprint)", document: file(order), address: address))
  }

  /// Announces an answer again whose announcement was damaged before it was delivered.
  private func announceLost(_ order: ResponseOrder, _ entry: ResponseRecord.Entry) throws {
    if lost.contains(order.id) { try announceAnswer(order, entry) }
  }

  /// The error of an answer whose images failed.
  private static func error(_ errors: [String], of count: Int) -> String? {
    guard let first = errors.first else { return nil }
    return count == 1 ? first : "\(errors.count) of \(count) images failed: \(first)"
  }

  /// The settings of all images of an order. `job` is the one that was made last.
  private func settings(_ order: ResponseOrder, _ job: Job) -> [ImageSettings] {
    if let settings = order.settings { return (0..<order.jobs.count).map(settings) }
    if order.jobs.count == 1 { return [job.settings] }
    return jobs.jobs.dropFirst(order.jobs.lowerBound).prefix(order.jobs.count).map(\.settings)
  }

  private func output(_ desk: Desk, _ job: Job) throws -> (ResponseDocument.Output, seconds: Double) {
    let settings = settings(desk.order, job)
    let made = jobs.ingredients(at: desk.order.jobs.lowerBound)
    var files: [String] = []
    var infotexts: [String] = []
    var seconds = 0.0
    var timestamp = desk.timestamp
    for (number, image) in desk.images.enumerated() {
      let index = desk.order.jobs.lowerBound + number
      switch image {
      case .made(let file, let time):
        files.append(folder.file(file))
        seconds += time
        infotexts.append(Infotext(settings[number], jobs.ingredients(at: index), version: version).text)
      case .found:
        guard let details = try details(jobs.ids[index]) else {
          throw RunError.damaged(path: folder.journal, problem: "it lost an image; run the same command again")
        }
        files.append(folder.file(details.file))
        seconds += details.seconds ?? 0
        infotexts.append(details.infotext)
        timestamp = timestamp ?? details.started
      case .missing, .failed: break
      }
    }
    let info = GenerationInfo.json(
      settings, made, infotexts: infotexts, request: desk.order.info, version: version,
      timestamp: timestamp ?? Timestamp.now().compactLocal)
    // The webhook of a recipe sends the files of its run as they are.
    let encoding = desk.order.settings == nil ? nil : settings.first?.encodings.first
    return (ResponseDocument.Output(files: files, encoding: encoding, info: info), seconds)
  }

  /// What the journal records about an image that existed before.
  private func details(_ id: JobID) throws -> FinishedImages.Details? {
    if let details = try finished?.details(id) { return details }
    // The journal may have grown since then.
    let images = try FinishedImages(folder)
    finished = images
    return try images.details(id)
  }

  private func milliseconds(from start: ContinuousClock.Instant, to end: ContinuousClock.Instant) -> Int64 {
    let (seconds, attoseconds) = (end - start).components
    return seconds * 1000 + attoseconds / 1_000_000_000_000_000
  }
}

/// Requests whose images were deleted before they could be answered.
public struct UnansweredRequests: InputFailure, Hashable, CustomStringConvertible {
  /// One message for each request.
  let messages: [String]

  /// One line for each request, and one that says what to do.
  public var description: String {
    (messages + ["run the same command again to make the missing images and answer the rest"]).joined(separator: "\n")
  }
}

extension RunError {
  /// Whether the folder cannot be written, so that later answers cannot be written either.
  fileprivate var isOfWriting: Bool {
    switch self {
    case .notWritten, .folderLost: true
    default: false
    }
  }
}
