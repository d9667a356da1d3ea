import Foundation
import Recipes
import Runs

/// Finds the run folders that the arguments of `status` mean.
enum RunSearch {
  /// How many levels of folders a search reads.
  private static let depth = 4

  /// The runs of a path: a run folder itself, the runs in a folder, or the run of a recipe.
  ///
  /// - Parameter path: A run folder, a folder with runs somewhere below it, or a recipe.
  /// - Returns: Run folders; the names of runs in a folder are relative to it.
  /// - Throws: `RunError.noRun` if there is none, or what is wrong with the recipe.
  static func runs(_ path: String) throws -> [(name: String, folder: RunFolder)] {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    if exists, !isFolder.boolValue {
      let folder = RunFolder(try RecipeOptions.read(path).output)
      guard folder.isRun, access(folder.plan, F_OK) == 0 else { throw NotRunYet(recipe: path, folder: folder.path) }
      return [(path, folder)]
    }
    let folder = RunFolder(path)
    if folder.isRun { return [(path, folder)] }
    let below = below(folder.path, "", depth)
    guard !below.isEmpty else { throw RunError.noRun(path: folder.path) }
    return below
  }

  private static func below(_ path: String, _ prefix: String, _ depth: Int) -> [(name: String, folder: RunFolder)] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    var found: [(String, RunFolder)] = []
    for name in names.sorted(by: { $0.localizedStandardCompare($1) == .orderedAscending }) where !name.hasPrefix(".") {
      let folder = RunFolder("\(path)/\(name)")
      if access(folder.plan, F_OK) == 0, folder.isRun {
        found.append((prefix + name, folder))
      } else if depth > 1 {
        var status = stat()
        // Links may form cycles.
        guard lstat(folder.path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { continue }
        found += below(folder.path, prefix + name + "/", depth - 1)
      }
    }
    return found
  }
}

/// A recipe that has not been run yet.
struct NotRunYet: InputFailure, CustomStringConvertible {
  let recipe: String
  let folder: String

  var description: String { "\(recipe) has not been run yet: \(folder) is not a run folder" }
}
