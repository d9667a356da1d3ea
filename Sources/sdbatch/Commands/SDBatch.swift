import ArgumentParser
import Glibc
import Recipes
import Runs
import Text

/// Offline batches of Stable Diffusion images from a recipe, on plain CPUs.
@main
struct SDBatch: ParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "sdbatch",
    abstract: "Make a grid of Stable Diffusion images from a recipe, on the CPU and offline.",
    usage: """
      sdbatch <recipe.yaml> [<options>]
             sdbatch <command> [<options>]
      """,
    discussion: """
      "sdbatch recipe.yaml" is short for "sdbatch run recipe.yaml". A run never makes a finished image again: after an \
      interruption or a change of the recipe, run the same command again. "sdbatch help topics" lists the pages of the manual.
      """,
    version: version,
    subcommands: [
      RunCommand.self, PlanCommand.self, StatusCommand.self, CollectCommand.self, SlurmCommand.self, SheetCommand.self,
      OpenCommand.self, VerifyCommand.self, WhyCommand.self, InitCommand.self, ModelsCommand.self,
      NightsCommand.self, ForgetCommand.self, InstallNightlyCommand.self, DoctorCommand.self,
      QueueCommand.self,
      InspectCommand.self, ReproduceCommand.self, UpscaleCommand.self, RestoreCommand.self,
      SchemaCommand.self,
    ],
    defaultSubcommand: RunCommand.self)

  /// Parses the arguments and runs the command; every error ends with the exit code that the manual documents.
  static func main() {
    Console.openClosedStreams()
    guard access("/proc/self/cmdline", R_OK) == 0 else {
      // Swift itself reads the arguments from there.
      Console.error("/proc is not mounted, but sdbatch reads its arguments from there: mount -t proc proc /proc")
      Console.finish(.internalError)
    }
    let arguments = Array(CommandLine.arguments.dropFirst())
    if let page = HelpTopic.text(for: arguments) {
      Console.output(text: page)
      Console.finish(.done)
    }
    if let script = CompletionScript.text(for: arguments) {
      Console.output(text: script)
      Console.finish(.done)
    }
    if let hint = commandHint(arguments) {
      Console.error(hint)
      Console.finish(code: EX_USAGE)
    }
    do {
      var command = try parseAsRoot(arguments)
      try command.run()
      Console.finish(.done)
    } catch {
      if let status = report(error) { Console.finish(status) }
      // Help, the version, completions, and mistakes of the command line.
      let code = exitCode(for: error)
      let text = fullMessage(for: error)
      if !text.isEmpty {
        if code.isSuccess { Console.output(text: text) } else { Console.diagnostics(text) }
      }
      Console.finish(code: code.rawValue)
    }
  }

  /// Prints an error, and returns its exit code; nil for errors of the command line, which ArgumentParser prints.
  static func report(_ error: any Error) -> ExitStatus? {
    if let status = error as? ExitStatus { return status }
    if let errors = error as? RecipeErrors {
      Console.diagnostics("\(errors)")
      return .unusableInput
    }
    if let failures = error as? InputFailures {
      // Each message is a separate error.
      for message in failures.messages { Console.error(message) }
      return ExitStatus(failures) ?? .unusableInput
    }
    guard let status = ExitStatus(error) else { return nil }
    Console.error(ExitStatus.message(error))
    return status
  }

  /// A guess at the meaning of a first argument that is neither a command nor a file; nil unless it resembles a command.
  private static func commandHint(_ arguments: [String]) -> String? {
    guard let word = arguments.first, !word.hasPrefix("-"), !word.contains("/"), access(word, F_OK) != 0 else {
      return nil
    }
    let names = configuration.subcommands.compactMap { $0.configuration.commandName } + ["help"]
    guard !names.contains(word), let name = NearestName.find(word, among: names) else { return nil }
    return "\(word.abridged): no such command or file (did you mean \"\(name)\"?)"
  }
}
