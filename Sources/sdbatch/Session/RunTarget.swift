import Foundation
import JSON
import Recipes
import Runs
import Settings

/// One run that the command line asks for: a recipe or requests, or a run folder to continue.
struct RunTarget {
  /// The source of the plan.
  enum Source {
    case recipe(Recipe)
    case frozen(FrozenRun)
  }

  let source: Source
  /// The run folder.
  let folder: RunFolder
  /// The recipe or the folder, as the command line or the list of a folder names it.
  let path: String

  /// Where the recipe says to report the run.
  var notify: RecipeNotify? {
    switch source {
    case .recipe(let recipe): recipe.notify
    case .frozen(let run): run.notify
    }
  }

  /// Plans the run.
  ///
  /// - Parameter seeds: Earlier draws; new draws are added.
  /// - Returns: The jobs.
  /// - Throws: What is wrong with the recipe.
  func plan(_ seeds: inout SeedDraws) throws -> PlannedRun {
    switch source {
    case .recipe(let recipe): PlannedRun(try Plan(recipe: recipe, environment: .ofProcess, seeds: &seeds))
    case .frozen(let run): PlannedRun(run)
    }
  }
}

/// A run folder whose plan is continued, even if the recipe was changed or deleted.
struct FrozenRun {
  let details: RunDetails
  let jobs: [Job]
  /// Where to announce the run; a run folder stores only addresses without secrets.
  let webhook: RecipeWebhook?
  let notify: RecipeNotify?
  let warnings: [Diagnostic]
  /// Whether the jobs belong to requests; answers need the requests themselves.
  let isOfRequests: Bool

  /// Reads the plan of a folder; nil if the folder has no readable plan. Also nil if its recipe.yaml was changed since then:
  /// that file is then the recipe of the run.
  init?(_ folder: RunFolder) {
    guard let (details, planned) = try? PlanFile.read(folder), let details,
      // A damaged plan counts as none.
      planned.enumerated().allSatisfy({ offset, planned in
        offset == planned.job.index && planned.id == JobID(planned.job.settings, planned.ingredients)
      })
    else { return nil }
    self.details = details
    jobs = planned.map(\.job)
    isOfRequests = details.recipe["requests"] != nil
    guard !isOfRequests, let text = try? FileReader.bytes(of: folder.recipe) else {
      (webhook, notify, warnings) = (nil, nil, [])
      return
    }
    guard let copy = try? RecipeCopy(text: text, path: folder.recipe),
      copy.json.jsonText == details.recipe.jsonText
    else { return nil }
    (webhook, notify, warnings) = (copy.webhook, copy.notify, copy.warnings)
  }
}

/// The jobs of a run, and the properties of the recipe that its parts need.
struct PlannedRun: JobSource {
  private(set) var jobs: AnySequence<Job>
  let json: JSONValue
  let recipeText: String?
  /// The number of jobs.
  private(set) var count: Int
  /// The sampling steps of all jobs in total.
  private(set) var totalSteps: Int
  /// The axes; none for a run that is continued, since its cells show them.
  let axes: [PlanAxis]
  let warnings: [Diagnostic]
  /// The requests to answer; nil for a recipe.
  let requests: [PlannedRequest]?
  /// Where to announce the run.
  let webhook: RecipeWebhook?

  /// A recipe's plan.
  init(_ plan: Plan) {
    jobs = AnySequence(plan.jobs)
    json = plan.json
    recipeText = plan.recipe.copyText
    (count, totalSteps, axes, warnings) = (plan.count, plan.totalSteps, plan.axes, plan.warnings)
    (requests, webhook) = (plan.requests, plan.recipe.webhook)
  }

  /// The plan of a run folder.
  init(_ run: FrozenRun) {
    jobs = AnySequence(run.jobs)
    json = run.details.recipe
    // The copy in the folder stays.
    recipeText = nil
    count = run.jobs.count
    totalSteps = run.jobs.reduce(0) { $0 + $1.settings.allSteps }
    (axes, warnings) = ([], [])
    (requests, webhook) = (nil, run.webhook)
  }

  /// The plan of the first job alone, with this many steps.
  func firstJob(steps: Int) -> PlannedRun {
    var plan = self
    plan.jobs = AnySequence(
      jobs.prefix(1).map { job in
        var job = job
        job.settings.steps = steps
        return job
      })
    plan.count = 1
    plan.totalSteps = steps
    return plan
  }

  /// The plan with the jobs of a list, which may leave out some.
  func with(_ list: JobList) -> PlannedRun {
    if list.count == count { return self }
    var plan = self
    plan.jobs = list.jobs
    plan.count = list.count
    plan.totalSteps = list.jobs.reduce(0) { $0 + $1.settings.allSteps }
    return plan
  }

  /// Writes the plan and its seeds before the first shard begins.
  ///
  /// - Parameters:
  ///   - seeds: The seeds that were drawn for the plan.
  ///   - folder: The run folder.
  ///   - list: The jobs with their identities.
  ///   - engine: The engine that makes the images.
  /// - Throws: `RunError`.
  func freeze(_ seeds: SeedDraws, in folder: RunFolder, _ list: JobList, _ engine: EngineDescription) throws {
    try PlanFile.freeze(RunPlan(jobs: list, self), seeds, engine, in: folder)
  }
}
