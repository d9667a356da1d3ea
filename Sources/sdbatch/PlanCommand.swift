import ArgumentParser
import Batch
import Jobs
import Planning

/// `sdbatch plan recipe.yaml`
struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan", abstract: "Show what a recipe comes to: jobs, steps and the first cells. Makes nothing.")

  @OptionGroup var options: RecipeOptions

  @Option(help: "How many cells to show.")
  var cells = 10

  func validate() throws {
    if cells < 0 { throw ValidationError("--cells takes a number from 0 on") }
  }

  func run() throws {
    let recipe = try options.read()
    let folder = options.folder(recipe)
    let stored = try SeedFile.read(SeedDraws.self, from: folder) ?? SeedDraws()
    var seeds = stored
    let plan = try Plan(recipe: recipe, environment: RecipeOptions.environment, seeds: &seeds)
    for warning in plan.warnings { Console.diagnostics("\(warning)") }

    Console.output("jobs         \(plan.count)")
    Console.output("total steps  \(plan.totalSteps)")
    Console.output("output       \(folder.path)")
    for axis in plan.axes {
      let names = axis.members.map(\.name).joined(separator: " + ")
      Console.output("axis         \(names): \(axis.count) \(axis.count == 1 ? "value" : "values")")
    }
    for (job, _) in zip(plan.jobs, 0..<cells) { Console.output(Self.line(job)) }
    if plan.count > cells { Console.output("... and \(plan.count - cells) more") }
    // A place in brackets is a value of an axis, which the lines above show.
    if seeds.seeds.keys.contains(where: { $0.contains("[") && stored.seeds[$0] == nil }) {
      Console.output("Seeds of -1 are drawn when the first run starts; those shown are examples.")
    }
  }

  /// "00003  cfg_scale=7 sampler_name=Euler a  20 steps, 512x512".
  private static func line(_ job: Job) -> String {
    let number = String(job.index)
    let padding = String(repeating: "0", count: max(5 - number.count, 0))
    let axes = job.axes.map { "\($0.name)=\($0.title)" }.joined(separator: "  ")
    let parameters = job.parameters
    let size = "\(parameters.width)x\(parameters.height)"
    return "\(padding)\(number)  \(axes)\(axes.isEmpty ? "" : "  ")\(parameters.steps) steps, \(size)"
  }
}
