import ArgumentParser
import Foundation
import JSON
import Runs
import Text

/// `sdbatch queue`
struct QueueCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "queue",
    abstract: "A queue of recipes, usable from several shells.",
    discussion: """
      The queue is in $XDG_STATE_HOME/sdbatch/queue (~/.local/state by default). "sdbatch queue run" runs it; if that process is \
      stopped or killed, the next one continues its work.
      """,
    subcommands: [
      QueueAddCommand.self, QueueListCommand.self, QueueMoveCommand.self, QueuePauseCommand.self,
      QueueResumeCommand.self, QueueRemoveCommand.self, QueueRunCommand.self,
    ])

  /// The queue of this user.
  static func folder() throws -> QueueFolder { try QueueFolder(environment: ProcessInfo.processInfo.environment) }
}

extension QueueEntry.Priority: ExpressibleByArgument {}

/// `sdbatch queue add recipe.yaml`
struct QueueAddCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "add", abstract: "Add recipes, requests, folders or run folders.",
    discussion: """
      They are read when their turn comes; relative paths refer to the folder in which they were added. Options of the run follow \
      after --with: sdbatch queue add fish.yaml --with --set steps=30. Exit codes: 0; 10 not found, or a wrong option; 74 not written.
      """)

  @Argument(help: "What to run.", completion: .file())
  var paths: [String]

  @Option(help: "urgent interrupts the running entry; low comes after all others.")
  var priority = QueueEntry.Priority.normal

  @Option(help: ArgumentHelp("Pause it at the next time that the clock shows this.", valueName: "HH:MM"))
  var until: TimeOfDay?

  @Option(
    name: .customLong("with"), parsing: .remaining,
    help: ArgumentHelp("Options of the run: everything after this.", valueName: "options"))
  var arguments: [String] = []

  func run() throws {
    let queue = try QueueCommand.folder()
    let folder = FileManager.default.currentDirectoryPath
    // Mistakes are reported now, and not at night.
    _ = try RunCommand.parse(["recipe.yaml"] + arguments)
    let absolute = try paths.map { path in
      guard access(path, F_OK) == 0 else { throw RunError.notRead(path: path, code: errno) }
      return RunFolder(path).path
    }
    for path in absolute {
      let entry = try queue.add(
        path, in: folder, arguments: arguments, priority: priority,
        until: until.map { $0.next(after: time(nil)) })
      Console.output("\(entry.id)\t\(path)")
    }
    if queue.holder == nil { Console.error("note: no process runs the queue; to start one: sdbatch queue run") }
  }
}

/// `sdbatch queue list`
struct QueueListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the queue in the order in which it runs.")

  @Flag(help: "Also list entries that have ended, newest first.")
  var all = false

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let queue = try QueueCommand.folder()
    let (entries, running, holder) = (try queue.entries(), queue.running, queue.holder)
    let results = all ? try queue.results() : []
    if json {
      Console.output(
        json: JSONValue.object([
          JSONMember("folder", .string(queue.path)), JSONMember("paused", .bool(queue.isPaused)),
          JSONMember("runner", holder.map { .string($0) } ?? .null),
          JSONMember("running", running.map { .integer(Int64($0)) } ?? .null),
          JSONMember("entries", .array(entries.map(\.json))), JSONMember("results", .array(results.map(\.json))),
        ]).jsonText)
      return
    }
    if queue.isPaused { Console.output("the queue is paused: sdbatch queue resume") }
    if entries.isEmpty { Console.output("the queue is empty") }
    var rows = entries.map { entry in
      [
        "\(entry.id)", state(entry, running), entry.priority.rawValue,
        entry.until.map { Self.clock($0) } ?? "-", TimeText.local(entry.added), Self.text(entry),
      ]
    }
    rows += results.map { result in
      [
        "\(result.entry.id)", result.code.map { $0 == 0 ? "done" : "exit \($0)" } ?? "removed",
        result.entry.priority.rawValue, "-", TimeText.local(result.finished), Self.text(result.entry),
      ]
    }
    guard !rows.isEmpty else { return }
    for line in TextTable.lines(["id", "state", "priority", "until", "added", "what"], rows, left: [0, 1, 2, 5]) {
      Console.output(line)
    }
    if holder == nil, !entries.isEmpty { Console.output("no process runs the queue; to start one: sdbatch queue run") }
  }

  private func state(_ entry: QueueEntry, _ running: Int?) -> String {
    if entry.isPaused { return entry.note.map { "paused (\($0))" } ?? "paused" }
    return entry.id == running ? "running" : "waiting"
  }

  private static func clock(_ seconds: Int) -> String {
    TimeText.local(Timestamp(milliseconds: Int64(seconds) * 1000).iso)
  }

  private static func text(_ entry: QueueEntry) -> String {
    let name =
      entry.path.hasPrefix(entry.folder + "/") ? String(entry.path.dropFirst(entry.folder.count + 1)) : entry.path
    return ([name] + entry.arguments).joined(separator: " ").printableLine
  }
}

