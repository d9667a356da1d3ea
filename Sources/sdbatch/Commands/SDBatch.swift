import ArgumentParser
import Recipes
import Runs

/// Offline batches of Stable Diffusion images from a recipe, on plain CPUs.
@main
struct SDBatch: ParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "sdbatch",
    abstract: "Make a grid of Stable Diffusion images from a recipe, on the CPU and offline.",
    discussion: """
      "sdbatch recipe.yaml" is short for "sdbatch run recipe.yaml". A run never makes an image again that it has finished: after \
      an interruption, or after editing the recipe, run the same command again.
      """,
    version: version,
    subcommands: [
      RunCommand.self, PlanCommand.self, StatusCommand.self, CollectCommand.self, SlurmCommand.self, SheetCommand.self,
      VerifyCommand.self, WhyCommand.self,
      InspectCommand.self, ReproduceCommand.self, UpscaleCommand.self, SchemaCommand.self,
    ],
    defaultSubcommand: RunCommand.self)

  /// Parses and runs; every error leaves with the exit code that the README documents.
  static func main() {
    Console.openClosedStreams()
    do {
      var command = try parseAsRoot()
      try command.run()
      Console.finish(.done)
    } catch let status as ExitStatus {
      Console.finish(status)
    } catch let errors as RecipeErrors {
      Console.diagnostics("\(errors)")
      Console.finish(.unusableInput)
    } catch let failures as InputFailures {
      // Each is an error of its own.
      for message in failures.messages { Console.error(message) }
      Console.finish(ExitStatus(failures) ?? .unusableInput)
    } catch {
      if let status = ExitStatus(error) {
        Console.error(ExitStatus.message(error))
        Console.finish(status)
      }
      // Help, the version, completions, and mistakes of the command line.
      let code = exitCode(for: error)
      let text = fullMessage(for: error)
      if !text.isEmpty {
        if code.isSuccess { Console.output(text: text) } else { Console.diagnostics(text) }
      }
      Console.finish(code: code.rawValue)
    }
  }
}
