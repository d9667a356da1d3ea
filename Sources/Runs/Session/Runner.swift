import Crypto
import Foundation
import Imaging
import Infotext
import JSON
import Settings
import Text

/// Carries out a plan in a run folder: makes the images that are not there yet, and leaves each durable before the next.
public struct Runner<Generator: ImageGenerator> {
  /// What to do when a job fails.
  public enum FailurePolicy: Sendable {
    /// Note it, and go on with the next.
    case goOn
    /// Note it, and end the run.
    case stop
  }

  /// Which jobs to do.
  public enum Selection: Sendable {
    /// All whose image is not there.
    case unfinished
    /// Those whose last try ended in an error.
    case failed
  }

  private var generator: Generator
  private let tenancy: Tenancy
  private let disk: Disk
  private let checkpointInterval: Duration
  private let stopRequest: () -> StopReason?
  private let deadline: (Job) -> String?
  private let observe: (RunEvent) -> Void

  /// A runner for one folder.
  ///
  /// - Parameters:
  ///   - generator: Makes the images.
  ///   - lock: The right to work in the folder, which the runner keeps.
  ///   - disk: The disk.
  ///   - checkpointInterval: How much work on an image may be lost, at most; zero for one step.
  ///   - stopRequest: Asked before every step; the run ends when it gives a reason.
  ///   - deadline: Asked before every step of a job; the job fails when it gives a reason, and its checkpoint stays.
  ///   - observe: Told of everything that happens.
  public init(
    _ generator: Generator, lock: RunLock, on disk: Disk = Disk(), checkpointInterval: Duration = .seconds(30),
    stopRequest: @escaping () -> StopReason? = { StopSignals.request },
    deadline: @escaping (Job) -> String? = { _ in nil }, observe: @escaping (RunEvent) -> Void = { _ in }
  ) {
    self.init(generator, .alone(lock), disk, checkpointInterval, stopRequest, deadline, observe)
  }

  /// A runner for one part of a plan, in a folder where others do the other parts.
  ///
  /// It takes no lock. A part that is done twice at once costs time and does no harm: names and bytes of images are the
  /// same, and each process notes what it did in a journal of its own. It writes no manifest; see `Collector`.
  ///
  /// - Parameters:
  ///   - generator: Makes the images.
  ///   - shard: Which part.
  ///   - folder: The run folder.
  ///   - disk: The disk.
  ///   - checkpointInterval: How much work on an image may be lost, at most; zero for one step.
  ///   - stopRequest: Asked before every step; the run ends when it gives a reason.
  ///   - observe: Told of everything that happens.
  public init(
    _ generator: Generator, shard: Shard, in folder: RunFolder, on disk: Disk = Disk(),
    checkpointInterval: Duration = .seconds(30), stopRequest: @escaping () -> StopReason? = { StopSignals.request },
    observe: @escaping (RunEvent) -> Void = { _ in }
  ) {
    self.init(generator, .shared(shard, folder), disk.shared, checkpointInterval, stopRequest, { _ in nil }, observe)
  }

  private init(
    _ generator: Generator, _ tenancy: Tenancy, _ disk: Disk, _ checkpointInterval: Duration,
    _ stopRequest: @escaping () -> StopReason?, _ deadline: @escaping (Job) -> String?,
    _ observe: @escaping (RunEvent) -> Void
  ) {
    self.generator = generator
    self.tenancy = tenancy
    self.disk = disk
    self.checkpointInterval = checkpointInterval
    self.stopRequest = stopRequest
    self.deadline = deadline
    self.observe = observe
  }

  private var folder: RunFolder { tenancy.folder }
  private var checkpoints: CheckpointFolder { CheckpointFolder(folder: folder, disk: disk) }

