import ArgumentParser
import Recipes
import Runs

/// Plans what the command line asks for.
struct RecipePlanner: RunPlanner {
  let target: RunTarget
  /// Whether seeds of -1 are drawn again; seeds of a nightly series stay.
  let drawsNewSeeds: Bool

  func storedSeeds(in folder: RunFolder) throws -> SeedDraws {
    if drawsNewSeeds { return ((try? SeedFile.read(SeedDraws.self, from: folder)) ?? nil)?.nights ?? SeedDraws() }
    return try SeedFile.read(SeedDraws.self, from: folder) ?? SeedDraws()
  }

  func plan(_ seeds: inout SeedDraws) throws -> PlannedRun { try target.plan(&seeds) }
}

extension Shard: ExpressibleByArgument {
  /// `2/50`.
  public init?(argument: String) { self.init(argument) }
}
