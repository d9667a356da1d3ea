import Hashing
import Foundation
import Imaging
import Infotext
import JSON
import Settings
import Text

/// Carries out a plan in a run folder: makes the missing images, each durable before the next begins.
public struct Runner<Generator: ImageGenerator> {
  private var generator: Generator
  private let folderAccess: FolderAccess
  private let disk: Disk
  private let checkpointInterval: Duration
  private let stopRequest: () -> StopReason?
  private let deadline: (Job) -> String?
  private let store: ImageStore?
  private let observe: (RunEvent) -> Void

  /// A runner that is alone in its folder.
  ///
  /// - Parameters:
  ///   - generator: Makes the images.
  ///   - lock: The lock of the run folder, which the runner keeps.
  ///   - disk: The disk.
  ///   - checkpointInterval: The time between two saves of the unfinished image; zero saves it after every step.
  ///   - stopRequest: Asked before every step; the run ends when it returns a reason.
  ///   - deadline: Asked before every step of a job; the job fails when it returns a reason, and its checkpoint stays.
  ///   - store: The images in other run folders; nil to make every image.
  ///   - observe: Receives every event.
  public init(
    _ generator: Generator, lock: RunLock, on disk: Disk = Disk(), checkpointInterval: Duration = .betweenCheckpoints,
    stopRequest: @escaping () -> StopReason? = { StopSignals.request },
    deadline: @escaping (Job) -> String? = { _ in nil }, store: ImageStore? = nil,
    observe: @escaping (RunEvent) -> Void = { _ in }
  ) {
    self.init(generator, .exclusive(lock), disk, checkpointInterval, stopRequest, deadline, store, observe)
  }

  /// A runner for one part of a plan, in a folder where other processes do the other parts.
  ///
  /// It takes no lock. If two processes do the same part at once, that costs time but is harmless: names and bytes of the
  /// images are the same, and each process writes its own journal. It writes no manifest; see `Collector`.
  ///
  /// - Parameters:
  ///   - generator: Makes the images.
  ///   - shard: The part of the plan.
  ///   - folder: The run folder.
  ///   - disk: The disk.
  ///   - checkpointInterval: The time between two saves of the unfinished image; zero saves it after every step.
  ///   - stopRequest: Asked before every step; the run ends when it returns a reason.
  ///   - store: The images in other run folders; nil to make every image.
  ///   - observe: Receives every event.
  public init(
    _ generator: Generator, shard: Shard, in folder: RunFolder, on disk: Disk = Disk(),
    checkpointInterval: Duration = .betweenCheckpoints,
    stopRequest: @escaping () -> StopReason? = { StopSignals.request },
    store: ImageStore? = nil, observe: @escaping (RunEvent) -> Void = { _ in }
  ) {
    self.init(
      generator, .shared(shard, folder), disk.shared, checkpointInterval, stopRequest, { _ in nil }, store, observe)
  }

  private init(
    _ generator: Generator, _ folderAccess: FolderAccess, _ disk: Disk, _ checkpointInterval: Duration,
    _ stopRequest: @escaping () -> StopReason?, _ deadline: @escaping (Job) -> String?, _ store: ImageStore?,
    _ observe: @escaping (RunEvent) -> Void
  ) {
    self.generator = generator
    self.folderAccess = folderAccess
    self.disk = disk
    self.checkpointInterval = checkpointInterval
    self.stopRequest = stopRequest
    self.deadline = deadline
    self.store = store
    self.observe = observe
  }

  private var folder: RunFolder { folderAccess.folder }
  private var checkpoints: CheckpointFolder { CheckpointFolder(folder: folder, disk: disk) }