  /// Makes every image of the plan that is not there yet.
  ///
  /// An image is there if the journal says so and the file has the size and time noted, or else the right digest. Jobs
  /// that failed before are tried again, unless they ended the process twice. Jobs of one model are done
  /// together, among them those with the same LoRAs, and among these those with one VAE; otherwise in written order.
  ///
  /// - Parameters:
  ///   - plan: What to do.
  ///   - selection: Which jobs to do.
  ///   - failurePolicy: What to do when a job fails.
  /// - Returns: Where all jobs stand.
  /// - Throws: What the generator says of an unusable model, or `BatchError` when the folder cannot be written. What
  ///   was published by then stays, and so does what the journal says of it.
  public mutating func run(
    _ plan: RunPlan<some Sequence<Job>>, only selection: Selection = .unfinished,
    onFailure failurePolicy: FailurePolicy = .goOn
  ) throws -> RunOutcome {
    let started = Timestamp.now()
    let clock = ContinuousClock.now
    let identified = try IdentifiedPlan(plan.jobs, generator)
    let details = RunDetails(recipe: plan.recipe, engine: identified.engine(generator.description))
    try prepare(identified, details, recipeText: plan.recipeText)
    let journal = try tenancy.journal(on: disk)
    var state = RunState(identified, shard: tenancy.shard)
    let crashes = try CrashLog(folder)
    let quarantined = try findImages(&state, journal, crashes, selection)
    try pruneCheckpoints(state)
    observe(.started(state.start(in: folder)))
    for (job, id, error) in quarantined { observe(.jobQuarantined(job, id, error: error)) }

    var failure: (any Error)?
    do {
      if !state.isComplete { try work(&state, journal, crashes, failurePolicy) }
      try CrashWatch.tidy(folder, shard: tenancy.shard, on: disk)
    } catch {
      failure = error
    }
    if tenancy.shard == nil {
      let manifest = Manifest(
        details: details, started: started, finished: .now(), ending: state.ending(isAborted: failure != nil),
        counts: state.counts, ingredients: identified.ingredients)
      do {
        try tenancy.check()
        try manifest.write(state.plannedWithStates, to: folder, journal: journal, on: disk)
      } catch {
        throw failure ?? error
      }
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
    try disk.makeFolder(folder.checkpoints)
    if tenancy.shard != nil {
      try FrozenPlan.settle(identified, details, in: folder, on: disk)
      if let recipeText {
        try AtomicFile.writeFirst(to: folder.recipe, on: disk) { file in try file.write(Array(recipeText.utf8)) }
      }
      return
    }
    try AtomicFile.removeTemporaries(in: folder.path, on: disk)
    try AtomicFile.removeTemporaries(in: folder.images, on: disk)
    if access(folder.thumbnails, F_OK) == 0 { try AtomicFile.removeTemporaries(in: folder.thumbnails, on: disk) }
    if let recipeText {
      try AtomicFile.write(to: folder.recipe, on: disk, keepsEqual: true) { file in
        try file.write(Array(recipeText.utf8))
      }
    }
    try FrozenPlan.write(identified.planned, details, to: folder, on: disk)
  }

  /// Finds out which images are there, and brings the journal up to date with what is seen.
  ///
  /// Returns the jobs that are not to be tried again.
  private func findImages(
    _ state: inout RunState<some Sequence<Job>>, _ journal: Journal, _ crashes: CrashLog, _ selection: Selection
  ) throws -> [(Job, JobID, error: String)] {
    var news: [JournalEntry] = []
    var quarantined: [(Job, JobID, error: String)] = []
    for (place, planned) in state.plan.planned.enumerated() where state.isOwn(place) {
      let (found, entry) = try find(planned, journal)
      if let entry { news.append(entry) }
      if found == .done { observe(.imageFound(planned.job, planned.id)) }
      if found != .done, let verdict = crashes.verdict(planned.id) {
        state.leave(.failed, at: place)
        quarantined.append((planned.job, planned.id, verdict))
        if try journal.failure(planned.id)?.error != verdict {
          news.append(
            .failed(
              FailedJob(id: planned.id, index: planned.job.index, started: .now(), seconds: 0, error: verdict)))
        }
      } else if selection == .failed, found == .pending {
        state.leave(found, at: place)
      } else {
        state.find(found, planned.job.settings, at: place)
      }
    }
    for entry in news { try journal.append(entry, isDurable: false) }
    if !news.isEmpty { try journal.synchronise() }
    return quarantined
  }

  /// Removes the checkpoints of jobs that are done or that the plan does not have.
  private func pruneCheckpoints(_ state: RunState<some Sequence<Job>>) throws {
    try checkpoints.prune { found in
      // Other shards know of theirs.
      let kept = state.plan.ids.enumerated().lazy.filter { place, id in
        found.contains(id) && (state.state(place) != .done || !state.isOfThisRun(place))
      }
      return Set(kept.map(\.1)).union(tenancy.shard == nil ? [] : found.subtracting(state.plan.ids))
    }
  }

  /// Where a job stands, and what the journal does not know of it yet.
  private func find(_ planned: PlannedJob, _ journal: Journal) throws -> (JobState, JournalEntry?) {
    let unfinished = journal.index.failures[planned.id] == nil ? JobState.pending : .failed
    guard let noted = journal.index.images[planned.id] else {
      guard let image = unnoted(planned) else { return (unfinished, nil) }
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

  /// A picture that is there, and that no journal tells of.
  private func unnoted(_ planned: PlannedJob) -> FinishedImage? {
    let file = RunFolder.imageName(planned.job, planned.id)
    guard access(folder.file(file), F_OK) == 0 else { return nil }
    return ImageCheck.orphan(planned, file: file, infotext: infotext(planned), in: folder)
  }

  // MARK: The work

  private mutating func work(
    _ state: inout RunState<some Sequence<Job>>, _ journal: Journal, _ crashes: CrashLog, _ failurePolicy: FailurePolicy
  ) throws {
    let names = Set(journal.index.images.values.lazy.map(\.file))
    let trace = try TraceFile(path: tenancy.trace(journal), engine: generator.description, on: disk)
    let watch = try CrashWatch(folder, shard: tenancy.shard, on: disk)
    for batch in 0..<state.plan.batchCount where state.hasWork(batch) {
      for (place, planned) in state.plan.planned.enumerated() where state.isToDo(place, batch) {
        if let reason = stopRequest() {
          state.stop = reason
          return
        }
        try tenancy.check()
        if tenancy.shard != nil, let image = unnoted(planned) {
          // The same shard runs elsewhere, and is ahead.
          try journal.append(.done(image))
          state.adopt(place)
          continue
        }
        let running = state.begin(planned)
        observe(.jobStarted(running))
        let started = Timestamp.now()
        trace.begin(generator.evaluations)
        let keeper = CheckpointKeeper(
          planned.id, numerics: generator.description.numerics, in: checkpoints, every: checkpointInterval,
          beforeWriting: tenancy.check)
        do {
          let hasCrashed = !crashes.signals(planned.id).isEmpty
          let finished = try watch.watch(planned.id) {
            let image = try generate(running, keeper, trace, hasCrashed: hasCrashed)
            let file = fileName(planned, journal, taken: names)
            return try publish(image, planned, file, started, keeper)
          }
          try journal.append(.done(finished))
          state.finish(.done, at: place)
          try keeper.discard()
          if hasCrashed { try watch.forgive(planned.id) }
          try trace.append(finished, planned, generator.evaluations)
          observe(.imageDone(running, file: finished.file, seconds: keeper.seconds))
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
                id: planned.id, index: planned.job.index, started: started, seconds: keeper.seconds, error: text)))
          state.finish(.failed, at: place)
          observe(.jobFailed(running, error: text))
          if let failure = error as? any InputFailure, !failure.isOfOneJob { throw error }
          // Whatever led to the error may be in there; not so if there was only too little time.
          if !(error is DeadlinePassed) { try keeper.discard() }
          if failurePolicy == .stop {
            state.stop = state.isComplete ? nil : .failure
            return
          }
        }
      }
    }
  }