/// `sdbatch queue move ID`
struct QueueMoveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "move", abstract: "Change an entry's position or priority.",
    discussion: "Exit codes: 0; 10 no such entry; 74 not written.")

  @Argument(help: "The number of the entry.")
  var id: Int

  @Flag(help: "Before all others of its priority.")
  var first = false

  @Flag(help: "After all others of its priority.")
  var last = false

  @Option(help: ArgumentHelp("Before another entry, with its priority.", valueName: "id"))
  var before: Int?

  @Option(help: ArgumentHelp("After another entry, with its priority.", valueName: "id"))
  var after: Int?

  @Option(help: "Another priority.")
  var priority: QueueEntry.Priority?

  func validate() throws {
    let places = [first, last, before != nil, after != nil].count { $0 }
    if places > 1 { throw ValidationError("--first, --last, --before and --after exclude each other") }
    if places == 0, priority == nil {
      throw ValidationError("say where to move it: --first, --last, --before, --after or --priority")
    }
    if priority != nil, before != nil || after != nil {
      throw ValidationError("next to another entry, an entry has that entry's priority; leave --priority out")
    }
  }

  func run() throws {
    let queue = try QueueCommand.folder()
    if let priority { try queue.change(id) { $0.priority = priority } }
    let place: QueueFolder.Place? =
      first ? .first : last ? .last : before.map { .before($0) } ?? after.map { .after($0) }
    if let place { try queue.move(id, to: place) }
  }
}

/// `sdbatch queue pause [ID...]`
struct QueuePauseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pause", abstract: "Pause entries, or the whole queue; the running entry stops at its next step.")

  @Argument(help: "The numbers of the entries; the whole queue without any.")
  var ids: [Int] = []

  func run() throws {
    let queue = try QueueCommand.folder()
    if ids.isEmpty { return try queue.pause(true) }
    for id in ids { try queue.change(id) { ($0.isPaused, $0.note) = (true, nil) } }
  }
}

/// `sdbatch queue resume [ID...]`
struct QueueResumeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resume", abstract: "Resume paused entries, or the whole queue.")

  @Argument(help: "The numbers of the entries; the whole queue without any.")
  var ids: [Int] = []

  @Option(help: ArgumentHelp("Pause them again at the next time that the clock shows this.", valueName: "HH:MM"))
  var until: TimeOfDay?

  func validate() throws {
    if until != nil, ids.isEmpty { throw ValidationError("--until needs the numbers of entries") }
  }

  func run() throws {
    let queue = try QueueCommand.folder()
    if ids.isEmpty { return try queue.pause(false) }
    let until = until.map { $0.next(after: time(nil)) }
    for id in ids { try queue.change(id) { ($0.isPaused, $0.note, $0.until) = (false, nil, until) } }
  }
}

/// `sdbatch queue remove ID...`
struct QueueRemoveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove",
    abstract: "Remove entries; the running entry stops at its next step, and its run folder stays.")

  @Argument(help: "The numbers of the entries.")
  var ids: [Int]

  func run() throws {
    let queue = try QueueCommand.folder()
    for id in ids where try !queue.finish(id, code: nil) { throw QueueError.noEntry(id) }
  }
}

/// `sdbatch queue run`
struct QueueRunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run the queue, one entry at a time, urgent entries first.",
    discussion: """
      An urgent entry interrupts the running entry at its next step; that entry continues afterwards from its checkpoint. Models \
      stay loaded from one entry to the next. Exit codes: the worst code of all entries, as for a folder of recipes; 11 another \
      process runs the queue; 75 and 130 stopped: the next one continues.
      """)

  @Flag(help: "Wait for more entries until the process is stopped, and take files from the spool folder.")
  var watch = false

  @Option(
    help: ArgumentHelp(
      "A folder for recipes and requests, which are renamed into it (default with --watch: spool/ next to the queue).",
      valueName: "folder"), completion: .directory)
  var spool: String?

  @Option(help: ArgumentHelp("Stop at the next time that the clock shows this.", valueName: "HH:MM"))
  var until: TimeOfDay?

  @Option(help: ArgumentHelp("Stop after this long: 7h, 90m, 1h30m, 45s.", valueName: "time"))
  var maxTime: TimeSpan?

  @Flag(help: "Print one JSON object per line.")
  var json = false

  @Flag(help: "Print errors and one line at the end of each run, for cron mail.")
  var summary = false

  @Flag(name: .shortAndLong, help: "Print errors and warnings only.")
  var quiet = false

  @Option(help: "Lower the priority of the process, from 0 (normal) to 19 (lowest).")
  var nice: Int?

  func validate() throws {
    if [json, quiet, summary].count(where: { $0 }) > 1 {
      throw ValidationError("--json, --quiet and --summary exclude each other")
    }
    if let nice, !(0...19).contains(nice) { throw ValidationError("--nice takes 0 to 19") }
  }

  func run() throws {
    RunCommand.prepareProcess(nice: nice)
    let queue = try QueueCommand.folder()
    let folder =
      spool.map { RunFolder($0).path } ?? (watch ? (queue.path as NSString).deletingLastPathComponent + "/spool" : nil)
    let style: ProgressPrinter.Style =
      json ? .json : quiet ? .quiet : summary ? .summary : Console.isTerminal ? .live : .lines
    // Between entries there is nothing to save, but the end of an entry must not be noted twice.
    StopSignals.install()
    let runner = QueueRunner(
      queue, spool: folder.map { QueueSpool($0, into: queue) }, style: style,
      stopTime: StopTime(until: until, maxTime: maxTime?.duration))
    let status = try runner.run(isWatching: watch)
    if status != .done { throw status }
  }
}
