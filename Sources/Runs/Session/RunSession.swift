import Foundation
import JSON
import Settings

/// Carries out a recipe in a run folder, from the check before anything is written to the last announcement. Each step is
/// durable before the next begins.
///
/// The order for a complete run: plan and check -> lock -> seeds -> response documents -> `Runner` (plan, journal, images,
/// manifest) -> the rest of the responses -> contact sheet -> page -> announcements -> unlock. A shard takes no lock; it does
/// only the first part and the `Runner`'s part. `collect` does the rest once for all shards.
///
/// What the session needs from outside is in `planner` and in its variables, which do nothing by default.
public struct RunSession<Generator: ImageGenerator, Planner: RunPlanner> {
  /// What to do, and how.
  public struct Options: Sendable {
    /// The part of the plan to do; nil for all of it.
    public var shard: Shard?
    /// Which jobs to do.
    public var selection = JobSelection.unfinished
    /// What to do when a job fails.
    public var failurePolicy = FailurePolicy.goOn
    /// The time between two saves of the unfinished image; zero saves it after every step.
    public var checkpointInterval = Duration.betweenCheckpoints
    /// What to do with images that were made with another instruction set or precision.
    public var otherImages = OtherImagePolicy.refuse
    /// Whether images of a nightly series that were forgotten or deleted are made again.
    public var remakesForgotten = false
    /// How long to wait if another run is using the folder.
    public var lockPatience = Duration.zero

    /// The defaults of the `run` command.
    public init() {}
  }

  /// Reports the ingredients of a job; asks the generator by default.
  public var ingredients: (ImageSettings) throws -> JobIngredients
  /// Returns why the run must stop; asked during the check, while it waits for the lock, and before every step.
  public var stopRequest: () -> StopReason? = { nil }
  /// Called once if the session has to wait for the lock, with the text that the other process wrote into it.
  public var isWaiting: (_ owner: String) -> Void = { _ in }
  /// Called when the check has passed and the lock is held, before anything is written.
  public var workBegins: () -> Void = {}
  /// Called with what was planned, to print warnings; not called if the plan in the folder is used instead.
  public var reportPlan: (Planner.Source) -> Void = { _ in }
  /// Called with a description if images made with another instruction set or precision are kept or made again.
  public var reportOtherImages: (String) -> Void = { _ in }
  /// Called with a description if images of a nightly series were forgotten, deleted or put back.
  public var reportForgotten: (String) -> Void = { _ in }
  /// Makes the observer of the run; the lock is nil for a shard.
  public var observer: (RunLock?) -> (any RunObserver)? = { _ in nil }
  /// Makes the object that answers requests for the images.
  public var answers: (Planner.Source, JobList) throws -> (any RunAnswers)? = { _, _ in nil }
  /// The images in other run folders; nil to make every image.
  public var store: ImageStore?
  /// Makes the contact sheet and the page; nil for a run without them.
  public var views: (any RunViews)?
  /// Called at the end, also after a run that failed, while the lock is still held.
  public var workEnds: () -> Void = {}

  private let generator: Generator
  private let planner: Planner
  private let folder: RunFolder
  private let options: Options
  private let disk: Disk

  /// A session.
  ///
  /// - Parameters:
  ///   - generator: Makes the images.
  ///   - planner: Plans the jobs.
  ///   - folder: The run folder.
  ///   - options: What to do, and how.
  ///   - disk: The disk.
  public init(
    _ generator: Generator, _ planner: Planner, in folder: RunFolder, _ options: Options = Options(),
    on disk: Disk = Disk()
  ) {
    self.generator = generator
    self.planner = planner
    self.folder = folder
    self.options = options
    self.disk = disk
    ingredients = { [generator] in try generator.ingredients(for: $0) }
  }

  /// Does the work.
  ///
  /// - Returns: How the run ended.
  /// - Throws: What the planner, the generator or a part from outside throws; `StopRequested` before the work begins; or
  ///   `RunError`. Nothing is written if the check fails.
  public func run() throws -> RunOutcome {
    try folder.checkIsUsable()
    if let shard = options.shard { return try run(shard) }
    return try runWhole()
  }

  // MARK: A whole run

  private func runWhole() throws -> RunOutcome {
    let stored = try planner.storedSeeds(in: folder)
    var seeds = stored
    var source = try planner.plan(&seeds)
    var jobs = try identify(source.jobs)

    let lock = try RunLock(
      folder, patience: options.lockPatience, on: disk, stopRequest: stopRequest, isWaiting: isWaiting)
    // Until everything is written, including the contact sheet.
    defer { withExtendedLifetime(lock) {} }
    defer { workEnds() }
    workBegins()
    // Another run may have drawn seeds since these were read.
    let current = try planner.storedSeeds(in: folder)
    if current != stored {
      seeds = current
      source = try planner.plan(&seeds)
      jobs = try identify(source.jobs)
    }
    jobs = try jobs.settled(in: folder, options.otherImages, report: reportOtherImages)
    jobs = try forget(jobs, source)
    reportPlan(source)
    try SeedFile.write(seeds, to: folder, on: disk)
    let answers = try answers(source, jobs)
    let outcome: RunOutcome
    var unanswered: (any InputFailure)?
    do {
      outcome = try work(RunPlan(jobs: jobs, source), answers, lock)
      do {
        try answers?.close(outcome.stop)
      } catch let failure as any InputFailure {
        // Some responses could not be written. Write the others, since the images exist.
        unanswered = failure
      }
    } catch {
      // If possible, the page should say that the run has ended.
      if lock.isHeld { try? views?.refreshPage(patience: .zero) }
      throw error
    }
    try show(outcome)
    answers?.deliver { stopRequest() != nil }
    if let unanswered { throw unanswered }
    return outcome
  }

