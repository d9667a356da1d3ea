import ArgumentParser
import Diffusion
import Recipes
import Runs
import Settings

/// Plans a recipe for a run.
struct RecipePlanner: RunPlanner {
  let recipe: Recipe
  /// Whether seeds of -1 are drawn again; those of a nightly series stay.
  let drawsNewSeeds: Bool

  func storedSeeds(in folder: RunFolder) throws -> SeedDraws {
    if drawsNewSeeds { return ((try? SeedFile.read(SeedDraws.self, from: folder)) ?? nil)?.nights ?? SeedDraws() }
    return try SeedFile.read(SeedDraws.self, from: folder) ?? SeedDraws()
  }

  func plan(_ seeds: inout SeedDraws) throws -> Plan {
    try Plan(recipe: recipe, environment: .ofProcess, seeds: &seeds)
  }
}

extension Plan: JobSource {
  /// The effective recipe; nil for requests.
  public var recipeText: String? { recipe.copyText }

  /// Writes the plan and its seeds before the first shard begins.
  ///
  /// - Parameters:
  ///   - seeds: What was drawn for the plan.
  ///   - folder: The run folder.
  ///   - engine: Reports what the jobs are made from.
  /// - Throws: Why a model cannot be used, or `RunError`.
  func freeze(_ seeds: SeedDraws, in folder: RunFolder, _ engine: Engine) throws {
    let list = try JobList(jobs) { try engine.ingredients(for: $0) }
    try PlanFile.freeze(RunPlan(jobs: list, self), seeds, engine.description, in: folder)
  }
}

extension Shard: ExpressibleByArgument {
  /// `2/50`.
  public init?(argument: String) { self.init(argument) }
}
