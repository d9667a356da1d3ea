import ArgumentParser
import Foundation
import Tensors

/// Checks kernels against portable C at the shapes of real networks, then times them.
struct KernelBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kernels",
    abstract: "Check, then time, convolutions, linear layers and attention at the shapes of real networks.",
    discussion: """
      Each layer is checked against the plain algorithm in portable C before it is timed. GFLOP/s count the operations of \
      the plain algorithm, so Winograd's may exceed the peak. * marks the algorithm that networks use.
      """)

  @Option(help: "The instruction set; may be repeated (default: the best one of this machine).")
  var isa: [String] = []

  @Option(help: "fp32, bf16 or int8; may be repeated (default: all).")
  var precision: [String] = Precision.allCases.map(\.rawValue)

  @Option(help: "Only shapes whose name contains this text.")
  var shape: String?

  @OptionGroup var options: BenchOptions

  func run() throws {
    let available = Kernels.available
    let chosen = try isa.map { name in
      guard let kernels = available.first(where: { $0.name == name }) else {
        throw ValidationError(
          "--isa is \"\(name)\", expected one of \(available.map(\.name).joined(separator: ", "))")
      }
      return kernels
    }
    let precisions = try precision.map { name in
      guard let precision = Precision(rawValue: name) else {
        throw ValidationError("--precision is \"\(name)\", expected fp32, bf16 or int8")
      }
      return precision
    }
    let shapes = KernelShape.all.filter { $0.name.contains(shape ?? "") || shape == nil }
    guard !shapes.isEmpty else {
      throw ValidationError(
        "no shape contains \"\(shape ?? "")\"; the shapes are \(KernelShape.all.map(\.name).joined(separator: "; "))")
    }
    let peaks = MachinePeaks(threads: options.threadCount)
    var report = BenchReport(options)
    for kernels in chosen.isEmpty ? [try Kernels.forThisMachine()] : chosen {
      for precision in precisions {
        report.begin("\(kernels.name), \(precision)")
        let compute = Compute(kernels: kernels, threadCount: options.threadCount, precision: precision)
        let peak = peaks.rate(isa: kernels.name, precision: precision.rawValue)
        for shape in shapes {
          for algorithm in shape.algorithms(precision) { bench(shape, algorithm, compute, peak: peak, &report) }
        }
      }
    }
    report.finish()
  }

  private func bench(
    _ shape: KernelShape, _ algorithm: ConvolutionAlgorithm, _ compute: Compute, peak: Double?,
    _ report: inout BenchReport
  ) {
    let algorithms = shape.algorithms(compute.precision)
    let mark = algorithms.count > 1 && algorithm == shape.chosen(compute.elementType) ? "*" : ""
    let name = shape.name + (algorithms.count > 1 ? " \(algorithm.rawValue)\(mark)" : "")
    let error = self.error(shape.sample, algorithm, compute)
    // Attention takes exp of the scores, which amplifies their quantisation errors.
    let factor: Float = shape.isAttention && compute.precision == .int8 ? 3 : 1
    guard error <= factor * Self.bound(algorithm, compute.precision) else {
      report.add(name, note: "differs from portable C by \(error) of the largest value, so it is not timed")
      return
    }
    if compute.precision == .int8, !shape.isAttention {
      let difference = self.difference(shape.sample, algorithm, compute)
      guard difference <= Self.bound(.direct, .bf16) else {
        report.add(
          name, note: "differs from int8 in portable C by \(difference) of the largest value, so it is not timed")
        return
      }
    }
    let run = shape.output(algorithm, compute, numbers: compute.elementType)
    _ = run()
    let time = Stopwatch(repeats: options.repeats) { _ = run() }
    let rate = shape.operations / time.median
    report.add(
      name, time: time, rate: rate, share: peak.map { rate / $0 },
      note: "error " + String(format: "%.1e", error))
    compute.workspace.trim()
  }

  /// The largest difference from the plain algorithm in portable C in fp32, relative to the largest value.
  private func error(_ sample: KernelShape, _ algorithm: ConvolutionAlgorithm, _ compute: Compute) -> Float {
    let reference = Compute(kernels: Kernels.available[0], threadCount: options.threadCount)
    return Self.difference(
      sample.output(algorithm, compute, numbers: compute.elementType)(),
      sample.output(.direct, reference, numbers: compute.elementType)())
  }

  /// The largest difference from the same quantised layer in portable C, whose integer sums are the same.
  private func difference(_ sample: KernelShape, _ algorithm: ConvolutionAlgorithm, _ compute: Compute) -> Float {
    let reference = Compute(
      kernels: Kernels.available[0], threadCount: options.threadCount, precision: compute.precision)
    return Self.difference(
      sample.output(algorithm, compute, numbers: compute.elementType)(),
      sample.output(algorithm, reference, numbers: compute.elementType)())
  }

  private static func difference(_ found: Tensor, _ expected: Tensor) -> Float {
    let expected = expected.values
    let scale = expected.map(\.magnitude).max() ?? 0
    return zip(found.values, expected).reduce(0) { max($0, ($1.0 - $1.1).magnitude) } / scale
  }

  /// The largest error that is accepted.
  ///
  /// In fp32, sums are in another order, and F(4x4) amplifies rounding. In bf16, results are rounded to 8 bits, and so are
  /// attention's softmax results and Winograd's windows and weights. In int8, each number has an error of up to 1/255 of its
  /// row's range, which averages out over a sum. Winograd's windows are sums of four pixels, so their range is larger.
  private static func bound(_ algorithm: ConvolutionAlgorithm, _ precision: Precision) -> Float {
    switch (algorithm, precision) {
    case (.direct, .fp32), (.winograd2, .fp32), (.winograd4, .fp32): 1e-5
    case (.direct, .bf16): 8e-3
    case (.winograd2, .bf16), (.winograd4, .bf16): 1.5e-2
    case (.direct, .int8): 2e-2
    case (.winograd2, .int8), (.winograd4, .int8): 4e-2
    }
  }
}