  /// Leaves out images that are not to be made again, and moves images that the recipe no longer keeps to `trash/`.
  private func forget(_ jobs: JobList, _ source: Planner.Source) throws -> JobList {
    // The responses to requests name their images by the jobs' indices.
    if source.json["requests"] != nil { return jobs }
    let (forgetting, left) = try jobs.forgetting(
      in: folder, keeping: KeepRules(recipe: source.json), remakes: options.remakesForgotten)
    if let forgetting {
      try forgetting.apply(on: disk)
      for line in forgetting.lines { reportForgotten(line) }
    }
    return left
  }

  private func work(_ plan: RunPlan, _ answers: (any RunAnswers)?, _ lock: RunLock) throws -> RunOutcome {
    let observer = observer(lock)
    defer { observer?.close() }
    var runner = Runner(
      generator, lock: lock, on: disk, checkpointInterval: options.checkpointInterval, stopRequest: stopRequest,
      deadline: { answers?.deadline(for: $0) }, store: store
    ) { event in
      answers?.note(event)
      observer?.note(event)
    }
    return try runner.run(plan, only: options.selection, onFailure: options.failurePolicy)
  }

  private func show(_ outcome: RunOutcome) throws {
    guard let views else { return }
    let isComplete = outcome.counts.pending == 0
    if isComplete { try views.makeSheet() }
    // After a stop request, spend at most a second here.
    try views.refreshPage(patience: isComplete ? nil : .seconds(1))
  }

  // MARK: A shard

  private func run(_ shard: Shard) throws -> RunOutcome {
    var plan = try sharedPlan()
    // If the folder has a plan, that plan decides, and differences are reported with it.
    if options.otherImages != .refuse || access(folder.plan, F_OK) != 0 {
      let jobs = try plan.jobs.settled(in: folder, options.otherImages, report: reportOtherImages)
      plan = RunPlan(jobs: jobs, recipe: plan.recipe, recipeText: plan.recipeText)
    }
    defer { workEnds() }
    let observer = observer(nil)
    defer { observer?.close() }
    var runner = Runner(
      generator, shard: shard, in: folder, on: disk, checkpointInterval: options.checkpointInterval,
      stopRequest: stopRequest, store: store, observe: { observer?.note($0) })
    return try runner.run(plan, only: options.selection, onFailure: options.failurePolicy)
  }

  /// The plan that all shards of the folder share.
  ///
  /// The first shard draws the seeds of -1, and all others plan with them. An existing plan counts if the recipe is still the
  /// recipe from which it was made, even if the recipe would have more jobs by now: a nightly series grows at midnight, a plan
  /// does not.
  private func sharedPlan() throws -> RunPlan {
    while true {
      let hasSeeds = access(folder.seeds, F_OK) == 0
      let stored = try planner.storedSeeds(in: folder)
      var seeds = stored
      let source = try planner.plan(&seeds)
      let isNew = !hasSeeds || seeds != stored
      if isNew, let frozen = try frozenJobs(of: source) {
        let jobs = try identify(frozen).withoutForgotten(in: folder)
        workBegins()
        return RunPlan(jobs: jobs, source)
      }
      let jobs = try identify(source.jobs).withoutForgotten(in: folder)
      workBegins()
      if isNew {
        if hasSeeds {
          try SeedFile.write(seeds, to: folder, on: disk)
        } else if try !SeedFile.writeFirst(seeds, to: folder, on: disk) {
          continue
        }
      }
      reportPlan(source)
      return RunPlan(jobs: jobs, source)
    }
  }

  private func frozenJobs(of source: Planner.Source) throws -> [Job]? {
    guard access(folder.plan, F_OK) == 0 else { return nil }
    let (details, jobs) = try PlanFile.read(folder)
    return details?.recipe == source.json ? jobs.map(\.job) : nil
  }

  // MARK: Both

  private func identify(_ jobs: some Sequence<Job>) throws -> JobList {
    try JobList(jobs, stopRequest: stopRequest, ingredients: ingredients)
  }
}

extension RunPlan {
  /// The part of a recipe to carry out.
  public init(jobs: JobList, _ source: some JobSource) {
    self.init(jobs: jobs, recipe: source.json, recipeText: source.recipeText)
  }
}
