import Batch
import Foundation
import JSON
import Jobs

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
  /// The jobs of each identity, by their place.
  private var places: [JobID: [Int32]] = [:]
  /// The order of each job, by the job's place; nothing for jobs that nobody is to be told of.
  private var orders: [Int32?] = []
  private let ids: [JobID]
  private let jobs: [Job]
  private let ingredients: (JobParameters) throws -> JobIngredients
  private let version: String
  private let folder: RunFolder
  private let disk: Disk
  private let record: ResponseRecord
  private let announce: (_ id: String, _ file: String, _ address: WebhookAddress) throws -> Void
  private let start = ContinuousClock.now
  /// What keeps answers from being written.
  private var failure: (any Error)?
  private lazy var finished = Result { try FinishedImages(folder) }

  /// A desk for the orders of a plan.
  ///
  /// - Parameters:
  ///   - orders: What is to be answered; no two are about one job.
  ///   - jobs: The plan's jobs.
  ///   - folder: The run, whose lock is held.
  ///   - version: The version of this program.
  ///   - disk: The disk.
  ///   - ingredients: Says what jobs are made from.
  ///   - announce: Is given each answer that has somewhere to go, with its file; returns when that cannot be lost.
  /// - Throws: `BatchError`, or what `ingredients` throws.
  public init(
    _ orders: [ResponseOrder], jobs: some Sequence<Job>, in folder: RunFolder, version: String, on disk: Disk = Disk(),
    ingredients: @escaping (JobParameters) throws -> JobIngredients,
    announce: @escaping (_ id: String, _ file: String, _ address: WebhookAddress) throws -> Void
  ) throws {
    self.folder = folder
    self.version = version
    self.disk = disk
    self.ingredients = ingredients
    self.announce = announce
    self.jobs = Array(jobs)
    ids = try self.jobs.map { JobID($0.parameters, try ingredients($0.parameters)) }
    try disk.makeFolder(folder.responses)
    try AtomicFile.removeTemporaries(in: folder.responses, on: disk)
    record = try ResponseRecord(folder, on: disk)
    self.orders = Array(repeating: nil, count: ids.count)
    for order in orders {
      let digest = order.digest(ids[order.jobs])
      if let entry = record.entries[order.id], entry.digest == digest, entry.status == .completed,
        access(path(order), F_OK) == 0
      {
        continue
      }
      for place in order.jobs {
        self.orders[place] = Int32(desks.count)
        places[ids[place], default: []].append(Int32(place))
      }
      desks.append(
        Desk(
          order: order, digest: digest, images: Array(repeating: .missing, count: order.jobs.count),
          missing: order.jobs.count))
    }
  }

  private func path(_ order: ResponseOrder) -> String { "\(folder.responses)/\(order.id).json" }

  // MARK: The run

  /// Takes in what happens in the run.
  public func note(_ event: RunEvent) {
    switch event {
    case .imageFound(_, let id): settle(id) { .found }
    case .jobStarted(let running):
      guard let desk = desk(running.job), desks[desk].begin == nil else { return }
      desks[desk].begin = .now
      desks[desk].timestamp = Timestamp.now().compactLocal
    case .imageDone(let running, let file, let seconds): settle(running.id) { .made(file: file, seconds: seconds) }
    case .jobFailed(let running, let error): settle(running.id) { .failed(error) }
    case .jobQuarantined(_, let id, let error): settle(id) { .failed(error) }
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
    job.index < orders.count ? orders[job.index].map { Int($0) } : nil
  }

  private func settle(_ id: JobID, _ image: () -> Image) {
    for place in places[id] ?? [] {
      guard let index = orders[Int(place)].map({ Int($0) }) else { continue }
      let number = Int(place) - desks[index].order.jobs.lowerBound
      guard case .missing = desks[index].images[number] else { continue }
      desks[index].images[number] = image()
      desks[index].missing -= 1
      guard desks[index].missing == 0, failure == nil else { continue }
      do {
        try answer(desks[index])
      } catch {
        failure = error
      }
      desks[index].images = []
    }
  }

  /// Tells of an answer that could not be written.
  ///
  /// - Throws: What kept it from being written.
  public func close() throws {
    if let failure { throw failure }
  }

  // MARK: Answers

  private func answer(_ desk: Desk) throws {
    let errors = desk.images.compactMap { if case .failed(let error) = $0 { error } else { nil } }
    let status: ResponseStatus = errors.isEmpty ? .completed : desk.lateness == nil ? .failed : .timedOut
    let entry = ResponseRecord.Entry(
      id: desk.order.id, status: status, digest: desk.digest,
      error: status == .completed ? nil : desk.lateness ?? errors.first)
    // A failure that was told of and has not changed is not told of again every night.
    if record.entries[desk.order.id] == entry, access(path(desk.order), F_OK) == 0 { return }
    var document = ResponseDocument(
      order: desk.order, status: status, delayTime: milliseconds(from: start, to: desk.begin ?? .now),
      executionTime: 0, output: nil, error: entry.error)
    if status == .completed {
      let (output, seconds) = try output(desk)
      document.output = output
      document.executionTime = Int64((seconds * 1000).rounded())
    } else {
      document.executionTime = desk.begin.map { milliseconds(from: $0, to: .now) } ?? 0
    }
    try document.write(to: path(desk.order), on: disk)
    if let webhook = desk.order.webhook { try announce(desk.order.id, path(desk.order), webhook) }
    try record.append(entry)
  }

  private func output(_ desk: Desk) throws -> (ResponseDocument.Output, seconds: Double) {
    let jobs = Array(jobs[desk.order.jobs])
    let made = try ingredients(jobs[0].parameters)
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
        infotexts.append(Infotext(jobs[number].parameters, made, version: version).text)
      case .found:
        guard let details = try finished.get().details(ids[place]) else {
          throw BatchError.damaged(path: folder.journal, problem: "it lost an image; give the same command again")
        }
        files.append(folder.file(details.file))
        seconds += details.seconds ?? 0
        infotexts.append(details.infotext)
        timestamp = timestamp ?? details.started
      case .missing, .failed: break
      }
    }
    let info = GenerationInfo.json(
      jobs.map(\.parameters), made, infotexts: infotexts, request: desk.order.info, version: version,
      timestamp: timestamp ?? Timestamp.now().compactLocal)
    return (ResponseDocument.Output(files: files, info: info), seconds)
  }

  private func milliseconds(from start: ContinuousClock.Instant, to end: ContinuousClock.Instant) -> Int64 {
    let (seconds, attoseconds) = (end - start).components
    return seconds * 1000 + attoseconds / 1_000_000_000_000_000
  }
}
