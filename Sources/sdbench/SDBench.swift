import ArgumentParser

/// Times the inference core and the bookkeeping of a run. All claims about speed come from its output.
@main
struct SDBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sdbench",
    abstract: "Time the inference core on this machine.",
    discussion:
      "Compare figures of the same run only, on an otherwise idle machine. SDBATCH_ISA selects an instruction set.",
    subcommands: [PeakBench.self, KernelBench.self, ModelBench.self, EncoderBench.self, RunBench.self])
}
