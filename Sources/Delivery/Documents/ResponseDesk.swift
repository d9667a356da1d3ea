import Foundation
import Infotext
import JSON
import Runs
import Settings
import Text

/// Answers requests while a run goes on: writes each answer as soon as the last of its images is there, or is known not
/// to come.
public final class ResponseDesk {
  /// An order and how far it has come.
  private struct Desk {
    var order: ResponseOrder
    var digest: String
    var images: [Image]
    /// Images that have neither come nor failed.
    var missing: Int
    /// When the work on it began in this run.
    var begin: ContinuousClock.Instant?
    var timestamp: String?
    /// The deadline that was missed.
    var lateness: String?
  }

  private enum Image {
    case missing
    /// An earlier run made it, or another order.
    case found
    case made(file: String, seconds: Double)
    case failed(String)
  }

  private var desks: [Desk] = []
  /// The last job of each identity, by its place.
  private var lastPlaces: [JobID: Int32] = [:]
  /// The job before with the same identity, by place; -1 for none.
  private var earlierPlaces: [Int32]
  /// The order of each job, by the job's place; -1 for jobs that nobody is to be told of.
  private var orders: [Int32]
  private let ids: [JobID]
  private let jobs: AnySequence<Job>
  private let ingredients: (ImageSettings) throws -> JobIngredients
  private let version: String
  private let folder: RunFolder
  private let disk: Disk
  private let record: ResponseRecord
  private let announce: (Announcement) throws -> Void
  private let start = ContinuousClock.now
  /// What keeps answers from being written.
  private var failure: (any Error)?
  private lazy var finished = Result { try FinishedImages(folder) }

  /// A desk for the orders of a plan.
  ///
  /// - Parameters:
  ///   - jobs: The plan's jobs; may be walked through more than once.
  ///   - folder: The run, whose lock is held.
  ///   - version: The version of this program.
  ///   - disk: The disk.
  ///   - ingredients: Says what jobs are made from.
  ///   - makeOrders: Says what is to be answered, from the identities of all jobs; no two orders are about one job.
  ///   - announce: Is given each answer that has somewhere to go; returns when that cannot be lost.
  /// - Throws: `RunError`, or what `ingredients` throws.
  public init(
    jobs: some Sequence<Job>, in folder: RunFolder, version: String, on disk: Disk = Disk(),
    ingredients: @escaping (ImageSettings) throws -> JobIngredients, orders makeOrders: ([JobID]) -> [ResponseOrder],
    announce: @escaping (Announcement) throws -> Void
  ) throws {
    self.folder = folder
    self.version = version
    self.disk = disk
    self.ingredients = ingredients
    self.announce = announce
    self.jobs = AnySequence(jobs)
    ids = try jobs.map { JobID($0.settings, try ingredients($0.settings)) }
    orders = Array(repeating: -1, count: ids.count)
    earlierPlaces = orders
    try disk.makeFolder(folder.responses)
    try AtomicFile.removeTemporaries(in: folder.responses, on: disk)
    record = try ResponseRecord(folder, on: disk)
    for order in makeOrders(ids) {
      let digest = order.digest(ids[order.jobs])
      if let entry = record.entries[order.id], entry.digest == digest, entry.status == .completed,
        access(path(order), F_OK) == 0
      {
        continue
      }
      for place in order.jobs {
        orders[place] = Int32(desks.count)
        earlierPlaces[place] = lastPlaces.updateValue(Int32(place), forKey: ids[place]) ?? -1
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

  /// Takes in what happens in the run.
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
    case .started, .progress, .resumed, .checkpointIgnored, .finished: break
    }
  }

  /// Why a job should not go on: its request has taken longer than it was given. Nothing as long as it may.
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
    var places: [Int] = []
    var next = lastPlaces[id] ?? -1
    while next >= 0 {
      places.append(Int(next))
      next = earlierPlaces[Int(next)]
    }
    // In the order of the requests.
    for place in places.reversed() {
      let index = Int(orders[place])
      let number = place - desks[index].order.jobs.lowerBound
      // Equal jobs are told of one by one, and the first settles all of them.
      guard desks[index].missing > 0, case .missing = desks[index].images[number] else { continue }
      desks[index].images[number] = image()
      desks[index].missing -= 1
      guard desks[index].missing == 0, failure == nil else { continue }
      do {
        try answer(desks[index], job)
      } catch {
        failure = error
      }
      desks[index].images = []
    }
  }

