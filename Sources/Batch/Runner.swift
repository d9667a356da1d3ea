import Crypto
import Foundation
import Imaging
import Jobs
import JSON

/// Carries out a plan in a run folder: makes the images that are not there yet, and leaves each durable before the next.
public struct Runner<Generator: ImageGenerator> {
  /// What to do when a job fails.
  public enum FailurePolicy: Sendable {
    /// Note it, and go on with the next.
    case goOn
    /// Note it, and end the run.
    case stop
  }

  private var generator: Generator
  private let lock: RunLock
  private let disk: Disk
  private let stopRequest: () -> StopReason?
  private let observe: (RunEvent) -> Void

  /// A runner for one folder.
  ///
  /// - Parameters:
  ///   - generator: Makes the images.
  ///   - lock: The right to work in the folder, which the runner keeps.
  ///   - disk: The disk.
  ///   - stopRequest: Asked before every step; the run ends when it gives a reason.
  ///   - observe: Told of everything that happens.
  public init(
    _ generator: Generator, lock: RunLock, on disk: Disk = Disk(),
    stopRequest: @escaping () -> StopReason? = { StopSignals.request }, observe: @escaping (RunEvent) -> Void = { _ in }
  ) {
    self.generator = generator
    self.lock = lock
    self.disk = disk
    self.stopRequest = stopRequest
    self.observe = observe
  }

  private var folder: RunFolder { lock.folder }

  /// Makes every image of the plan that is not there yet.
  ///
  /// An image is there if the journal says so and the file has the size and time noted, or else the right digest. Jobs
  /// that failed before are tried again. Jobs of one model are done together, otherwise in written order.
  ///
  /// - Parameters:
  ///   - plan: What to do.
  ///   - failurePolicy: What to do when a job fails.
  /// - Returns: Where all jobs stand.
  /// - Throws: What the generator says of an unusable model, or `BatchError` when the folder cannot be written. What
  ///   was published by then stays, and so does what the journal says of it.
  public mutating func run(
    _ plan: RunPlan<some Sequence<Job>>, onFailure failurePolicy: FailurePolicy = .goOn
  ) throws -> RunOutcome {
    let started = Timestamp.now()
    let clock = ContinuousClock.now
    let identified = try IdentifiedPlan(plan.jobs, generator)
    let details = RunDetails(recipe: plan.recipe, engine: generator.engine)
    try prepare(identified, details, recipeText: plan.recipeText)
    let journal = try Journal(folder, on: disk)
    var state = RunState(identified)
    try findImages(&state, journal)
    observe(.started(state.start(in: folder)))

    var failure: (any Error)?
    do {
      try work(&state, journal, failurePolicy)
    } catch {
      failure = error
    }
    let manifest = Manifest(
      details: details, started: started, finished: .now(), ending: state.ending(isAborted: failure != nil),
      counts: state.counts, ingredients: identified.ingredients)
    do {
      try manifest.write(state.plannedWithStates, to: folder, journal: journal, on: disk)
    } catch {
      throw failure ?? error
    }
    if let failure { throw failure }
    let outcome = RunOutcome(
      folder: folder.path, counts: state.counts, imagesMade: state.imagesMade, seconds: clock.secondsSince,
      stop: state.stop)
    observe(.finished(outcome))
    return outcome
  }

  // MARK: Before the work

  private func prepare(
    _ identified: IdentifiedPlan<some Sequence<Job>>, _ details: RunDetails, recipeText: String?
  ) throws {
    try disk.makeFolder(folder.images)
    try AtomicFile.removeTemporaries(in: folder.path, on: disk)
    try AtomicFile.removeTemporaries(in: folder.images, on: disk)
    if let recipeText {
      try AtomicFile.write(to: folder.recipe, on: disk, keepsEqual: true) { file in
        try file.write(Array(recipeText.utf8))
      }
    }
    try FrozenPlan.write(identified.planned, details, to: folder, on: disk)
  }

  /// Finds out which images are there, and brings the journal up to date with what is seen.
  private func findImages(_ state: inout RunState<some Sequence<Job>>, _ journal: Journal) throws {
    var news: [JournalEntry] = []
    for (place, planned) in state.plan.planned.enumerated() where state.plan.isFirst(place) {
      let (found, entry) = try find(planned, journal)
      state.find(found, planned.job.parameters, at: place)
      if let entry { news.append(entry) }
    }
    for entry in news { try journal.append(entry, isDurable: false) }
    if !news.isEmpty { try journal.synchronise() }
  }

