import ArgumentParser
import Diffusion
import Foundation
import JSON
import Recipes
import Runs
import Settings

/// The plan that all shards of a folder have in common.
///
/// Whoever comes first draws the seeds of -1; all others plan with them. Where a plan is there already and the recipe is
/// still the one that it was made from, its jobs count, even if the recipe would come to more by now: a series of
/// nightly seeds grows at midnight, a plan does not.
struct SharedPlan {
  let jobs: AnySequence<Job>
  /// What was planned, as the manifest shows it.
  let json: JSONValue
  private(set) var warnings: [Diagnostic] = []

  /// Plans a recipe, or finds out what was planned.
  ///
  /// Throws `RecipeErrors`, or `RunError` where the folder cannot be read or written.
  init(_ recipe: Recipe, in folder: RunFolder) throws {
    while true {
      let stored = try SeedFile.read(SeedDraws.self, from: folder)
      var seeds = stored ?? SeedDraws()
      let plan = try Plan(recipe: recipe, environment: .ofProcess, seeds: &seeds)
      if seeds != stored {
        if let frozen = try Self.frozenJobs(of: plan, in: folder) {
          jobs = AnySequence(frozen)
          json = plan.json
          return
        }
        if stored != nil {
          try SeedFile.write(seeds, to: folder)
        } else if try !SeedFile.writeFirst(seeds, to: folder) {
          continue
        }
      }
      jobs = AnySequence(plan.jobs)
      json = plan.json
      warnings = plan.warnings
      return
    }
  }

  /// Writes a plan and its seeds down before the first shard begins; it replaces one that is there.
  static func freeze(_ plan: Plan, of recipe: Recipe, _ seeds: SeedDraws, in folder: RunFolder, _ engine: Engine) throws
  {
    let lock = try RunLock(folder)
    try SeedFile.write(seeds, to: folder)
    try PlanFile.freeze(
      RunPlan(jobs: plan.jobs, recipe: plan.json, recipeText: recipe.copyText), engine, lock)
  }

  private static func frozenJobs(of plan: Plan, in folder: RunFolder) throws -> [Job]? {
    guard access(folder.plan, F_OK) == 0 else { return nil }
    let (details, jobs) = try PlanFile.read(folder)
    return details?.recipe == plan.json ? jobs.map(\.job) : nil
  }
}

extension Shard: ExpressibleByArgument {
  /// `2/50`.
  public init?(argument: String) { self.init(argument) }
}
