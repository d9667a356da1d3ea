import ArgumentParser
import DemoModel
import Diffusion
import Foundation
import Recipes
import Runs
import Settings
import Synchronization
import TensorFiles

/// The arguments of the commands that read a recipe.
struct RecipeOptions: ParsableArguments {
  @Argument(
    help: """
      The recipe, a YAML file; or a txt2img request (.json), a list of requests (.jsonl), or a folder of these; or a folder of \
      recipes; or a run folder, to continue that run.
      """,
    completion: .file(extensions: ["yaml", "yml", "json", "jsonl"]))
  var recipe: String

  @Option(
    name: [.customLong("set"), .customShort("s")],
    help: "Replace a value, and the axis of that key: --set steps=10. May be repeated.", completion: .settings)
  var overrides: [String] = []

  @Option(
    name: .shortAndLong, help: "The run folder (default: the recipe's output, or Output/ and the recipe's name).",
    completion: .directory)
  var output: String?

  @Option(
    help: "The precision: auto, fp32, bf16 or int8; short for --set precision=.",
    completion: .list(["auto", "fp32", "bf16", "int8"]))
  var precision: String?

  @Option(help: "The maximum memory to use, such as 2.5GiB; short for --set memory_limit=.")
  var memoryLimit: String?

  @Flag(help: "Keep images that were made with another instruction set or precision; the manifest lists them.")
  var acceptIsa = false

  @Flag(
    help:
      "Make images again that were made with another instruction set or precision, or were forgotten or deleted in a nightly series."
  )
  var remake = false

  func validate() throws {
    if output?.isEmpty == true { throw ValidationError("--output takes a path") }
    if acceptIsa, remake { throw ValidationError("--accept-isa and --remake exclude each other") }
  }

  /// What to do with images that were made with another instruction set or precision.
  var otherImages: OtherImagePolicy { acceptIsa ? .keep : remake ? .remake : .refuse }

  /// The values that replace those of the recipe.
  private var allOverrides: [String] {
    let short = [("precision", precision), ("memory_limit", memoryLimit)]
    return overrides + short.compactMap { key, value in value.map { "\(key)=\($0)" } }
  }

  /// What to run, in order; for a recipe that cannot be read, its error.
  func targets() throws -> [Result<RunTarget, RecipeErrors>] {
    if let folder = runFolder { return [.success(try continued(folder))] }
    guard let folder = try RecipeFolder(recipe) else { return [.success(try read(recipe))] }
    if output != nil {
      throw ValidationError("--output names one run folder, and \(recipe) has several recipes")
    }
    if !folder.skipped.isEmpty {
      Console.error("note: \(recipe): not run: \(folder.skipped.joined(separator: ", "))")
    }
    var targets: [Result<RunTarget, RecipeErrors>] = []
    var owners: [RunFolder: String] = [:]
    for path in folder.paths {
      targets.append(
        Result { () throws(RecipeErrors) in
          let target = try read(path)
          if let owner = owners[target.folder] {
            throw RecipeErrors(
              "its run folder \(target.folder.path) belongs to \(owner), expected a separate output", file: path)
          }
          owners[target.folder] = path
          return target
        })
    }
    return targets
  }

  /// The only run that the arguments name.
  func target() throws -> RunTarget { try target(targets()) }

  /// The only one of these runs.
  func target(_ targets: [Result<RunTarget, RecipeErrors>]) throws -> RunTarget {
    guard targets.count == 1 else { throw ValidationError("\(recipe) has several recipes, expected one") }
    return try targets[0].get()
  }

  /// Reads one recipe and prints its warnings.
  private func read(_ path: String) throws(RecipeErrors) -> RunTarget {
    let recipe = try Self.read(path, overrides: allOverrides)
    return RunTarget(source: .recipe(recipe), folder: RunFolder(output ?? recipe.output), path: path)
  }

  /// Reads a recipe and prints its warnings.
  static func read(_ path: String, overrides: [String] = []) throws(RecipeErrors) -> Recipe {
    let recipe = try RecipeReader(environment: .ofProcess).read(path: path, overrides: overrides)
    for warning in recipe.warnings { Console.diagnostics("\(warning)") }
    return recipe
  }

  // MARK: A run folder