  /// Makes the image, from where an earlier run left it if that can be; not if it ended the process there.
  private mutating func generate(
    _ running: RunningJob, _ keeper: CheckpointKeeper, _ trace: TraceFile, hasCrashed: Bool
  ) throws -> RGBImage {
    do {
      if let earlier = try keeper.earlier() {
        if hasCrashed { throw UnusableState("the program crashed in this image") }
        return try attempt(running, keeper, trace, from: earlier)
      }
    } catch let fault as Checkpoint.Fault {
      try begin(running, anew: keeper, reason: fault.description)
    } catch let fault as UnusableState {
      try begin(running, anew: keeper, reason: fault.description)
    }
    return try attempt(running, keeper, trace, from: nil)
  }

  private func begin(_ running: RunningJob, anew keeper: CheckpointKeeper, reason: String) throws {
    observe(.checkpointIgnored(running, reason: reason))
    try keeper.discard()
  }

  private mutating func attempt(
    _ running: RunningJob, _ keeper: CheckpointKeeper, _ trace: TraceFile, from earlier: Checkpoint?
  ) throws -> RGBImage {
    let settings = running.job.settings
    let (observe, stopRequest, deadline) = (observe, stopRequest, deadline)
    var isToldOf = earlier == nil
    let image = try generator.generate(settings, resuming: earlier?.state) { progress, state in
      if !isToldOf, let state {
        isToldOf = true
        observe(.resumed(running, step: state.step))
      }
      trace.note(progress)
      observe(.progress(running, progress))
      let reason = stopRequest()
      let lateness = deadline(running.job)
      try keeper.note(state, progress, isStopping: reason != nil || lateness != nil)
      if let reason { throw StopRequested(reason) }
      if let lateness { throw DeadlinePassed(description: lateness) }
    }
    guard image.width == settings.finalWidth, image.height == settings.finalHeight else {
      throw BatchError.wrongSize(
        found: "\(image.width)x\(image.height)", expected: "\(settings.finalWidth)x\(settings.finalHeight)")
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
    _ image: RGBImage, _ planned: PlannedJob, _ file: String, _ started: Timestamp, _ keeper: CheckpointKeeper
  ) throws -> FinishedImage {
    let infotext = infotext(planned)
    let bytes = try PNGFile(image: image, texts: [PNGText(keyword: "parameters", text: infotext)]).encoded()
    // The folder may have been replaced while the image was made.
    try tenancy.check()
    let mark = try AtomicFile.write(bytes, to: folder.file(file), on: disk)
    return FinishedImage(
      id: planned.id, index: planned.job.index, file: file, mark: mark,
      sha256: Hexadecimal.text(SHA256.hash(data: bytes)),
      pixelsSHA256: Hexadecimal.text(SHA256.hash(data: image.pixels)), started: started, seconds: keeper.seconds,
      infotext: infotext, identity: planned.identity)
  }

  private func infotext(_ planned: PlannedJob) -> String {
    Infotext(planned.job.settings, planned.ingredients, version: generator.description.version).text
  }
}

/// A job took longer than it was given.
private struct DeadlinePassed: Error, CustomStringConvertible {
  var description: String
}

extension BatchError {
  /// Whether the error says something of one job only, and not of the run folder.
  fileprivate var isOfOneJob: Bool {
    if case .wrongSize = self { true } else { false }
  }
}
