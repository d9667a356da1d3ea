import ArgumentParser
import Delivery
import Diffusion
import Foundation
import Recipes
import Runs
import Settings

/// `sdbatch run recipe.yaml`
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Make every image of a recipe that does not exist yet.",
    discussion: """
      Exit codes: 0 all done; 1 internal error; 3 some jobs failed; 10 the recipe or a model is not usable; 11 another run is using the \
      folder; 64 command line not understood; 74 output could not be written; 75 stopped by SIGTERM, SIGHUP, \
      SIGUSR1, --until or --max-time with work left; 130 stopped by Ctrl-C. Run the same command to continue.
      """)

  @OptionGroup var options: RecipeOptions

  @Flag(help: "Draw new numbers for seeds of -1.")
  var newSeeds = false

  @Option(name: .shortAndLong, help: "Threads to compute with (default: one for each core that the process may use).")
  var threads: Int?

  @Option(
    help: ArgumentHelp(
      "Do one part of the plan, counted from 0, while other processes do the other parts.", valueName: "i/N"))
  var shard: Shard?

  @Flag(help: "Stop at the first job that fails.")
  var failFast = false

  @Flag(help: "Make no contact sheet and no index.html.")
  var noSheet = false

  @Flag(help: "Announce nothing to webhooks; what is in the outbox stays there.")
  var noWebhook = false

  @Flag(help: "Make every image here, even if another run folder has it.")
  var noReuse = false

  @Flag(help: "Do only the jobs whose last try failed.")
  var onlyFailed = false

  @Option(help: ArgumentHelp("Stop at the next time that the clock shows this.", valueName: "HH:MM"))
  var until: TimeOfDay?

  @Option(help: ArgumentHelp("Stop after this long: 7h, 90m, 1h30m, 45s.", valueName: "time"))
  var maxTime: TimeSpan?

  @Option(help: ArgumentHelp("Wait up to this long if another run is using the folder.", valueName: "time"))
  var lockWait: TimeSpan?

  @Option(
    help: ArgumentHelp(
      "Save the unfinished image this often (default: 30s); 0 saves it after every step.", valueName: "time"))
  var checkpointEvery: TimeSpan?

  @Flag(help: "Print one JSON object per line.")
  var json = false

  @Flag(help: "Print errors and one line at the end, for cron mail.")
  var summary = false

  @Flag(name: .shortAndLong, help: "Print errors and warnings only.")
  var quiet = false

  @Flag(help: "Write the time and speed of each layer to profile.tsv in the run folder.")
  var profile = false

  @Option(
    help: ArgumentHelp(
      "Write a preview of the unfinished image to preview.png in the run folder every N steps.", valueName: "N"))
  var previewEvery: Int?

  @Option(
    help: ArgumentHelp(
      "The TAESD decoder for previews (default: taesd_decoder, searched like models).", valueName: "file"),
    completion: .file())
  var previewVae: String?

  @Option(help: "Lower the priority, from 0 (normal) to 19 (lowest).")
  var nice: Int?

  func validate() throws {
    if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads takes 1 to 1024") }
    if [json, quiet, summary].count(where: { $0 }) > 1 {
      throw ValidationError("--json, --quiet and --summary exclude each other")
    }
    if let previewEvery, previewEvery < 1 { throw ValidationError("--preview-every takes 1 or more steps") }
    if previewVae != nil, previewEvery == nil { throw ValidationError("--preview-vae needs --preview-every") }
    if let nice, !(0...19).contains(nice) { throw ValidationError("--nice takes 0 to 19") }
    if shard != nil {
      if newSeeds { throw ValidationError("--shard and --new-seeds exclude each other: all shards share the seeds") }
      if profile { throw ValidationError("--shard and --profile exclude each other") }
      if lockWait != nil { throw ValidationError("--shard and --lock-wait exclude each other: a shard takes no lock") }
    }
  }

  func run() throws {
    Console.treatOutputAsLog()
    let stopTime = StopTime(until: until, maxTime: maxTime?.duration)
    StopSignals.installBeforeWork()
    CrashSignals.install()
    // A closed pipe must not end the run, and a file at its size limit is an error like a full disk.
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    // Before other threads start, since they inherit the priority.
    if let nice { setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Int32(nice)) }
    let targets = try options.targets()
    if newSeeds, case .success(let target)? = targets.first, case .frozen = target.source {
      throw ValidationError("\(target.path) is a run folder, whose plan is fixed: --new-seeds needs the recipe instead")
    }
    if targets.count > 1 { return try run(targets, stopTime) }
    let outcome = try session(try options.target(targets), stopTime).run()
    let status = ExitStatus(outcome)
    if status != .done { throw status }
  }

  /// Does one run after the other. The exit code is the worst of theirs; a stop ends them all.
  private func run(_ targets: [Result<RunTarget, RecipeErrors>], _ stopTime: StopTime) throws {
    var worst = ExitStatus.done
    for target in targets {
      var status: ExitStatus
      do {
        let target = try target.get()
        if style == .lines || style == .live { Console.output("recipe: \(target.path)") }
        status = ExitStatus(try session(target, stopTime).run())
      } catch {
        status = SDBatch.report(error) ?? .internalError
      }
      worst = max(worst, status)
      if status.isStop { break }
    }
    if worst != .done { throw worst }
  }

  /// What carries a recipe out, connected to the terminal and to the engine.
  private func session(_ target: RunTarget, _ stopTime: StopTime) throws -> RunSession<Engine, RecipePlanner> {
    let folder = target.folder
    let webhooks = shard == nil ? try webhookOptions() : nil
    let engine = try Engine.forCommand(threads: threads)
    let preview = try preview(folder)
    engine.previews = try preview?.previews
    engine.profiler.isOn = profile
    var session = RunSession(
      engine, RecipePlanner(target: target, drawsNewSeeds: newSeeds), in: folder, sessionOptions)
    if !noReuse { session.store = ImageStore(environment: ProcessInfo.processInfo.environment) }
    session.ingredients = ModelCheck(engine, isQuiet: quiet).ingredients
    session.stopRequest = { StopSignals.request ?? stopTime.request }
    session.isWaiting = { owner in
      if !quiet { Console.error("waiting for the run that is using \(folder.path) (\(owner))") }
    }
    session.workBegins = { StopSignals.install() }
    session.reportPlan = { plan in for warning in plan.warnings { Console.diagnostics("\(warning)") } }
    session.reportOtherImages = { Console.error("note: \(folder.path): \($0)") }
    weak var held: RunLock?
    session.observer = { lock in
      held = lock
      preview?.lock = lock
      return RunProgress(
        folder, style: style, shard: shard, lock: lock, page: noSheet ? nil : lock.map { LivePage($0) })
    }
    var hasDelivery = false
    session.answers = { plan, jobs in
      let delivery = try webhooks.map { try makeDelivery($0, folder) }
      hasDelivery = delivery != nil
      return try ResponseDesks(
        plan.requests, plan.webhook, recipe: plan.json, jobs, in: folder, version: SDBatch.version, delivery: delivery)
    }
    if !noSheet { session.views = RunPages(folder, saysWhere: Console.isTerminal && !json && !quiet) }
    session.workEnds = {
      preview?.remove()
      if profile, held?.isHeld != false { Self.writeProfile(engine, folder) }
      // Connections that a stopped run does not wait for may still be open.
      if hasDelivery { QuickExit.arrange() }
    }
    return session
  }

  private var sessionOptions: RunSession<Engine, RecipePlanner>.Options {
    var options = RunSession<Engine, RecipePlanner>.Options()
    options.shard = shard
    options.selection = onlyFailed ? .failed : .unfinished
    options.otherImages = self.options.otherImages
    options.failurePolicy = failFast ? .stop : .goOn
    if let checkpointEvery { options.checkpointInterval = checkpointEvery.duration }
    if let lockWait { options.lockPatience = lockWait.duration }
    return options
  }

  var style: ProgressPrinter.Style {
    if json { return .json }
    if quiet { return .quiet }
    if summary { return .summary }
    return Console.isTerminal ? .live : .lines
  }

  // MARK: Announcements

  /// How announcements are made in this run; nil if none are made.
  private func webhookOptions() throws -> WebhookOptions? {
    if noWebhook { return nil }
    return try WebhookOptions(environment: ProcessInfo.processInfo.environment, version: SDBatch.version)
  }

  /// Begins with what earlier runs left in the outbox.
  private func makeDelivery(_ options: WebhookOptions, _ folder: RunFolder) throws -> WebhookDelivery {
    let printer = WebhookPrinter(style: style)
    return WebhookDelivery(try Outbox(folder), options: options) { printer.show($0) }
  }

  // MARK: Previews and profiles

  /// The preview that the command line asks for.
  private func preview(_ folder: RunFolder) throws -> PreviewFile? {
    guard let previewEvery else { return nil }
    let locator = ModelLocator(recipePath: options.recipe, environment: .ofProcess)
    let name = previewVae ?? "taesd_decoder"
    guard let decoder = locator.path(of: name) else {
      throw ImageFileError.notFound(option: "--preview-vae", name: name, folders: locator.folders)
    }
    return PreviewFile(
      path: folder.file(shard.map { "preview-\($0.index).png" } ?? "preview.png"), decoder: decoder,
      interval: previewEvery)
  }

  /// Writes where the time went; the run does not fail if it cannot.
  private static func writeProfile(_ engine: Engine, _ folder: RunFolder) {
    guard !engine.profiler.rows.isEmpty else { return }
    do {
      try ProfileFile.write(ProfileTable(engine.profiler).rows, to: folder)
    } catch {
      Console.error("no profile: \(error)")
    }
  }
}