  /// The run folder that the argument names, directly or by its recipe.yaml; nil for anything else.
  private var runFolder: RunFolder? {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: recipe, isDirectory: &isFolder) else { return nil }
    let named = RunFolder(recipe)
    if isFolder.boolValue { return named.isRun ? named : nil }
    let parent = RunFolder((named.path as NSString).deletingLastPathComponent)
    // With another output, the copy of the recipe is an ordinary recipe.
    if let output, RunFolder(output) != parent { return nil }
    return named.path == parent.recipe && parent.isRun ? parent : nil
  }

  /// The run of a folder: by its recipe.yaml if that file was changed or there is no plan, otherwise by its plan.
  private func continued(_ folder: RunFolder) throws -> RunTarget {
    let given = [
      ("--set", !overrides.isEmpty), ("--precision", precision != nil), ("--memory-limit", memoryLimit != nil),
    ]
    if let option = given.first(where: \.1)?.0 {
      throw ValidationError("\(recipe) is a run folder, whose plan is fixed: \(option) needs the recipe instead")
    }
    if let output, RunFolder(output) != folder {
      throw ValidationError("\(recipe) is a run folder, which cannot be continued in --output \(output)")
    }
    if let run = FrozenRun(folder) {
      for warning in run.warnings { Console.diagnostics("\(warning)") }
      if run.isOfRequests {
        Console.error("note: \(folder.path) contains a run of requests: name their file to get responses too")
      }
      return RunTarget(source: .frozen(run), folder: folder, path: recipe)
    }
    guard access(folder.recipe, F_OK) == 0 else {
      throw RunError.damaged(
        path: folder.path, problem: "it has no readable plan and no recipe.yaml; run the recipe again")
    }
    return RunTarget(source: .recipe(try Self.read(folder.recipe)), folder: folder, path: recipe)
  }
}

/// A folder of recipes.
private struct RecipeFolder {
  /// The recipes by name; last the folder itself if it contains requests, which are one run.
  private(set) var paths: [String] = []
  /// The other files in the folder, except those that recipes use.
  private(set) var skipped: [String] = []

  /// Files that recipes in the same folder use.
  private static let companions: Set<String> = [
    "models", "lora", "embeddings", "upscalers", "wildcards", "styles.csv", "Output",
  ]

  /// Reads a folder; nil for a file, and for a folder without recipes.
  init?(_ path: String) throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else { return nil }
    let prefix = path.hasSuffix("/") ? path : path + "/"
    var hasRequests = false
    for name in try AtomicFile.names(in: path).sorted() where !name.hasPrefix(".") {
      var isInnerFolder: ObjCBool = false
      _ = FileManager.default.fileExists(atPath: prefix + name, isDirectory: &isInnerFolder)
      if isInnerFolder.boolValue {
        if !Self.companions.contains(name) { skipped.append(name + "/") }
      } else if name.hasSuffix(".yaml") || name.hasSuffix(".yml") {
        paths.append(prefix + name)
      } else if name.hasSuffix(".json") || name.hasSuffix(".jsonl") {
        hasRequests = true
      } else if !Self.companions.contains(name) {
        skipped.append(name)
      }
    }
    if paths.isEmpty { return nil }
    if hasRequests { paths.append(path) }
  }
}

extension CompletionKind {
  /// A setting and its value: first the keys, then the values of keys that have a list of values.
  static var settings: CompletionKind {
    .custom { words, _, prefix in
      let key = prefix.prefix { $0 != "=" }
      guard prefix.contains("="), let values = RecipeKey.all.first(where: { $0.name == key })?.kind.values
      else {
        return RecipeKey.all.filter(\.isSetting).map { $0.name + "=" }
      }
      return values.map { "\(key)=\($0)" }
    }
  }
}

extension SettingKind {
  /// Every value that a completion can offer; nil if there are too many.
  fileprivate var values: [String]? {
    switch self {
    case .choice(let names): names
    case .flag: ["true", "false"]
    case .sampler, .otherSampler: SamplerID.allCases.map(\.rawValue)
    case .schedule, .otherSchedule: ScheduleID.allCases.map(\.rawValue)
    default: nil
    }
  }
}

extension PlanningEnvironment {
  /// The environment of this process, read once, so a run that continues after midnight stays one run.
  static var ofProcess: PlanningEnvironment { current.withLock { $0 } }

  /// Reads it again, for the next run in a process that runs for days.
  static func renew() { current.withLock { $0 = read() } }

  private static let current = Mutex(read())

  private static func read() -> PlanningEnvironment {
    let variables = ProcessInfo.processInfo.environment
    var environment = PlanningEnvironment(
      variables: variables, demoWidth: DemoModel.nativeSize, demoHeight: DemoModel.nativeSize)
    environment.demoWords = DemoModel.words
    let digests = DigestCache(environment: variables)
    environment.hashes = { path in
      ModelHashes(old: ModelInspection.oldHash(path), sha256: { try? digests.sha256(ofFileAt: path) })
    }
    environment.family = { FamilyID(ofModelAt: $0) }
    return environment
  }
}
