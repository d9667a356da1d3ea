import ArgumentParser
import Networks
import Runs
import Tensors

/// Times a language model that encodes prompts, including reading its layers.
struct EncoderBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "encoder", abstract: "Time a Qwen3 or T5 text encoder with a file's own weights.",
    discussion: """
      Layers are read one after the other, and released. So each time includes reading and packing all of them; the first \
      also reads them from the disk. Peak memory includes mapped files.
      """)

  @Argument(help: "A file or folder with a Qwen3 or T5 encoder.")
  var encoder: String

  @Option(help: "The number of tokens.")
  var tokens = 512

  @Option(help: "fp32 or bf16.")
  var precision = "bf16"

  @OptionGroup var options: BenchOptions

  func run() throws {
    guard let precision = Precision(rawValue: precision) else {
      throw ValidationError("--precision is \"\(precision)\", expected fp32 or bf16")
    }
    guard let archive = try TextEncoderArchive.open(path: encoder).first(where: { $0.kind != .clip }) else {
      throw ValidationError("\(encoder) contains neither a Qwen3 nor a T5")
    }
    let compute = Compute(
      kernels: try Kernels.forThisMachine(), threadCount: options.threadCount, precision: precision)
    let ids = (0..<Int32(tokens)).map { $0 * 7 % Int32(archive.vocabularySize) }
    var report = BenchReport(options)
    report.begin("\(archive.kind.title), \(archive.layerCount) layers, \(tokens) tokens, \(precision.rawValue)")
    PeakMemory.reset()
    let time = try Stopwatch(repeats: options.repeats) {
      if let qwen = archive.qwen3(compute) {
        _ = try qwen.encode([TokenSequence(ids)], layers: [archive.layerCount])
      } else {
        _ = try archive.t5(compute)?.encode([ids])
      }
    }
    report.add(
      "encode", time: time, peakMemory: PeakMemory.bytes, note: "works in \(compute.workspace.peakBytes >> 20) MiB")
    report.finish()
  }
}
