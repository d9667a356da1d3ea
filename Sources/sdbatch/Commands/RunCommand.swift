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

  @Argument(help: "More of the same, which are run one after the other.", completion: .file())
  var more: [String] = []

  @Option(name: .shortAndLong, help: "Threads to compute with (default: one for each core that the process may use).")
  var threads: Int?

  @Option(help: "Lower the priority, from 0 (normal) to 19 (lowest).")
  var nice: Int?

  @Flag(help: "Show what the run would do, as plan does, and make nothing.")
  var dryRun = false

  @OptionGroup(title: "Which jobs") var jobs: JobOptions

  @OptionGroup(title: "When to stop") var stops: StopOptions

  @OptionGroup(title: "When to wait") var waits: WaitOptions

  @OptionGroup(title: "What to print and write") var reports: ReportOptions

  func validate() throws {
    if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads takes 1 to 1024") }
    if let nice, !(0...19).contains(nice) { throw ValidationError("--nice takes 0 to 19") }
    if jobs.shard != nil {
      if jobs.newSeeds {
        throw ValidationError("--shard and --new-seeds exclude each other: all shards share the seeds")
      }
      if reports.profile { throw ValidationError("--shard and --profile exclude each other") }
      if stops.lockWait != nil {
        throw ValidationError("--shard and --lock-wait exclude each other: a shard takes no lock")
      }
    }
  }

  func run() throws {
    if dryRun {
      for path in [options.recipe] + more {
        var options = options
        options.recipe = path
        if !more.isEmpty, !reports.json { Console.output("recipe       \(path)") }
        try PlanView(options: options, threads: threads, isJSON: reports.json).show()
      }
      return
    }
    Self.prepareProcess(nice: nice)
    let stopTime = StopTime(until: stops.until, maxTime: stops.maxTime?.duration)
    let targets = try targets()
    if jobs.newSeeds, case .success(let target)? = targets.first, case .frozen = target.source {
      throw ValidationError("\(target.path) is a run folder, whose plan is fixed: --new-seeds needs the recipe instead")
    }
    let engines = EngineShelf()
    let stopRequest = { StopSignals.request ?? stopTime.request }
    let status =
      targets.count > 1
      ? run(targets, engines, stopRequest)
      : ExitStatus(try run(try options.target(targets), engines, style, stopRequest))
    if status != .done { throw status }
  }

  /// What to run, in order.
  func targets() throws -> [Result<RunTarget, RecipeErrors>] {
    if more.isEmpty { return try options.targets() }
    if options.output != nil {
      throw ValidationError("--output names one run folder, and there are several recipes")
    }
    return try ([options.recipe] + more).flatMap { path in
      var options = options
      options.recipe = path
      return try options.targets()
    }
  }

  /// Prepares this process for work that takes long.
  static func prepareProcess(nice: Int?) {
    Console.treatOutputAsLog()
    StopSignals.installBeforeWork()
    CrashSignals.install()
    // A closed pipe must not end the run, and a file at its size limit is an error like a full disk.
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    // Before other threads start, since they inherit the priority.
    if let nice { setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Int32(nice)) }
  }

  /// Does one run after the other. The exit code is the worst of theirs; a stop ends them all.
  private func run(
    _ targets: [Result<RunTarget, RecipeErrors>], _ engines: EngineShelf, _ stopRequest: @escaping () -> StopReason?
  ) -> ExitStatus {
    var worst = ExitStatus.done
    for target in targets {
      var status: ExitStatus
      do {
        let target = try target.get()
        if style == .lines || style == .live { Console.output("recipe: \(target.path)") }
        status = ExitStatus(try run(target, engines, style, stopRequest))
      } catch {
        status = SDBatch.report(error) ?? .internalError
      }
      worst = max(worst, status)
      if status.isStop { break }
    }
    return worst
  }

  /// Does one run.
  ///
  /// - Parameters:
  ///   - target: What to run.
  ///   - engines: Keeps what computes from one run to the next.
  ///   - style: How to print.
  ///   - stopRequest: Why the run has to end.
  /// - Returns: How it ended.
  /// - Throws: What `RunSession` throws.
  func run(
    _ target: RunTarget, _ engines: EngineShelf, _ style: ProgressPrinter.Style,
    _ stopRequest: @escaping () -> StopReason?
  ) throws -> RunOutcome {
    let notices = try notices(target, style)
    var session = try session(target, engines, style, gated(stopRequest, target.folder, style))
    if let notices {
      session.workBegins = { [workBegins = session.workBegins] in
        workBegins()
        notices.start()
      }
    }
    let outcome: RunOutcome
    do {
      outcome = try session.run()
    } catch {
      // A stop, or another run in the folder, is no trouble.
      let status = ExitStatus(error) ?? .internalError
      if !status.isStop, status != .folderInUse { notices?.fail(ExitStatus.message(error), code: status.rawValue) }
      throw error
    }
    notices?.end(ProgressPrinter.summary(outcome), code: ExitStatus(outcome).rawValue)
    // For a click.
    let folder = target.folder
    if style == .live, !reports.noSheet, access(folder.page, F_OK) == 0 { Console.output("page: ", link: folder.page) }
    return outcome
  }

  /// Who hears of the run as a whole; nil if nobody does. Shards are not reported.
  private func notices(_ target: RunTarget, _ style: ProgressPrinter.Style) throws -> RunNotices? {
    if reports.noWebhook || jobs.shard != nil { return nil }
    var targets = NoticeTargets()
    (targets.ping, targets.mail) = (target.notify?.ping, target.notify?.mail)
    try targets.add(environment: ProcessInfo.processInfo.environment)
    if targets.isEmpty { return nil }
    return RunNotices(targets, of: target.folder, version: SDBatch.version) { Console.logger.warning("\($0)") }
  }

  /// Makes a run wait while the machine is needed for something else.
  private func gated(
    _ stopRequest: @escaping () -> StopReason?, _ folder: RunFolder, _ style: ProgressPrinter.Style
  ) -> () -> StopReason? {
    var limits = ResourceGate.Limits()
    (limits.free, limits.load, limits.battery) = (waits.minFree?.bytes, waits.maxLoad, waits.pauseOnBattery)
    if limits.isEmpty { return stopRequest }
    let gate = ResourceGate(limits, path: folder.path) { line in
      switch style {
      case .live: Console.interject(line)
      case .lines: Console.logger.info("\(line)")
      case .summary, .json: Console.error(line)
      case .quiet: break
      }
    }
    return { gate.pass(until: stopRequest) }
  }

  /// What carries a recipe out, connected to the terminal and to the engine.
  private func session(
    _ target: RunTarget, _ engines: EngineShelf, _ style: ProgressPrinter.Style,
    _ stopRequest: @escaping () -> StopReason?
  ) throws -> RunSession<Engine, RecipePlanner> {
    let folder = target.folder
    let webhooks = jobs.shard == nil ? try webhookOptions() : nil
    let engine = try engines.engine(threads: threads)
    let preview = try preview(folder)
    engine.previews = try preview?.previews
    engine.profiler.isOn = reports.profile
    var session = RunSession(
      engine, RecipePlanner(target: target, drawsNewSeeds: jobs.newSeeds), in: folder, sessionOptions)
    if !jobs.noReuse { session.store = ImageStore(environment: ProcessInfo.processInfo.environment) }
    let check = ModelCheck(engine, isQuiet: reports.quiet)
    session.ingredients = { settings in
      let ingredients = try check.ingredients(settings)
      engines.note(ingredients)
      return ingredients
    }
    session.stopRequest = stopRequest
    session.isWaiting = { owner in
      if !reports.quiet { Console.error("waiting for the run that is using \(folder.path) (\(owner))") }
    }
    session.workBegins = {
      StopSignals.install()
      StopNotice.install(style)
    }
    session.reportPlan = { plan in for warning in plan.warnings { Console.diagnostics("\(warning)") } }
    session.reportForgotten = { line in if !reports.quiet { Console.error("note: \(folder.path): \(line)") } }
    session.reportOtherImages = { Console.error("note: \(folder.path): \($0)") }
    weak var held: RunLock?
    session.observer = { lock in
      held = lock
      preview?.lock = lock
      return RunProgress(
        folder, style: style, shard: jobs.shard, lock: lock, page: reports.noSheet ? nil : lock.map { LivePage($0) })
    }
    var hasDelivery = false
    session.answers = { plan, jobs in
      let delivery = try webhooks.map { try makeDelivery($0, folder, style) }
      hasDelivery = delivery != nil
      return try ResponseDesks(
        plan.requests, plan.webhook, recipe: plan.json, jobs, in: folder, version: SDBatch.version, delivery: delivery)
    }
    if !reports.noSheet { session.views = RunPages(folder, saysWhere: style == .live) }
    session.workEnds = {
      preview?.remove()
      if reports.profile, held?.isHeld != false { Self.writeProfile(engine, folder) }
      // Connections that a stopped run does not wait for may still be open.
      if hasDelivery { QuickExit.arrange() }
    }
    return session
  }

  private var sessionOptions: RunSession<Engine, RecipePlanner>.Options {
    var options = RunSession<Engine, RecipePlanner>.Options()
    options.shard = jobs.shard
    options.selection = jobs.onlyFailed ? .failed : .unfinished
    options.otherImages = self.options.otherImages
    options.remakesForgotten = self.options.remake
    options.failurePolicy = stops.failFast ? .stop : .goOn
    if let checkpointEvery = stops.checkpointEvery { options.checkpointInterval = checkpointEvery.duration }
    if let lockWait = stops.lockWait { options.lockPatience = lockWait.duration }
    return options
  }

  var style: ProgressPrinter.Style {
    if reports.json { return .json }
    if reports.quiet { return .quiet }
    if reports.summary { return .summary }
    return Console.isTerminal ? .live : .lines
  }

  // MARK: Announcements

  /// How announcements are made in this run; nil if none are made.
  private func webhookOptions() throws -> WebhookOptions? {
    if reports.noWebhook { return nil }
    return try WebhookOptions(environment: ProcessInfo.processInfo.environment, version: SDBatch.version)
  }

  /// Begins with what earlier runs left in the outbox.
  private func makeDelivery(
    _ options: WebhookOptions, _ folder: RunFolder, _ style: ProgressPrinter.Style
  ) throws -> WebhookDelivery {
    let printer = WebhookPrinter(style: style)
    return WebhookDelivery(try Outbox(folder), options: options) { printer.show($0) }
  }

  // MARK: Previews and profiles

  /// The preview that the command line asks for.
  private func preview(_ folder: RunFolder) throws -> PreviewFile? {
    guard let previewEvery = reports.previewEvery else { return nil }
    let locator = ModelLocator(recipePath: options.recipe, environment: .ofProcess)
    let decoder: Previews.Decoder
    if let name = reports.previewVae {
      guard let path = locator.path(of: name) else {
        throw ImageFileError.notFound(option: "--preview-vae", name: name, folders: locator.folders)
      }
      decoder = .named(path: path)
    } else {
      decoder = .ofModel { name, model in
        locator.tinyDecoder(name, forModelAt: model).map { Previews.Finding.found(path: $0) }
          ?? .missing(folders: locator.tinyDecoderFolders(forModelAt: model))
      }
    }
    return PreviewFile(
      path: folder.file(jobs.shard.map { "preview-\($0.index).png" } ?? "preview.png"), decoder: decoder,
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