  /// Where a job stands, and what the journal does not know of it yet.
  private func find(_ planned: PlannedJob, _ journal: Journal) throws -> (JobState, JournalEntry?) {
    let unfinished = journal.index.failures[planned.id] == nil ? JobState.pending : .failed
    guard let noted = journal.index.images[planned.id] else {
      let file = RunFolder.imageName(planned.job, planned.id)
      guard access(folder.file(file), F_OK) == 0,
        let image = ImageCheck.orphan(planned, file: file, infotext: infotext(planned), in: folder)
      else { return (unfinished, nil) }
      return (.done, .done(image))
    }
    switch try ImageCheck(folder.file(noted.file), mark: noted.mark, sha256: { try journal.image(planned.id)?.sha256 })
    {
    case .intact: return (.done, nil)
    case .lost: return (unfinished, nil)
    case .moved(let mark):
      guard var image = try journal.image(planned.id) else { return (unfinished, nil) }
      image.mark = mark
      return (.done, .done(image))
    }
  }

  // MARK: The work

  private mutating func work(
    _ state: inout RunState<some Sequence<Job>>, _ journal: Journal, _ failurePolicy: FailurePolicy
  ) throws {
    let names = Set(journal.index.images.values.lazy.map(\.file))
    let trace = try TraceFile(folder, engine: generator.engine, on: disk)
    for group in state.plan.ingredients.indices where state.hasWork(group) {
      for (place, planned) in state.plan.planned.enumerated() where state.isToDo(place, group) {
        if let reason = stopRequest() {
          state.stop = reason
          return
        }
        let running = state.begin(planned)
        observe(.jobStarted(running))
        let started = Timestamp.now()
        let clock = ContinuousClock.now
        trace.begin()
        do {
          let image = try generate(running, trace)
          let file = fileName(planned, journal, taken: names)
          let finished = try publish(image, planned, file, started, clock)
          try journal.append(.done(finished))
          state.finish(.done, at: place)
          try trace.append(finished, planned)
          observe(.imageDone(running, file: file, seconds: clock.secondsSince))
        } catch let request as StopRequested {
          state.stop = request.reason
          return
        } catch let error as BatchError where !error.isOfOneJob {
          throw error
        } catch {
          let text = String(describing: error)
          try journal.append(
            .failed(
              FailedJob(
                id: planned.id, index: planned.job.index, started: started, seconds: clock.secondsSince, error: text)))
          state.finish(.failed, at: place)
          observe(.jobFailed(running, error: text))
          if let failure = error as? any InputFailure, !failure.isOfOneJob { throw error }
          if failurePolicy == .stop {
            state.stop = state.isComplete ? nil : .failure
            return
          }
        }
      }
    }
  }

  private mutating func generate(_ running: RunningJob, _ trace: TraceFile) throws -> RGBImage {
    let parameters = running.job.parameters
    let (observe, stopRequest) = (observe, stopRequest)
    let image = try generator.generate(parameters) { progress in
      trace.note(progress)
      observe(.progress(running, progress))
      if let reason = stopRequest() { throw StopRequested(reason) }
    }
    guard image.width == parameters.width, image.height == parameters.height else {
      throw BatchError.wrongSize(
        found: "\(image.width)x\(image.height)", expected: "\(parameters.width)x\(parameters.height)")
    }
    return image
  }

  /// The name of the image: the one it had if it is made again, else a new one that no other image has.
  private func fileName(_ planned: PlannedJob, _ journal: Journal, taken names: Set<String>) -> String {
    if let noted = journal.index.images[planned.id] { return noted.file }
    let name = RunFolder.imageName(planned.job, planned.id)
    return names.contains(name) ? RunFolder.imageName(planned.job, planned.id, digits: 64) : name
  }

  private func publish(
    _ image: RGBImage, _ planned: PlannedJob, _ file: String, _ started: Timestamp, _ clock: ContinuousClock.Instant
  ) throws -> FinishedImage {
    let infotext = infotext(planned)
    let bytes = try PNGFile(image: image, texts: [PNGText(keyword: "parameters", text: infotext)]).encoded()
    let mark = try AtomicFile.write(bytes, to: folder.file(file), on: disk)
    return FinishedImage(
      id: planned.id, index: planned.job.index, file: file, mark: mark,
      sha256: Hexadecimal.text(SHA256.hash(data: bytes)),
      pixelsSHA256: Hexadecimal.text(SHA256.hash(data: image.pixels)), started: started, seconds: clock.secondsSince,
      infotext: infotext, identity: planned.identity)
  }

  private func infotext(_ planned: PlannedJob) -> String {
    Infotext(planned.job.parameters, planned.ingredients, version: generator.engine.version).text
  }
}

extension BatchError {
  /// Whether the error says something of one job only, and not of the run folder.
  fileprivate var isOfOneJob: Bool {
    if case .wrongSize = self { true } else { false }
  }
}

extension ContinuousClock.Instant {
  /// How long ago this was, to the millisecond.
  fileprivate var secondsSince: Double {
    let components = (ContinuousClock.now - self).components
    return Double(components.seconds) + Double(components.attoseconds / 1_000_000_000_000_000) / 1000
  }
}
