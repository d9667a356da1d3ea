import ArgumentParser

/// Times the inference core and the keeping of books; what it prints is the only source of claims about speed.
@main
struct SDBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sdbench",
    abstract: "Time the inference core on this machine.",
    discussion: "Compare figures of one run, on an otherwise idle machine. SDBATCH_ISA chooses an instruction set.",
    subcommands: [PeakBench.self, KernelBench.self, ModelBench.self, RunBench.self])
}
