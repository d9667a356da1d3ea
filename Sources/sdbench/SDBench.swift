import ArgumentParser

/// Times the inference core and the keeping of books; what it prints is the only source of claims about speed.
@main
struct SDBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sdbench",
    abstract: "Time the inference core on this machine.",
    discussion: "Compare figures of one run, on an otherwise idle machine. SDBATCH_ISA chooses an instruction set.",
    subcommands: [ModelBench.self, KernelBench.self, RunBench.self])
}

/// Options that every benchmark has.
struct BenchOptions: ParsableArguments {
  @Option(help: "Threads to compute with (default: one for each core that the process may use).")
  var threads: Int?

  @Option(help: "Times to repeat each measurement; the median and the smallest are printed.")
  var repeats = 3
}
