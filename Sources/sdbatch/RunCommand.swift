import ArgumentParser
import Batch
import Diffusion
import Foundation
import Jobs
import Planning

/// `sdbatch run recipe.yaml`
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Make every image of a recipe that is not there yet.",
    discussion: """
      Exit codes: 0 all done; 1 internal error; 3 some jobs failed; 10 the recipe or a model is not usable; 11 another run holds the \
      folder; 64 command line not understood; 74 output could not be written; 75 stopped by SIGTERM, SIGHUP or SIGUSR1 \
      with work left; 130 stopped by SIGINT. Give the same command again to go on.
      """)

  @OptionGroup var options: RecipeOptions

  @Flag(help: "Draw new numbers for seeds of -1.")
  var newSeeds = false

  @Option(help: "Threads to compute with (default: one for each core).")
  var threads: Int?

  @Flag(help: "Stop at the first job that fails.")
  var failFast = false

  @Flag(help: "Print one JSON object per line.")
  var json = false

  @Flag(help: "Print one line at the end, and errors: fit for a cron mail.")
  var summary = false

  @Flag(help: "Print errors and warnings only.")
  var quiet = false

  @Option(help: "How far to let other processes go first, 0 to 19.")
  var nice: Int?

  func validate() throws {
    if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads takes 1 to 1024") }
    if [json, quiet, summary].count(where: { $0 }) > 1 {
      throw ValidationError("--json, --quiet and --summary exclude each other")
    }
    if let nice, !(0...19).contains(nice) { throw ValidationError("--nice takes 0 to 19") }
  }

  func run() throws {
    // A reader that goes away must not end the run, and a file that may grow no more is an error like a full disk.
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    // Before there are other threads: those to come have the niceness of the one that makes them.
    if let nice { setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Int32(nice)) }
    let recipe = try options.read()
    let folder = options.folder(recipe)
    // Planned before anything is written, so that every mistake of the recipe is told first.
    var seeds = try storedSeeds(folder)
    let stored = seeds
    var plan = try Plan(recipe: recipe, environment: RecipeOptions.environment, seeds: &seeds)
    let engine = try Engine(
      version: SDBatch.version, threads: threads ?? ProcessInfo.processInfo.activeProcessorCount,
      executable: Self.executable, environment: ProcessInfo.processInfo.environment)
    try check(plan, engine)

    StopSignals.install()
    let lock = try RunLock(folder)
    // Another run may have drawn seeds between the first look and the lock.
    let current = try storedSeeds(folder)
    if current != stored {
      seeds = current
      plan = try Plan(recipe: recipe, environment: RecipeOptions.environment, seeds: &seeds)
    }
    for warning in plan.warnings { Console.diagnostics("\(warning)") }
    try SeedFile.write(seeds, to: folder)

    let printer = ProgressPrinter(style: style)
    let progress = ProgressFile(folder)
    var madeImages = false
    defer {
      printer.close()
      progress.close()
      if madeImages { Self.learnCosts(folder) }
    }
    func observe(_ event: RunEvent) {
      printer.show(event)
      if case .imageDone = event { madeImages = true }
      progress.note(event, secondsPerStep: printer.pace.secondsPerStep, secondsLeft: printer.pace.secondsLeft)
    }
    var runner = Runner(engine, lock: lock, observe: observe)
    let outcome = try runner.run(
      RunPlan(jobs: plan.jobs, recipe: recipe.json, recipeText: recipe.text), onFailure: failFast ? .stop : .goOn)
    let status = ExitStatus(outcome)
    if status != .done { throw status }
  }

  /// Keeps what the images took, for the estimates of `plan`.
  private static func learnCosts(_ folder: RunFolder) {
    var costs = CostBook(environment: ProcessInfo.processInfo.environment)
    costs.learn(from: folder)
    costs.save()
  }

  private var style: ProgressPrinter.Style {
    if json { return .json }
    if quiet { return .quiet }
    if summary { return .summary }
    return Console.isTerminal ? .live : .lines
  }

  /// Looks at every model once, so that one that is not usable is told before anything is written.
  private func check(_ plan: Plan, _ engine: Engine) throws {
    var seen: Set<[ModelReference?]> = []
    for job in plan.jobs where seen.insert([job.parameters.model, job.parameters.vae]).inserted {
      _ = try engine.ingredients(for: job.parameters)
    }
  }

  private func storedSeeds(_ folder: RunFolder) throws -> SeedDraws {
    if newSeeds { return ((try? SeedFile.read(SeedDraws.self, from: folder)) ?? nil)?.nights ?? SeedDraws() }
    return try SeedFile.read(SeedDraws.self, from: folder) ?? SeedDraws()
  }

  /// The running program's own file; its name on the command line where the system does not tell.
  static var executable: String {
    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
  }
}
