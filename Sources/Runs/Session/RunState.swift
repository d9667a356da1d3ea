import Settings

/// Where every job of a plan stands while the run goes on.
struct RunState<Jobs: Sequence> where Jobs.Element == Job {
  let plan: IdentifiedPlan<Jobs>
  /// Why the run ends with work left.
  var stop: StopReason?
  private(set) var imagesMade = 0
  /// By the place of the job that makes the picture.
  private var states: [JobState]
  private var isTried: [Bool]
  /// By batch.
  private var toDo: [Int]
  private var imagesToMake = 0
  private var stepsToMake = 0
  private var begun = 0
  /// By the place of the job that makes the picture, whether that is for this run to do.
  private let owned: [Bool]

  /// - Parameters:
  ///   - plan: The plan.
  ///   - shard: The part that this run does; nothing for all.
  init(_ plan: IdentifiedPlan<Jobs>, shard: Shard?) {
    self.plan = plan
    owned = plan.places(of: shard)
    states = Array(repeating: .pending, count: plan.count)
    isTried = Array(repeating: false, count: plan.count)
    toDo = Array(repeating: 0, count: plan.batchCount)
  }

  // MARK: Before the work

  /// Notes where a job stands that this run will do, unless it is done.
  mutating func find(_ state: JobState, _ settings: ImageSettings, at place: Int) {
    states[place] = state
    if state == .done { return }
    toDo[plan.batch(place)] += 1
    imagesToMake += 1
    stepsToMake += settings.allSteps
  }

  /// Notes where a job stands that this run leaves alone.
  mutating func leave(_ state: JobState, at place: Int) {
    states[place] = state
    isTried[place] = true
  }

  func start(in folder: RunFolder) -> RunStart {
    RunStart(folder: folder.path, counts: counts, imagesToMake: imagesToMake, stepsToMake: stepsToMake)
  }

  // MARK: The work

  func hasWork(_ batch: Int) -> Bool { toDo[batch] > 0 }

  /// Whether this run has yet to make the picture of this job, which is one of this batch.
  func isToDo(_ place: Int, _ batch: Int) -> Bool {
    plan.batch(place) == batch && isOwn(place) && states[place] != .done && !isTried[place]
  }

  mutating func begin(_ planned: IdentifiedJob) -> RunningJob {
    begun += 1
    return RunningJob(job: planned.job, id: planned.id, number: begun, count: imagesToMake)
  }

  mutating func finish(_ state: JobState, at place: Int) {
    states[place] = state
    isTried[place] = true
    toDo[plan.batch(place)] -= 1
    if state == .done { imagesMade += 1 }
  }

  /// Notes that the picture is there after all, made by another process.
  mutating func adopt(_ place: Int) {
    states[place] = .done
    isTried[place] = true
    toDo[plan.batch(place)] -= 1
    imagesToMake -= 1
  }

  /// Whether nothing is left to try.
  var isComplete: Bool { toDo.allSatisfy { $0 == 0 } }

  // MARK: After the work

  func state(_ place: Int) -> JobState { states[Int(plan.firsts[place])] }

  /// Whether the picture of this job is for this run to make.
  func isOfThisRun(_ place: Int) -> Bool { owned[Int(plan.firsts[place])] }

  /// Whether it is, and this is the first job with this picture.
  func isOwn(_ place: Int) -> Bool { owned[place] && plan.isFirst(place) }

  /// Where the jobs stand whose pictures are this run's.
  var counts: RunCounts {
    var counts = RunCounts()
    for place in 0..<plan.count where isOfThisRun(place) { counts.count(state(place)) }
    return counts
  }

  func ending(isAborted: Bool) -> RunEnding {
    if isAborted { return .aborted }
    // Without a reason to stop: the run was to do failed jobs only.
    if stop != nil || counts.pending > 0 { return .stopped }
    return counts.failed > 0 ? .failed : .done
  }

  /// Every job in order, and where it stands.
  var plannedWithStates: some Sequence<(IdentifiedJob, JobState)> {
    plan.planned.enumerated().lazy.map { place, planned in (planned, state(place)) }
  }
}
