import Foundation
import Runs

/// A run that starts every night.
struct NightlyTask {
  /// Distinguishes it from other tasks of this user: `[a-z0-9-]`.
  let name: String
  /// The program.
  let program: String
  /// The recipe; absolute.
  let recipe: String
  /// The folder that relative output paths refer to.
  let folder: String
  /// Options of the run.
  let arguments: [String]
  /// The time of day at which it starts.
  let time: TimeOfDay

  /// The command line.
  var words: [String] { [program, recipe] + arguments }

  /// A name that is derived from the name of a recipe's file.
  static func name(of recipe: String) -> String {
    let stem = ((recipe as NSString).lastPathComponent as NSString).deletingPathExtension.lowercased()
    let name = stem.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
    return name.isEmpty ? "recipe" : String(name)
  }
}

/// Why a task cannot be installed.
struct NightlyTaskError: InputFailure, CustomStringConvertible {
  var description: String

  init(_ description: String) { self.description = description }
}
