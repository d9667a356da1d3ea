import ArgumentParser
import Recipes

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
      InspectCommand.self, ReproduceCommand.self, UpscaleCommand.self, RestoreCommand.self,
      SchemaCommand.self,
    ],
    defaultSubcommand: RunCommand.self)

  /// Parses and runs; every error leaves with the exit code that the README documents.
  static func main() {
    Console.openClosedStreams()
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let status as ExitStatus {
      exit(withError: status.exitCode)
    } catch let errors as RecipeErrors {
      Console.diagnostics("\(errors)")
      exit(withError: ExitStatus.unusableInput.exitCode)
    } catch {
      guard let status = ExitStatus(error) else { exit(withError: error) }
      Console.error(ExitStatus.message(error))
      exit(withError: status.exitCode)
    }
  }
}
