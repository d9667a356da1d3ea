import ArgumentParser

/// `sdbatch plan recipe.yaml`
struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Preview a recipe: number of jobs, time, memory and disk. Makes no images.",
    discussion: """
      Time and memory are estimated from earlier images with the same model, size and precision on this machine; they are unknown \
      if there are none. Exits with 10 if a run would.
      """)

  @OptionGroup var options: RecipeOptions

  @Option(help: "How many cells to show.")
  var cells = 10

  @Option(
    name: .shortAndLong, help: "Threads that the run will have (default: one for each core that the process may use).")
  var threads: Int?

  @Flag(help: "Write the plan into the run folder, for shards.")
  var freeze = false

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    if cells < 0 { throw ValidationError("--cells takes a number from 0 on") }
    if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads takes 1 to 1024") }
  }

  func run() throws {
    try PlanView(options: options, cells: cells, threads: threads, freezes: freeze, isJSON: json).show()
  }
}
