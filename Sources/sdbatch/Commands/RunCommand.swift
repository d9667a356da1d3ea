import ArgumentParser
import Diffusion
import Foundation
import JSON
import Recipes
import Runs
import Settings
import Sheets

/// `sdbatch run recipe.yaml`
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Make every image of a recipe that is not there yet.",
    discussion: """
      Exit codes: 0 all done; 1 internal error; 3 some jobs failed; 10 the recipe or a model is not usable; 11 another run holds the \
      folder; 64 command line not understood; 74 output could not be written; 75 stopped by SIGTERM, SIGHUP, \
      SIGUSR1, --until or --max-time with work left; 130 stopped by SIGINT. Give the same command again to go on.
      """)

  @OptionGroup var options: RecipeOptions

  @Flag(help: "Draw new numbers for seeds of -1.")
  var newSeeds = false

  @Option(help: "Threads to compute with (default: one for each core that the process may use).")
  var threads: Int?

  @Option(
    help: ArgumentHelp(
      "Do one part of the plan, counted from 0, while other processes do the others.", valueName: "i/N"))
  var shard: Shard?

  @Flag(help: "Stop at the first job that fails.")
  var failFast = false

  @Flag(help: "Make no contact sheet and no index.html.")
  var noSheet = false

  @Flag(help: "Announce nothing to webhooks; what is in the outbox stays there.")
  var noWebhook = false

  @Flag(help: "Do only the jobs whose last try failed.")
  var onlyFailed = false

  @Option(help: ArgumentHelp("Stop at this time of day, the next time that the clock shows it.", valueName: "HH:MM"))
  var until: TimeOfDay?

  @Option(help: ArgumentHelp("Stop after so long: 7h, 90m, 1h30m, 45s.", valueName: "time"))
  var maxTime: TimeSpan?

  @Option(help: ArgumentHelp("Wait so long for another run to leave the folder.", valueName: "time"))
  var lockWait: TimeSpan?

  @Option(
    help: ArgumentHelp(
      "Keep an unfinished image on the disk so often (default: 30s); 0 for after every step.", valueName: "time"))
  var checkpointEvery: TimeSpan?

  @Flag(help: "Print one JSON object per line.")
  var json = false

  @Flag(help: "Print one line at the end, and errors: fit for a cron mail.")
  var summary = false

  @Flag(help: "Print errors and warnings only.")
  var quiet = false

  @Flag(help: "Write what each layer took, in time and arithmetic, to profile.tsv in the run's folder.")
  var profile = false

  @Option(
    help: ArgumentHelp(
      "Write what the image is becoming to preview.png in the run's folder, every so many steps.", valueName: "N"))
  var previewEvery: Int?

  @Option(
    help: ArgumentHelp(
      "The TAESD decoder of previews (default: taesd_decoder, found as models are).", valueName: "file"))
  var previewVae: String?

  @Option(help: "How far to let other processes go first, 0 to 19.")
  var nice: Int?

  func validate() throws {
    if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads takes 1 to 1024") }
    if [json, quiet, summary].count(where: { $0 }) > 1 {
      throw ValidationError("--json, --quiet and --summary exclude each other")
    }
    if let previewEvery, previewEvery < 1 { throw ValidationError("--preview-every takes 1 or more steps") }
    if previewVae != nil, previewEvery == nil { throw ValidationError("--preview-vae goes with --preview-every") }
    if let nice, !(0...19).contains(nice) { throw ValidationError("--nice takes 0 to 19") }
    if shard != nil {
      if newSeeds { throw ValidationError("--shard and --new-seeds exclude each other: all shards share the seeds") }
      if profile { throw ValidationError("--shard and --profile exclude each other") }
      if lockWait != nil { throw ValidationError("--shard and --lock-wait exclude each other: a shard takes no lock") }
    }
  }

  func run() throws {
    let stopTime = StopTime(until: until, maxTime: maxTime?.duration)
    StopSignals.installBeforeWork()
    CrashSignals.install()
    // A reader that goes away must not end the run, and a file that may grow no more is an error like a full disk.
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    // Before there are other threads: those to come have the niceness of the one that makes them.
    if let nice { setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Int32(nice)) }
    let recipe = try options.read()
    let folder = options.folder(recipe)
    let outcome =
      if let shard {
        try runShard(shard, of: recipe, in: folder, stopTime)
      } else {
        try runWhole(recipe, in: folder, stopTime)
      }
    let status = ExitStatus(outcome)
    if status != .done { throw status }
  }

  private func runWhole(_ recipe: Recipe, in folder: RunFolder, _ stopTime: StopTime) throws -> RunOutcome {
    // Planned before anything is written, so that every mistake of the recipe is told first.
    let webhooks = try webhookOptions()
    var seeds = try storedSeeds(folder)
    let stored = seeds
    var plan = try Plan(recipe: recipe, environment: .ofProcess, seeds: &seeds)
    let engine = try Engine.forCommand(threads: threads)
    try check(plan.jobs, engine, stopTime)
    let preview = try preview(folder)
    engine.previews = try preview?.previews

    let lock = try RunLock(
      folder, patience: lockWait?.duration ?? .zero, stopRequest: { stopTime.request },
      isWaiting: { owner in if !quiet { Console.error("waiting for another run to leave \(folder.path) (\(owner))") } })
    // To the end, the contact sheet included.
    defer { withExtendedLifetime(lock) {} }
    defer { preview?.remove() }
    StopSignals.install()
    // Another run may have drawn seeds between the first look and the lock.
    let current = try storedSeeds(folder)
    if current != stored {
      seeds = current
      plan = try Plan(recipe: recipe, environment: .ofProcess, seeds: &seeds)
    }
    for warning in plan.warnings { Console.diagnostics("\(warning)") }
    try SeedFile.write(seeds, to: folder)
    engine.profiler.isOn = profile
    // Also of a run that fails: what it did took its time all the same.
    defer { if profile { Self.writeProfile(engine, folder) } }
    let delivery = try webhooks.map { try makeDelivery($0, folder) }
    // A run that is stopped waits for no answer.
    defer { if delivery != nil { QuickExit.arrange() } }
    let desks = try makeDesks(plan, engine, folder, delivery)
    let outcome: RunOutcome
    do {
      outcome = try perform(plan.jobs, json: plan.json, text: recipe.copyText, in: folder, lock) { observe in
        Runner(
          engine, lock: lock, checkpointInterval: checkpointEvery?.duration ?? .seconds(30),
          stopRequest: { StopSignals.request ?? stopTime.request },
          deadline: { job in desks.lazy.compactMap { $0.deadline(for: job) }.first }
        ) { event in
          for desk in desks { desk.note(event) }
          observe(event)
        }
      }
      for desk in desks {
        if let stop = outcome.stop, stop.isCancelling {
          try desk.cancel("stopped by \(stop.text); the next run goes on with it")
        }
        try desk.close()
      }
    } catch {
      // Nobody is at work any more, which the page should say if it can.
      if !noSheet, (try? lock.check()) != nil { try? RunPageFiles(folder: folder).refresh(patience: .zero) }
      throw error
    }
    if !noSheet {
      let isComplete = outcome.counts.pending == 0
      if isComplete { try makeSheet(folder) }
      // A run that is asked to stop is to stop.
      try RunPageFiles(folder: folder).refresh(patience: isComplete ? nil : .seconds(1))
    }
    delivery?.finish { StopSignals.request != nil || stopTime.request != nil }
    return outcome
  }

  private func runShard(
    _ shard: Shard, of recipe: Recipe, in folder: RunFolder, _ stopTime: StopTime
  ) throws -> RunOutcome {
    let engine = try Engine.forCommand(threads: threads)
    let plan = try SharedPlan(recipe, in: folder)
    try check(plan.jobs, engine, stopTime)
    let preview = try preview(folder)
    engine.previews = try preview?.previews
    defer { preview?.remove() }
    StopSignals.install()
    for warning in plan.warnings { Console.diagnostics("\(warning)") }
    return try perform(plan.jobs, json: plan.json, text: recipe.copyText, in: folder) { observe in
      Runner(
        engine, shard: shard, in: folder, checkpointInterval: checkpointEvery?.duration ?? .seconds(30),
        stopRequest: { StopSignals.request ?? stopTime.request }, observe: observe)
    }
  }

  /// Does the work, and tells of it as it goes.
  private func perform(
    _ jobs: some Sequence<Job>, json: JSONValue, text: String?, in folder: RunFolder, _ lock: RunLock? = nil,
    runner makeRunner: (_ observe: @escaping (RunEvent) -> Void) -> Runner<Engine>
  ) throws -> RunOutcome {
    let printer = ProgressPrinter(style: style)
    let progress = ProgressFile(folder, shard: shard)
    // Shards, which have no lock, are looked at together, by `sheet`.
    let page = noSheet ? nil : lock.map { LivePage($0) }
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
      page?.note(event)
    }
    var runner = makeRunner(observe)
    return try runner.run(
      RunPlan(jobs: jobs, recipe: json, recipeText: text), only: onlyFailed ? .failed : .unfinished,
      onFailure: failFast ? .stop : .goOn)
  }

  /// The preview that the command line asks for.
  private func preview(_ folder: RunFolder) throws -> PreviewFile? {
    guard let previewEvery else { return nil }
    let locator = ModelLocator(recipePath: options.recipe, environment: .ofProcess)
    let name = previewVae ?? "taesd_decoder"
    guard let decoder = locator.path(of: name) else {
      throw PictureError.notFound(option: "--preview-vae", name: name, places: locator.places)
    }
    return PreviewFile(
      path: folder.file(shard.map { "preview-\($0.index).png" } ?? "preview.png"), decoder: decoder,
      interval: previewEvery)
  }

  /// Writes where the time went; a run is no worse for want of it.
  private static func writeProfile(_ engine: Engine, _ folder: RunFolder) {
    guard !engine.profiler.rows.isEmpty else { return }
    do {
      try ProfileFile.write(ProfileTable(engine.profiler).rows, to: folder)
    } catch {
      Console.error("no profile: \(error)")
    }
  }

  /// Keeps what the images took, for the estimates of `plan`.
  private static func learnCosts(_ folder: RunFolder) {
    var costs = CostBook(environment: ProcessInfo.processInfo.environment)
    costs.learn(from: folder)
    costs.save()
  }

  var style: ProgressPrinter.Style {
    if json { return .json }
    if quiet { return .quiet }
    if summary { return .summary }
    return Console.isTerminal ? .live : .lines
  }

  /// Looks at every model once, so that one that is not usable is told before anything is written.
  private func check(_ jobs: some Sequence<Job>, _ engine: Engine, _ stopTime: StopTime) throws {
    var seen: Set<ImageSettings.IngredientsKey> = []
    var missing: [String] = []
    for job in jobs where seen.insert(job.settings.ingredientsKey).inserted {
      // Models that are new here take long to read.
      if let reason = stopTime.request { throw StopRequested(reason) }
      do {
        _ = try engine.ingredients(for: job.settings)
      } catch let error as EngineError where error.isMissingAdapter {
        // All of them in one go, for none takes long to look for.
        if !missing.contains("\(error)") { missing.append("\(error)") }
      }
    }
    for note in engine.takeNotes() { Console.error("note: \(note)") }
    if !missing.isEmpty { throw MissingAdapters(messages: missing) }
    var summaries: Set<String> = []
    for job in jobs where job.settings.memoryLimit > 0 {
      let plan = try engine.memoryPlan(for: job.settings)
      if !quiet, let summary = plan.summary, summaries.insert(summary).inserted { Console.error(summary) }
    }
  }

  /// LoRAs that prompts of a plan ask for and that are nowhere.
  private struct MissingAdapters: InputFailure, CustomStringConvertible {
    let messages: [String]
    var description: String { messages.joined(separator: "\nsdbatch: ") }
  }

  /// Lays the images out; a run whose images are all there has not failed for want of a font.
  private func makeSheet(_ folder: RunFolder) throws {
    do {
      guard let pages = try ContactSheetFiles(folder: folder).refresh() else { return }
      // A mail from cron ends with the sum.
      guard Console.isTerminal, !json, !quiet else { return }
      Console.output("contact sheet: \(folder.file("contact-sheet.png"))" + (pages > 1 ? " and \(pages - 1) more" : ""))
    } catch let error as SheetError {
      Console.error("no contact sheet: \(error)")
    }
  }

  private func storedSeeds(_ folder: RunFolder) throws -> SeedDraws {
    if newSeeds { return ((try? SeedFile.read(SeedDraws.self, from: folder)) ?? nil)?.nights ?? SeedDraws() }
    return try SeedFile.read(SeedDraws.self, from: folder) ?? SeedDraws()
  }
}
