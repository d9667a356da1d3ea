import Foundation
import Runs

/// What is to be started every night.
struct NightlyTask {
  /// Distinguishes it from other tasks of this user: `[a-z0-9-]`.
  let name: String
  /// The program.
  let program: String
  /// The recipe; absolute.
  let recipe: String
  /// The folder that relative outputs are in.
  let folder: String
  /// Options of the run.
  let arguments: [String]
  /// When.
  let time: TimeOfDay

  /// The command line.
  var words: [String] { [program, recipe] + arguments }

  /// A name made from that of a recipe's file.
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
