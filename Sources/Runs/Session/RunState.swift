import Settings

/// The state of every job of a plan during a run.
struct RunState {
  let jobs: JobList
  /// Why the run ends with work left.
  var stop: StopReason?
  private(set) var imagesMade = 0
  /// By the index of the job that makes the image.
  private var states: [JobState]
  private var isTried: [Bool]
  /// How many images this run still has to try.
  private var left = 0
  private var imagesToMake = 0
  private var stepsToMake = 0
  private var stepsShared = 0
  private var imagesReused = 0
  private var imagesConverted = 0
  private var begun = 0
  /// By the index of the job that makes the image: whether this run makes it.
  private let owned: [Bool]

  /// - Parameters:
  ///   - jobs: The jobs of the plan.
  ///   - shard: The part that this run does; nil for all of it.
  ///   - changes: What takes effect during a job's first pass.
  init(_ jobs: JobList, shard: Shard?, changes: (ImageSettings) -> [CallChange]? = { _ in nil }) {
    self.jobs = jobs
    owned = jobs.isOwned(by: shard, changes: changes)
    states = Array(repeating: .pending, count: jobs.count)
    isTried = Array(repeating: false, count: jobs.count)
  }

  // MARK: Before the work

  /// Notes the state of a job that this run does, unless it is done.
  mutating func find(_ state: JobState, _ settings: ImageSettings, at index: Int) {
    states[index] = state
    if state == .done { return }
    left += 1
    imagesToMake += 1
    stepsToMake += settings.allSteps
  }

  /// Notes the state of a job that this run does not do.
  mutating func leave(_ state: JobState, at index: Int) {
    states[index] = state
    isTried[index] = true
  }

  /// Notes how many steps of each image an earlier image shares with it.
  ///
  /// - Parameters:
  ///   - work: The jobs to do.
  ///   - known: The points whose states an earlier run left.
  mutating func share(_ work: SharedWork, known: Set<Int>) {
    let starts = work.starts(of: work.order, known: known)
    if starts.isEmpty { return }
    for (index, job) in jobs.jobs.enumerated() {
      if let start = starts[index] { stepsShared += start.steps(of: job.settings) }
    }
    stepsToMake -= stepsShared
  }

  func start(in folder: RunFolder) -> RunStart {
    RunStart(
      folder: folder.path, counts: counts, imagesToMake: imagesToMake, stepsToMake: stepsToMake,
      stepsShared: stepsShared, imagesReused: imagesReused, imagesConverted: imagesConverted)
  }

  // MARK: The work

  /// The jobs to do, in the order of the work, and what they have in common.
  ///
  /// - Parameter changes: What takes effect during a job's first pass.
  /// - Returns: The work.
  func work(changes: (ImageSettings) -> [CallChange]?) -> SharedWork {
    jobs.sharedWork(changes: changes) { owned[$0] && states[$0] != .done && !isTried[$0] }
  }

  mutating func begin(_ job: IdentifiedJob) -> RunningJob {
    begun += 1
    return RunningJob(job: job.job, id: job.id, number: begun, count: imagesToMake)
  }

  mutating func finish(_ state: JobState, at index: Int) {
    states[index] = state
    isTried[index] = true
    left -= 1
    if state == .done { imagesMade += 1 }
  }

  /// Notes that another process made the image in the meantime.
  mutating func adopt(_ index: Int) {
    states[index] = .done
    isTried[index] = true
    left -= 1
    imagesToMake -= 1
  }

  /// Notes that the image was taken from another run folder.
  mutating func reuse(_ settings: ImageSettings, at index: Int) {
    adopt(index)
    imagesReused += 1
    stepsToMake -= settings.allSteps
  }

  /// Notes that the image's files were made from one in another format.
  mutating func convert(_ settings: ImageSettings, at index: Int) {
    adopt(index)
    imagesConverted += 1
    stepsToMake -= settings.allSteps
  }

  /// Whether this run makes the image of this job.
  func isToMake(_ index: Int) -> Bool { isOwn(index) && states[index] != .done && !isTried[index] }

  /// Whether nothing is left to try.
  var isComplete: Bool { left == 0 }

  // MARK: After the work

  func state(_ index: Int) -> JobState { states[Int(jobs.firsts[index])] }

  /// The state of each job.
  var all: some Sequence<JobState> { jobs.ids.indices.lazy.map(state) }

  /// Whether the image of this job belongs to this run.
  func isOfThisRun(_ index: Int) -> Bool { owned[Int(jobs.firsts[index])] }

  /// Whether it does, and this is the first job with this image.
  func isOwn(_ index: Int) -> Bool { owned[index] && jobs.isFirst(index) }

  /// The states of the jobs whose images belong to this run.
  var counts: RunCounts {
    var counts = RunCounts()
    for index in 0..<jobs.count where isOfThisRun(index) { counts.count(state(index)) }
    return counts
  }

  func ending(isAborted: Bool) -> RunEnding {
    if isAborted { return .aborted }
    // There was no reason to stop: the run was asked to do failed jobs only.
    if stop != nil || counts.pending > 0 { return .stopped }
    return counts.failed > 0 ? .failed : .done
  }

  /// Every job in order with its state.
  var identifiedWithStates: some Sequence<(IdentifiedJob, JobState)> {
    jobs.identified.enumerated().lazy.map { index, job in (job, state(index)) }
  }
}