  /// Makes every missing image of the plan.
  ///
  /// An image exists if the journal has it, and the file has the size and time in the journal, or else the digest. Jobs that
  /// failed before are tried again, unless they crashed the process twice. See `JobList.workOrder` for the order.
  ///
  /// - Parameters:
  ///   - plan: What to carry out.
  ///   - selection: Which jobs to do.
  ///   - failurePolicy: What to do when a job fails.
  /// - Returns: How the run ended.
  /// - Throws: The generator's error for an unusable model, or `RunError` if the folder cannot be written. Images that were
  ///   published before stay published.
  public mutating func run(
    _ plan: RunPlan, only selection: JobSelection = .unfinished,
    onFailure failurePolicy: FailurePolicy = .goOn
  ) throws -> RunOutcome {
    let started = Timestamp.now()
    let clock = ContinuousClock.now
    let details = RunDetails(recipe: plan.recipe, engine: plan.jobs.engine(generator.description))
    try prepare(plan, details)
    let journal = try folderAccess.journal(on: disk)
    let changes = { [generator] settings in generator.changes(in: settings) }
    var state = RunState(plan.jobs, shard: folderAccess.shard, changes: changes)
    let crashes = try CrashLog(folder)
    let naming = Naming(
      names: ImageNames(plan.jobs), renaming: ImageRenaming(folder: folder, disk: disk, journal: journal))
    try renameImages(state, naming)
    let quarantined = try findImages(&state, journal, naming, selection)
    try convertImages(&state, journal)
    try reuseImages(&state, journal, naming)
    let work = state.work(changes: changes)
    let shared = SharedStates(
      work, in: checkpoints, numerics: generator.description.numerics, changes: changes,
      beforeWriting: folderAccess.check)
    state.share(work, known: try pruneCheckpoints(state, shared, journal))
    observe(.started(state.start(in: folder)))
    for (job, id, error) in quarantined { observe(.jobQuarantined(job, id, error: error)) }

    var failure: (any Error)?
    do {
      if !state.isComplete { try self.work(&state, work.order, shared, journal, naming, crashes, failurePolicy) }
      try CrashWatch.tidy(folder, shard: folderAccess.shard, on: disk)
    } catch {
      failure = error
    }
    if folderAccess.shard == nil {
      let manifest = Manifest(
        details: details, started: started, finished: .now(), ending: state.ending(isAborted: failure != nil),
        counts: state.counts, ingredients: plan.jobs.ingredients)
      do {
        try folderAccess.check()
        let sources = try? ManifestChecksum(of: state.all, details.engine, in: folder)
        try manifest.write(state.identifiedWithStates, to: folder, journal: journal, on: disk, sources: sources)
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

  private func prepare(_ plan: RunPlan, _ details: RunDetails) throws {
    try disk.makeFolder(folder.images)
    try disk.makeFolder(folder.checkpoints)
    try folder.removeLeftovers(on: disk)
    if folderAccess.shard != nil {
      try PlanFile.settle(plan.jobs, details, in: folder, on: disk)
      if let recipeText = plan.recipeText {
        try AtomicFile.writeFirst(to: folder.recipe, on: disk) { file in try file.write(Array(recipeText.utf8)) }
      }
      return
    }
    if let recipeText = plan.recipeText {
      try AtomicFile.write(to: folder.recipe, on: disk, keepsEqual: true) { file in
        try file.write(Array(recipeText.utf8))
      }
    }
    try PlanFile.write(plan.jobs, details, to: folder, on: disk)
  }

  /// Finds the images that exist, and adds missing lines about them to the journal.
  ///
  /// Returns the jobs that must not be tried again, because they crashed the process.
  private func findImages(
    _ state: inout RunState, _ journal: Journal, _ naming: Naming, _ selection: JobSelection
  ) throws -> [(Job, JobID, error: String)] {
    var states = try JobStates(folder)
    var images: [(Job, JobID)] = []
    var news: [(entry: JournalEntry, planned: IdentifiedJob, index: Int)] = []
    var quarantined: [(Job, JobID, error: String)] = []
    /// Makes the new lines durable before it reports the images, because a response about them looks into the journal.
    func settle() throws {
      for (entry, _, _) in news { try journal.append(entry, isDurable: false) }
      if !news.isEmpty { try journal.synchronise() }
      for (entry, planned, index) in news {
        if case .done(let image) = entry { _ = try naming.settle(image, planned, at: index) }
      }
      news.removeAll()
      for (job, id) in images { observe(.imageFound(job, id)) }
      images.removeAll()
    }
    for (index, planned) in state.jobs.identified.enumerated() where state.isOwn(index) {
      let (found, entry) = try states.find(planned, in: journal, infotext: infotext(planned))
      if let entry { news.append((entry, planned, index)) }
      if found == .done { images.append((planned.job, planned.id)) }
      // A run may have millions of images; their jobs must not be in memory all at once.
      if images.count >= 1024 { try settle() }
      let verdict = found == .done ? nil : states.verdict(planned.id)
      if let verdict {
        state.leave(.failed, at: index)
        quarantined.append((planned.job, planned.id, verdict))
        if try journal.failure(planned.id)?.error != verdict {
          let failure = FailedJob(
            id: planned.id, index: planned.job.index, started: .now(), seconds: 0, error: verdict)
          news.append((.failed(failure), planned, index))
        }
      } else if selection == .failed, found == .pending {
        state.leave(found, at: index)
      } else {
        state.find(found, planned.job.settings, at: index)
      }
    }
    try settle()
    return quarantined
  }

  /// Removes the checkpoints of jobs that are done or not in the plan, and states that no job to do has in common with others.
  /// The latent of an image stays if its files do not preserve its pixels, so another format needs no sampling.
  ///
  /// Returns the points whose states stay.
  private func pruneCheckpoints(
    _ state: RunState, _ shared: SharedStates, _ journal: Journal
  ) throws -> Set<Int> {
    var known: [Int: JobID] = [:]
    try checkpoints.prune { found in
      known = shared.known(among: found, state.jobs.identified)
      // Other shards remove their own checkpoints.
      let kept = state.jobs.ids.enumerated().lazy.filter { index, id in
        found.contains(id)
          && (state.state(index) != .done || !state.isOfThisRun(index)
            || journal.index.images[id]?.isLossless == false)
      }
      return Set(kept.map(\.1)).union(
        folderAccess.shard == nil ? Set(known.values) : found.subtracting(state.jobs.ids))
    }
    return Set(known.keys)
  }

  /// An image that exists without a line in any journal.
  private func unnoted(_ planned: IdentifiedJob) -> FinishedImage? {
    let stem = RunFolder.imageStem(planned.job, planned.id)
    var files: [StoredFile] = []
    var image: FinishedImage?
    for encoding in planned.job.settings.encodings {
      let file = stem + encoding.ending
      guard access(folder.file(file), F_OK) == 0,
        let found = ImageCheck.orphan(planned, file: file, infotext: infotext(planned), in: folder),
        found.encoding == encoding
      else { return nil }
      files += found.files
      image = image ?? found
    }
    return image?.with(files)
  }

  /// Gives existing images the names that their jobs ask for now.
  ///
  /// An image keeps its old name while another file has the new one. If images exchange names, one of them first gets a
  /// temporary name.
  private func renameImages(_ state: RunState, _ naming: Naming) throws {
    let index = naming.renaming.journal.index
    if index.images.isEmpty { return }
    if folderAccess.shard == nil { try naming.renaming.removeLeftNames() }
    if naming.names.isDefault, index.images.values.allSatisfy({ RunFolder.isDefaultName($0.file) }) { return }
    var waiting: [(planned: IdentifiedJob, stem: String)] = []
    for (number, planned) in state.jobs.identified.enumerated() where state.isOwn(number) {
      guard let noted = index.images[planned.id], let stem = try naming.stem(planned, at: number, noted.file) else {
        continue
      }
      if RunFolder.stem(of: noted.file) != stem { waiting.append((planned, stem)) }
    }
    var isAside = false
    while !waiting.isEmpty {
      let count = waiting.count
      var left: [(planned: IdentifiedJob, stem: String)] = []
      for (planned, stem) in waiting {
        if stopRequest() != nil { return }
        try folderAccess.check()
        guard let image = try naming.renaming.journal.image(planned.id) else { continue }
        let renamed = try naming.renaming.rename(image, to: stem)
        if let renamed {
          store?.add(ImageStore.Entry.all(of: renamed, in: folder))
        } else {
          left.append((planned, stem))
        }
      }
      waiting = left
      if waiting.count < count || isAside {
        isAside = false
        if waiting.count == count { return }
        continue
      }
      // No image could be renamed: each one waits for another, or for a file that stays.
      isAside = true
      for (planned, stem) in waiting {
        guard let image = try naming.renaming.journal.image(planned.id) else { continue }
        _ = try naming.renaming.rename(image, to: Naming.aside(stem, planned.id))
      }
    }
  }

  /// Makes files that jobs ask for from files in other formats.
  private func convertImages(_ state: inout RunState, _ journal: Journal) throws {
    if state.isComplete { return }
    let conversion = ImageConversion(folder: folder, disk: disk)
    for (index, planned) in state.jobs.identified.enumerated() where state.isToMake(index) {
      guard journal.index.images[planned.id]?.isLossless == true, let noted = try journal.image(planned.id) else {
        continue
      }
      if stopRequest() != nil { break }
      try folderAccess.check()
      do {
        guard let image = try conversion.convert(noted, to: planned.job.settings.encodings) else { continue }
        try journal.append(.done(image))
        store?.add(ImageStore.Entry.all(of: image, in: folder))
        state.convert(planned.job.settings, at: index)
        observe(.imageFound(planned.job, planned.id))
      } catch let error as ImagingError {
        // The error that the format cannot contain the image is reported when the job is done.
        _ = error
      }
    }
  }

  /// Takes images from other run folders.
  private func reuseImages(_ state: inout RunState, _ journal: Journal, _ naming: Naming) throws {
    guard let store, !state.isComplete else { return }
    let wanted = Set(state.jobs.ids.enumerated().filter { state.isToMake($0.offset) }.map(\.element))
    let entries = store.entries(of: wanted, outside: folder)
    if entries.isEmpty { return }
    let reuse = ImageReuse(store: store, folder: folder, disk: disk)
    let names = Set(journal.index.images.values.lazy.map { RunFolder.stem(of: $0.file) })
    let trace = try TraceFile(path: folderAccess.trace(journal), engine: generator.description, on: disk)
    var taken: [(index: Int, planned: IdentifiedJob, image: FinishedImage)] = []
    /// As for an image that is made: first its name is durable, then its line, and only then is it reported.
    func settle() throws {
      if taken.isEmpty { return }
      try disk.synchroniseFolder(folder.images)
      for (_, _, image) in taken { try journal.append(.done(image), isDurable: false) }
      try journal.synchronise()
      for index in taken.indices {
        taken[index].image = try naming.settle(taken[index].image, taken[index].planned, at: taken[index].index)
      }
      store.add(taken.flatMap { ImageStore.Entry.all(of: $0.image, in: folder) })
      for (_, planned, image) in taken {
        try trace.appendReused(image, planned)
        observe(.imageFound(planned.job, planned.id))
      }
      taken.removeAll()
    }
    for (index, planned) in state.jobs.identified.enumerated() where state.isToMake(index) {
      // The image before its faces were restored is in no store.
      guard let known = entries[planned.id], !planned.job.settings.savesBeforeFaces else { continue }
      if stopRequest() != nil { break }
      try folderAccess.check()
      let stem = stem(planned, journal, taken: names)
      try disk.makeFolder(ofFile: folder.file(stem), below: folder.images)
      guard let image = try reuse.take(known, for: planned, as: stem, infotext: infotext(planned)) else { continue }
      taken.append((index, planned, image))
      state.reuse(planned.job.settings, at: index)
      if taken.count >= 64 { try settle() }
    }
    try settle()
  }

  // MARK: The work

  private mutating func work(
    _ state: inout RunState, _ order: [Int], _ shared: SharedStates, _ journal: Journal, _ naming: Naming,
    _ crashes: CrashLog, _ failurePolicy: FailurePolicy
  ) throws {
    let names = Set(journal.index.images.values.lazy.map { RunFolder.stem(of: $0.file) })
    let trace = try TraceFile(path: folderAccess.trace(journal), engine: generator.description, on: disk)
    let watch = try CrashWatch(folder, shard: folderAccess.shard, on: disk)
    var queue = JobQueue(state.jobs, order)
    while let (index, planned) = queue.next() {
      if let reason = stopRequest() {
        state.stop = reason
        return
      }
      try folderAccess.check()
      if folderAccess.shard != nil, let image = unnoted(planned) {
        // The same shard also runs in another process, which was faster.
        try journal.append(.done(image))
        _ = try naming.settle(image, planned, at: index)
        try shared.skip(index)
        state.adopt(index)
        continue
      }
      let running = state.begin(planned)
      observe(.jobStarted(running))
      let started = Timestamp.now()
      trace.begin(generator.evaluations)
      let keeper = CheckpointKeeper(
        planned.id, numerics: generator.description.numerics, in: checkpoints, every: checkpointInterval,
        beforeWriting: folderAccess.check)
      do {
        let hasCrashed = !crashes.signals(planned.id).isEmpty
        let path = shared.begin(planned, at: index)
        var finished = try watch.watch(planned.id) {
          let picture = try generate(running, keeper, shared, path, trace, hasCrashed: hasCrashed)
          let stem = stem(planned, journal, taken: names)
          let finished = try publish(picture, planned, stem, started, keeper)
          return try journal.image(planned.id).map { finished.keepingFiles(of: $0, in: folder) } ?? finished
        }
        try journal.append(.done(finished))
        finished = try naming.settle(finished, planned, at: index)
        store?.add(ImageStore.Entry.all(of: finished, in: folder))
        state.finish(.done, at: index)
        // Without a file that preserves the pixels, the latent stays.
        if finished.files.contains(where: \.encoding.isLossless) { try keeper.discard() }
        try shared.end(index)
        if hasCrashed { try watch.forgive(planned.id) }
        try trace.append(finished, planned, generator.evaluations)
        observe(.imageDone(running, file: finished.file, seconds: keeper.seconds))
      } catch let request as StopRequested {
        state.stop = request.reason
        return
      } catch let error as RunError where !error.isOfOneJob {
        throw error
      } catch {
        let text = String(describing: error)
        try journal.append(
          .failed(
            FailedJob(
              id: planned.id, index: planned.job.index, started: started, seconds: keeper.seconds, error: text)))
        state.finish(.failed, at: index)
        observe(.jobFailed(running, error: text))
        if let failure = error as? any InputFailure, !failure.isOfOneJob { throw error }
        // The checkpoint may contain the cause of the error, unless there was just too little time.
        if !(error is DeadlinePassed) { try keeper.discard() }
        try shared.end(index)
        if failurePolicy == .stop {
          state.stop = state.isComplete ? nil : .failure
          return
        }
      }
    }
  }

  /// Makes the image. Continues from an earlier run's checkpoint if it can be used and did not crash the process, or from the
  /// state that it has in common with another image.
  private mutating func generate(
    _ running: RunningJob, _ keeper: CheckpointKeeper, _ shared: SharedStates, _ path: SharedPath, _ trace: TraceFile,
    hasCrashed: Bool
  ) throws -> FinishedPicture {
    do {
      let own = try keeper.earlier()
      if own != nil, hasCrashed { throw UnusableState("the program crashed while making this image") }
      if let known = path.known, !hasCrashed, known.step > own?.step ?? 0 {
        // Counted as the plan does, since some samplers take more steps than requested. The state may be a few steps older.
        trace.noteShared(min(known.step, path.start.steps(of: running.job.settings)))
        return try attempt(running, keeper, shared, path, trace, from: known, isShared: true)
      }
      if let own { return try attempt(running, keeper, shared, path, trace, from: own) }
    } catch let fault as Checkpoint.Fault {
      try restart(running, keeper, reason: fault.description)
    } catch let fault as UnusableState {
      try restart(running, keeper, reason: fault.description)
    }
    trace.noteShared(0)
    return try attempt(running, keeper, shared, path, trace, from: nil)
  }

  private func restart(_ running: RunningJob, _ keeper: CheckpointKeeper, reason: String) throws {
    observe(.checkpointIgnored(running, reason: reason))
    try keeper.discard()
  }

  private mutating func attempt(
    _ running: RunningJob, _ keeper: CheckpointKeeper, _ shared: SharedStates, _ path: SharedPath, _ trace: TraceFile,
    from earlier: Checkpoint?, isShared: Bool = false
  ) throws -> FinishedPicture {
    let settings = running.job.settings
    let (observe, stopRequest, deadline) = (observe, stopRequest, deadline)
    var isResumeReported = earlier == nil
    generator.askWithin { stopRequest() != nil || deadline(running.job) != nil }
    let picture = try generator.make(settings, resuming: earlier?.state) { progress, state in
      if !isResumeReported, let state {
        isResumeReported = true
        observe(isShared ? .shared(running, step: state.step) : .resumed(running, step: state.step))
      }
      trace.note(progress)
      observe(.progress(running, progress))
      try shared.note(path, state, progress)
      let reason = stopRequest()
      let lateness = deadline(running.job)
      try keeper.note(state, progress, isStopping: reason != nil || lateness != nil)
      if let reason { throw StopRequested(reason) }
      if let lateness { throw DeadlinePassed(description: lateness) }
    }
    let (width, height) = (picture.image.width, picture.image.height)
    guard width == settings.finalWidth, height == settings.finalHeight else {
      throw RunError.wrongSize(
        found: "\(width)x\(height)", expected: "\(settings.finalWidth)x\(settings.finalHeight)")
    }
    return picture
  }

  /// The name of the image's files without their extensions: the old name if it is made again, otherwise a name that no other
  /// image has.
  private func stem(_ planned: IdentifiedJob, _ journal: Journal, taken stems: Set<String>) -> String {
    if let noted = journal.index.images[planned.id] { return RunFolder.stem(of: noted.file) }
    let stem = RunFolder.imageStem(planned.job, planned.id)
    return stems.contains(stem) ? RunFolder.imageStem(planned.job, planned.id, digits: 64) : stem
  }

  private func publish(
    _ picture: FinishedPicture, _ planned: IdentifiedJob, _ stem: String, _ started: Timestamp,
    _ keeper: CheckpointKeeper
  ) throws -> FinishedImage {
    let infotext = infotext(planned)
    let encodings = planned.job.settings.encodings
    let bytes = ImageBytes(picture.image, infotext: infotext, faces: picture.faces)
    // Another process may have replaced the folder in the meantime.
    try folderAccess.check()
    // The folder of an image that is made again may no longer exist.
    try disk.makeFolder(ofFile: folder.file(stem), below: folder.images)
    if planned.job.settings.savesBeforeFaces, let before = picture.before {
      _ = try ImageBytes(before, infotext: infotext, faces: nil)
        .write(as: [encodings[0]], to: RunFolder.nameBeforeFaces(stem), in: folder, on: disk)
    }
    let files = try bytes.write(as: encodings, to: stem, in: folder, on: disk)
    return FinishedImage(
      id: planned.id, index: planned.job.index, file: files[0].file, mark: files[0].mark, sha256: files[0].sha256,
      pixelsSHA256: bytes.pixelsSHA256, started: started, seconds: keeper.seconds, infotext: infotext,
      faces: picture.faces, identity: planned.identity, encoding: files[0].encoding, others: Array(files.dropFirst()))
  }

  private func infotext(_ planned: IdentifiedJob) -> String {
    Infotext(planned.job.settings, planned.ingredients, version: generator.description.version).text
  }
}

/// What to do when a job fails.
public enum FailurePolicy: Sendable {
  /// Note it in the journal, and continue with the next job.
  case goOn
  /// Note it in the journal, and stop the run.
  case stop
}

/// Which jobs to do.
public enum JobSelection: Sendable {
  /// Jobs whose image is missing.
  case unfinished
  /// Jobs whose last try ended in an error.
  case failed
}

/// A job took longer than its deadline allows.
private struct DeadlinePassed: Error, CustomStringConvertible {
  var description: String
}

extension RunError {
  /// Whether the error concerns only one job, and not the run folder.
  fileprivate var isOfOneJob: Bool {
    if case .wrongSize = self { true } else { false }
  }
}
