import ArgumentParser
import Diffusion
import Foundation
import Recipes
import Runs

/// `sdbatch slurm recipe.yaml`
struct SlurmCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "slurm",
    abstract: "Print a script that runs a recipe as a Slurm job array, or submit it.",
    discussion: """
      Each task of the array is a shard of the plan. Before its time limit, a shard is asked to stop; it saves its unfinished \
      image and is queued again. After all shards, another job writes manifest and contact sheet and verifies every byte. \
      The run folder, the recipe, its models and this program must have the same path on all nodes.
      """)

  @OptionGroup var options: RecipeOptions

  @Option(help: "The number of parts of the plan, which is the number of tasks in the array.")
  var shards: Int

  @Option(help: "The number of threads of each shard.")
  var cpus: Int

  @Option(help: "The time limit for each start of a shard, in Slurm's notation: 90, 4:00:00, 1-12.")
  var time: String

  @Option(help: "Memory of each shard, in Slurm's notation: 6G (default: the partition's).")
  var mem: String?

  @Option(help: "The partition.")
  var partition: String?

  @Option(help: "The account to charge.")
  var account: String?

  @Option(
    help: ArgumentHelp(
      "Another option of sbatch, as --sbatch=--constraint=zen4; may be given several times.", valueName: "option"))
  var sbatch: [String] = []

  @Option(
    help:
      "The instruction set that all nodes use, by its name for SDBATCH_ISA (default: the best one of this machine)."
  )
  var isa: String?

  @Option(help: "How many seconds before the limit a shard is asked to stop; must be longer than a step.")
  var notice = 120

  @Option(help: "How often a shard that stopped with work left is queued again.")
  var requeues = 20

  @Flag(help: "Write the plan into the run folder and submit the jobs.")
  var submit = false

  func validate() throws {
    if !(1...100_000).contains(shards) { throw ValidationError("--shards takes 1 to 100000") }
    if !(1...1024).contains(cpus) { throw ValidationError("--cpus takes 1 to 1024") }
    if !(1...65535).contains(notice) { throw ValidationError("--notice takes 1 to 65535 seconds") }
    if requeues < 0 { throw ValidationError("--requeues takes a number from 0 on") }
    // Minutes, minutes:seconds, hours:minutes:seconds, and an optional number of days before them.
    if time.wholeMatch(of: /\d+(:\d+){0,2}|\d+-\d+(:\d+){0,2}/) == nil {
      throw ValidationError("--time \(time): expected a time in Slurm's notation, such as 4:00:00")
    }
    for text in [mem, partition, account, isa].compactMap({ $0 }) where text.wholeMatch(of: /[\w.,:+-]+/) == nil {
      throw ValidationError("\"\(text)\" is neither a name nor a number for Slurm")
    }
    for option in sbatch where !option.hasPrefix("-") || option.contains(where: \.isNewline) {
      throw ValidationError("--sbatch \(option): expected an option, such as --sbatch=--constraint=zen4")
    }
  }

  func run() throws {
    if let isa { setenv("SDBATCH_ISA", isa, 1) }
    let target = try options.target()
    let folder = target.folder
    try folder.checkIsUsable()
    var seeds = try SeedFile.read(SeedDraws.self, from: folder) ?? SeedDraws()
    let plan = try target.plan(&seeds)
    for warning in plan.warnings { Console.diagnostics("\(warning)") }
    let engine = try Engine.forCommand(threads: 1)
    let script = script(folder, isa: engine.description.isa)
    guard script.isPrintable else {
      throw ValidationError("a path with a line break cannot be used in a script for Slurm")
    }
    if shards > plan.count { Console.error("\(plan.count) jobs in \(shards) shards: some will have nothing to do") }
    // MaxArraySize is 1001 by default, and tasks are counted from 0.
    if shards > 1001 {
      Console.error("Slurm refuses \(shards) tasks unless MaxArraySize was raised; it is 1001 by default")
    }
    guard submit else {
      Console.output(text: String(script.text.dropLast()))
      return
    }
    let list = try JobList(plan.jobs) { try engine.ingredients(for: $0) }
    try plan.freeze(seeds, in: folder, list, engine.description)
    try Self.submit(script.text)
  }

  private func script(_ folder: RunFolder, isa: String) -> SlurmScript {
    var arguments = [URL(fileURLWithPath: options.recipe).path, "--output", folder.path]
    for override in options.overrides { arguments += ["--set", override] }
    if let precision = options.precision { arguments += ["--precision", precision] }
    if options.acceptIsa { arguments.append("--accept-isa") }
    if options.remake { arguments.append("--remake") }
    if let limit = options.memoryLimit { arguments += ["--memory-limit", limit] }
    return SlurmScript(
      program: Engine.executable, workingFolder: FileManager.default.currentDirectoryPath, folder: folder.path,
      name: "sdbatch-" + (folder.path as NSString).lastPathComponent, arguments: arguments, shards: shards, cpus: cpus,
      time: time, memory: mem, isa: isa, notice: notice, requeues: requeues,
      options: (partition.map { ["--partition=\($0)"] } ?? []) + (account.map { ["--account=\($0)"] } ?? []) + sbatch,
      version: SDBatch.version)
  }

  /// Submits the jobs through the shell and shows its output.
  private static func submit(_ script: String) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", script]
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      Console.error("the jobs were not all submitted: sbatch ended with \(process.terminationStatus)")
      throw ExitStatus.internalError
    }
  }
}
