import ArgumentParser
import Diffusion
import Foundation
import JSON
import Recipes
import Runs
import Settings

/// `sdbatch why DIR [JOB]`
struct WhyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "why",
    abstract: "Explain why the next run would make or skip a job.",
    discussion: """
      The jobs come from the folder's plan, or with --recipe, from this recipe; the present state of the models counts. \
      Without JOB, all jobs that would run are listed.

      Exit codes: 0 the reasons are known; 10 not a run folder, the recipe cannot be used, or a damaged file in the folder would make \
      the next run end with 10, which is reported after the reasons.
      """)

  @Argument(help: "The run folder, such as Output/fish.", completion: .directory)
  var folder: String

  @Argument(help: "A job: its number in the plan, the first digits of its identity, or the name of its image.")
  var job: String?

  @Option(help: "Explain what this recipe would run.")
  var recipe: String?

  @Option(help: "How many jobs to list.")
  var jobs = 20

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    if jobs < 0 { throw ValidationError("--jobs takes a number from 0 on") }
  }

  func run() throws {
    let folder = RunFolder(folder)
    try explain(folder)
    if let obstacle = folder.obstacles().first { throw obstacle }
  }

  private func explain(_ folder: RunFolder) throws {
    let finder = try JobReasons(
      folder, version: SDBatch.version, store: ImageStore(environment: ProcessInfo.processInfo.environment))
    let engine = try Engine.forCommand(threads: 1)
    let current = try currentJobs(folder, engine)
    let reasons = try finder.reasons(try job.map { [try finder.job(named: $0, in: current.jobs)] } ?? current.jobs)
    let running = reasons.filter(\.runs)
    let counts = JobReasons.counts(reasons)
    if json {
      let shown = job == nil ? running : reasons
      Console.output(
        json: JSONValue.object([
          JSONMember("folder", .string(folder.path)), JSONMember("jobs", .integer(Int64(current.jobs.count))),
          JSONMember("runs", .integer(Int64(running.count))),
          JSONMember(
            "counts",
            [
              "total": .integer(Int64(counts.total)), "done": .integer(Int64(counts.done)),
              "failed": .integer(Int64(counts.failed)), "pending": .integer(Int64(counts.pending)),
            ]),
          JSONMember("problems", .array(current.problems.map { .string($0) })),
          JSONMember("reasons", .array(shown.map(\.json))),
        ]).jsonText)
      return
    }
    for problem in current.problems { Console.output(problem) }
    guard job == nil else {
      for reason in reasons { Console.output(text: reason.text) }
      return
    }
    for reason in running.prefix(jobs) { Console.output(text: reason.text) }
    if running.count > jobs { Console.output("... and \(running.count - jobs) more") }
    let rest =
      counts.done + running.count == counts.total || counts.total == 0
      ? "the others exist"
      : "\(counts.done) exist, and \(counts.total - counts.done - running.count) are not tried again"
    Console.output("\(folder.path): \(running.count) of \(reasons.count) jobs will run, \(rest)")
  }

  /// The jobs with their present ingredients, and why these are unknown for some jobs.
  private func currentJobs(_ folder: RunFolder, _ engine: Engine) throws -> (jobs: [IdentifiedJob], problems: [String])
  {
    var problems: [String] = []
    var known: [ImageSettings.IngredientsKey: Result<JobIngredients, any Error>] = [:]
    func ingredients(_ settings: ImageSettings) -> JobIngredients? {
      let key = settings.ingredientsKey
      if known[key] == nil {
        let result = Result { try engine.ingredients(for: settings) }
        known[key] = result
        if case .failure(let error) = result {
          problems.append("the next run would end here: \(ExitStatus.message(error))")
        }
      }
      return try? known[key]?.get()
    }
    if let recipe {
      var seeds = try SeedFile.read(SeedDraws.self, from: folder) ?? SeedDraws()
      let plan = try Plan(recipe: try RecipeOptions.read(recipe), environment: .ofProcess, seeds: &seeds)
      let jobs = plan.jobs.compactMap { job in
        ingredients(job.settings).map { IdentifiedJob(id: JobID(job.settings, $0), job: job, ingredients: $0) }
      }
      return (jobs, problems)
    }
    let jobs = try PlanFile.read(folder).jobs.map { planned in
      guard let now = ingredients(planned.job.settings) else { return planned }
      return IdentifiedJob(id: JobID(planned.job.settings, now), job: planned.job, ingredients: now)
    }
    return (jobs, problems)
  }
}