  /// Answers the requests that were begun and that this run does not bring to their end.
  ///
  /// - Parameter reason: Why it does not.
  /// - Throws: `RunError.notWritten`.
  public func cancel(_ reason: String) throws {
    for desk in desks where desk.begin != nil && desk.missing > 0 { try give(desk, .cancelled, error: reason) }
  }

  /// Tells of an answer that could not be written.
  ///
  /// - Throws: What kept it from being written.
  public func close() throws {
    if let failure { throw failure }
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

  /// Makes an answer durable: first the document, then its place in the outbox, then the note that it was given. What a
  /// crash leaves undone of these is done by the next run, under the same key.
  private func give(
    _ desk: Desk, _ status: ResponseStatus, output: ResponseDocument.Output? = nil, error: String? = nil,
    executionTime: Int64? = nil
  ) throws {
    let (order, path) = (desk.order, path(desk.order))
    let entry = ResponseRecord.Entry(id: order.id, status: status, digest: desk.digest, error: error)
    // What was told of and has not changed is not told of again every night.
    if status != .completed, record.entries[order.id] == entry, access(path, F_OK) == 0 { return }
    let document = ResponseDocument(
      order: order, status: status, delayTime: milliseconds(from: start, to: desk.begin ?? .now),
      executionTime: executionTime ?? desk.begin.map { milliseconds(from: $0, to: .now) } ?? 0, output: output,
      error: error)
    try document.write(to: path, on: disk)
    if let address = order.webhook {
      try announce(
        Announcement(id: order.id, key: "\(order.id)-\(entry.fingerprint)", document: file(order), address: address))
    }
    try record.append(entry)
  }

  /// What an answer says where images failed.
  private static func error(_ errors: [String], of count: Int) -> String? {
    guard let first = errors.first else { return nil }
    return count == 1 ? first : "\(errors.count) of \(count) images failed: \(first)"
  }

  /// The settings of all images of an order, the last of which to come was `job`.
  private func settings(_ order: ResponseOrder, _ job: Job) -> [ImageSettings] {
    if let settings = order.settings { return (0..<order.jobs.count).map(settings) }
    if order.jobs.count == 1 { return [job.settings] }
    return jobs.dropFirst(order.jobs.lowerBound).prefix(order.jobs.count).map(\.settings)
  }

  private func output(_ desk: Desk, _ job: Job) throws -> (ResponseDocument.Output, seconds: Double) {
    let settings = settings(desk.order, job)
    let made = try ingredients(settings[0])
    var files: [String] = []
    var infotexts: [String] = []
    var seconds = 0.0
    var timestamp = desk.timestamp
    for (number, image) in desk.images.enumerated() {
      let place = desk.order.jobs.lowerBound + number
      switch image {
      case .made(let file, let time):
        files.append(folder.file(file))
        seconds += time
        infotexts.append(Infotext(settings[number], try ingredients(settings[number]), version: version).text)
      case .found:
        guard let details = try finished.get().details(ids[place]) else {
          throw RunError.damaged(path: folder.journal, problem: "it lost an image; give the same command again")
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
    return (ResponseDocument.Output(files: files, info: info), seconds)
  }

  private func milliseconds(from start: ContinuousClock.Instant, to end: ContinuousClock.Instant) -> Int64 {
    let (seconds, attoseconds) = (end - start).components
    return seconds * 1000 + attoseconds / 1_000_000_000_000_000
  }
}
