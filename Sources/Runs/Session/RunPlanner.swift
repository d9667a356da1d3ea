import JSON
import Settings

/// Plans the jobs of a run.
public protocol RunPlanner {
  /// The numbers drawn for seeds of -1; the run folder keeps them.
  associatedtype Seeds: Codable & Equatable
  /// The result of planning.
  associatedtype Source: JobSource

  /// The draws that a run folder keeps, as far as this run uses them; empty for a new folder.
  ///
  /// - Parameter folder: The run folder.
  /// - Returns: The draws.
  /// - Throws: `RunError` for a file that cannot be read.
  func storedSeeds(in folder: RunFolder) throws -> Seeds

  /// Plans the jobs.
  ///
  /// - Parameter seeds: Earlier draws; new draws are added.
  /// - Returns: The jobs.
  /// - Throws: What is wrong with the recipe.
  func plan(_ seeds: inout Seeds) throws -> Source
}

/// The jobs that a recipe results in.
public protocol JobSource {
  /// The jobs.
  associatedtype Jobs: Sequence<Job>

  /// The jobs in written order; every loop over them gives the same jobs.
  var jobs: Jobs { get }
  /// The recipe as the manifest shows it: an object.
  var json: JSONValue { get }
  /// The effective recipe, for `recipe.yaml`; nil if there is none.
  var recipeText: String? { get }
}
