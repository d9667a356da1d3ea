import ArgumentParser
import Diffusion
import Foundation
import Recipes
import Runs

/// `sdbatch install-nightly recipe.yaml`
struct InstallNightlyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "install-nightly",
    abstract: "Start a recipe every night, with a systemd timer or a line in the crontab.",
    discussion: """
      Writes and verifies a service and a timer for the user's systemd, or a line in the user's crontab, and shows what it wrote. \
      Relative output paths refer to the current folder. Options of the run follow after --with; the default is --summary. Exit codes: 0; \
      10 the recipe cannot be used, or the system refuses; 74 not written.
      """)

  @Argument(help: "The recipe.", completion: .file(extensions: ["yaml", "yml", "json", "jsonl"]))
  var recipe: String

  @Option(help: ArgumentHelp("The local time at which to start.", valueName: "HH:MM"))
  var at: TimeOfDay = .one

  @Flag(help: "Use cron.")
  var cron = false

  @Flag(help: "Use systemd (default if the user's systemd is running).")
  var systemd = false

  @Option(help: "The name of the task (default: the recipe's name).")
  var name: String?

  @Flag(help: "Remove what was installed for this recipe.")
  var remove = false

  @Flag(help: "Show what would be written, without changing anything.")
  var dryRun = false

  @Option(
    name: .customLong("with"), parsing: .remaining,
    help: ArgumentHelp("Options of the run: everything after this.", valueName: "options"))
  var arguments: [String] = []

  func validate() throws {
    if cron, at.second != 0 { throw ValidationError("--at with seconds needs --systemd") }
    if cron, systemd { throw ValidationError("--cron and --systemd exclude each other") }
    if let name, name.isEmpty || !name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }) {
      throw ValidationError("--name takes letters, digits and -")
    }
  }

  func run() throws {
    let name = name ?? NightlyTask.name(of: recipe)
    if remove { return try remove(name) }
    // Mistakes are reported now, and not at night.
    let parsed = try RecipeOptions.read(recipe)
    _ = try RunCommand.parse([recipe] + arguments)
    let path = RunFolder(recipe).path
    let folder = FileManager.default.currentDirectoryPath
    let program = Engine.executable
    guard ([path, folder, program] + arguments).allSatisfy({ !$0.contains { $0.isNewline } }) else {
      throw NightlyTaskError("a path or an option contains a line break, which cron and systemd do not allow")
    }
    let task = NightlyTask(
      name: name, program: program, recipe: path, folder: folder,
      arguments: arguments.isEmpty ? ["--summary"] : arguments, time: at)
    if !parsed.isNightly {
      Console.error(
        "note: \(recipe) has no nightly series, so only its first night makes images: nightly: {count: 16, keep: 30}")
    }
    try usesCron ? installLine(task) : installUnits(task)
  }

  private var usesCron: Bool {
    cron || !systemd && !SystemdUnits.isRunning && ExternalTool.path(of: "crontab") != nil
  }

  private func installLine(_ task: NightlyTask) throws {
    let line = CrontabLine(task: task)
    if dryRun {
      Console.output(line.text)
      return
    }
    Console.output(text: "added to the crontab:\n" + (try line.install()).trimmingCharacters(in: .newlines))
  }

  private func installUnits(_ task: NightlyTask) throws {
    let units = SystemdUnits(name: task.name)
    let lines = dryRun ? [] : try units.install(task)
    for file in units.files(task) {
      Console.output("\(file.path):")
      Console.output(text: file.text.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n"))
    }
    for line in lines { Console.output(line) }
  }

  private func remove(_ name: String) throws {
    var removed: [String] = []
    if !cron, try SystemdUnits(name: name).remove() { removed.append("the timer sdbatch-\(name)") }
    if !systemd, ExternalTool.path(of: "crontab") != nil, try CrontabLine.remove(name) {
      removed.append("the line of \(name) in the crontab")
    }
    guard !removed.isEmpty else { throw NightlyTaskError("nothing is installed under the name \(name)") }
    Console.output("removed " + removed.joined(separator: " and "))
  }
}
