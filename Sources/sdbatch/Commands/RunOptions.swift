import ArgumentParser
import Runs

/// Which jobs a run does.
struct JobOptions: ParsableArguments {
  @Flag(help: "Do only the jobs whose last try failed.")
  var onlyFailed = false

  @Flag(help: "Draw new numbers for seeds of -1.")
  var newSeeds = false

  @Flag(help: "Make every image here, even if another run folder has it.")
  var noReuse = false

  @Option(
    help: ArgumentHelp(
      "Do one part of the plan, counted from 0, while other processes do the other parts.", valueName: "i/N"))
  var shard: Shard?
}

/// When a run stops, and what it keeps then.
struct StopOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Stop at the next time that the clock shows this.", valueName: "HH:MM"))
  var until: TimeOfDay?

  @Option(help: ArgumentHelp("Stop after this long: 7h, 90m, 1h30m, 45s.", valueName: "time"))
  var maxTime: TimeSpan?

  @Flag(help: "Stop at the first job that fails.")
  var failFast = false

  @Option(
    help: ArgumentHelp(
      "Save the unfinished image this often (default: 30s); 0 saves it after every step.", valueName: "time"))
  var checkpointEvery: TimeSpan?

  @Option(help: ArgumentHelp("Wait up to this long if another run is using the folder.", valueName: "time"))
  var lockWait: TimeSpan?
}

/// What a run prints, and what it writes besides images.
struct ReportOptions: ParsableArguments {
  @Flag(help: "Print one JSON object per line.")
  var json = false

  @Flag(help: "Print errors and one line at the end, for cron mail.")
  var summary = false

  @Flag(name: .shortAndLong, help: "Print errors and warnings only.")
  var quiet = false

  @Flag(help: "Make no contact sheet and no index.html.")
  var noSheet = false

  @Flag(help: "Announce nothing to webhooks; what is in the outbox stays there.")
  var noWebhook = false

  @Option(
    help: ArgumentHelp(
      "Write a preview of the unfinished image to preview.png in the run folder every N steps.", valueName: "N"))
  var previewEvery: Int?

  @Option(
    help: ArgumentHelp(
      "The TAESD decoder for previews (default: that of the model's family, searched like models).", valueName: "file"),
    completion: .file())
  var previewVae: String?

  @Flag(help: "Write the time and speed of each layer to profile.tsv in the run folder.")
  var profile = false

  func validate() throws {
    if [json, quiet, summary].count(where: { $0 }) > 1 {
      throw ValidationError("--json, --quiet and --summary exclude each other")
    }
    if let previewEvery, previewEvery < 1 { throw ValidationError("--preview-every takes 1 or more steps") }
    if previewVae != nil, previewEvery == nil { throw ValidationError("--preview-vae needs --preview-every") }
  }
}
