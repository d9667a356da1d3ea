import ArgumentParser
import DemoModel
import Foundation
import Recipes
import Runs
import TensorFiles

/// The arguments of the commands that read a recipe.
struct RecipeOptions: ParsableArguments {
  @Argument(help: "The recipe, a YAML file; or a txt2img request (.json), a list (.jsonl), or a folder of both.")
  var recipe: String

  @Option(name: .customLong("set"), help: "Replace a value, and the axis of that key: --set steps=10. May be repeated.")
  var overrides: [String] = []

  @Option(help: "The run folder (default: the recipe's output, else Output/ and the recipe's name).")
  var output: String?

  @Option(help: "The precision: auto, fp32, bf16 or int8; short for --set precision=.")
  var precision: String?

  @Option(help: "The most memory to use, such as 2.5GiB; short for --set memory_limit=.")
  var memoryLimit: String?

  func validate() throws {
    if output?.isEmpty == true { throw ValidationError("--output takes a path") }
  }

  /// Reads the recipe and prints its warnings.
  func read() throws -> Recipe {
    let short = [("precision", precision), ("memory_limit", memoryLimit)]
    return try Self.read(recipe, overrides: overrides + short.compactMap { key, value in value.map { "\(key)=\($0)" } })
  }

  /// Reads a recipe and prints its warnings.
  static func read(_ path: String, overrides: [String] = []) throws -> Recipe {
    let recipe = try RecipeReader(environment: .ofProcess).read(path: path, overrides: overrides)
    for warning in recipe.warnings { Console.diagnostics("\(warning)") }
    return recipe
  }

  func folder(_ recipe: Recipe) -> RunFolder { RunFolder(output ?? recipe.output) }

}

extension PlanningEnvironment {
  /// The environment of this process, read once, so that a run past midnight stays one run.
  static let ofProcess: PlanningEnvironment = {
    let variables = ProcessInfo.processInfo.environment
    var environment = PlanningEnvironment(
      variables: variables, demoWidth: DemoModel.nativeSize, demoHeight: DemoModel.nativeSize)
    let digests = DigestCache(environment: variables)
    environment.hashes = { path in
      ModelHashes(old: ModelInspection.oldHash(path), sha256: { try? digests.sha256(ofFileAt: path) })
    }
    return environment
  }()
}
