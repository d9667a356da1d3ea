import ArgumentParser
import Foundation
import Tensors

/// Checks each instruction set's products against portable C on the shapes of SD 1.5, then times them.
struct KernelBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kernels", abstract: "Check, then time, convolutions and linear layers of every instruction set.")

  @OptionGroup var options: BenchOptions

  private struct Shape {
    let name: String
    let batch: Int
    let side: Int
    let inputs: Int
    let outputs: Int
    let taps: Int

    var gigaflops: Double { 2e-9 * Double(batch * side * side * inputs * outputs * taps) }
  }

  /// Layers of SD 1.5 at 512x512 that take most of its time, from the highest resolution down; the last two are the VAE's.
  private static let shapes = [
    Shape(name: "conv 64x64 320->320", batch: 2, side: 64, inputs: 320, outputs: 320, taps: 9),
    Shape(name: "conv 64x64 960->320", batch: 2, side: 64, inputs: 960, outputs: 320, taps: 9),
    Shape(name: "conv 32x32 640->640", batch: 2, side: 32, inputs: 640, outputs: 640, taps: 9),
    Shape(name: "conv 16x16 2560->1280", batch: 2, side: 16, inputs: 2560, outputs: 1280, taps: 9),
    Shape(name: "conv 8x8 1280->1280", batch: 2, side: 8, inputs: 1280, outputs: 1280, taps: 9),
    Shape(name: "linear 4096 320->2560", batch: 2, side: 64, inputs: 320, outputs: 2560, taps: 1),
    Shape(name: "linear 1024 2560->640", batch: 2, side: 32, inputs: 2560, outputs: 640, taps: 1),
    Shape(name: "conv 256x256 256->256", batch: 1, side: 256, inputs: 256, outputs: 256, taps: 9),
    Shape(name: "conv 512x512 128->128", batch: 1, side: 512, inputs: 128, outputs: 128, taps: 9),
  ]

  func run() throws {
    let threads = options.threadCount
    let peaks = MachinePeaks(threads: threads)
    var report = BenchReport(options)
    for (kernels, type) in Kernels.available.flatMap({ kernels in ElementType.allCases.map { (kernels, $0) } }) {
      // Others do bfloat16 in floats.
      guard type == .fp32 || kernels.fastestElementType == type else { continue }
      report.begin("\(kernels.name), \(type.rawValue)")
      let peak = peaks.rate(isa: kernels.name, precision: type.rawValue)
      let compute = Compute(kernels: kernels, threadCount: threads, elementType: type)
      let reference = Compute(kernels: Kernels.available[0], threadCount: threads, elementType: type)
      for shape in Self.shapes {
        let small = Shape(
          name: shape.name, batch: 1, side: min(shape.side, 9), inputs: shape.inputs, outputs: 48, taps: shape.taps)
        let found = output(small, compute)()
        let expected = output(small, reference)()
        let scale = expected.values.map(\.magnitude).max() ?? 0
        let difference = zip(found.values, expected.values).map { ($0 - $1).magnitude }.max() ?? 0
        // Sums in another order; in bfloat16 the last of eight digits may then be rounded the other way.
        guard difference <= (type == .fp32 ? 1e-5 : 0x1p-7) * scale else {
          report.add(shape.name, note: "differs from portable C by \(difference / scale): not timed")
          continue
        }
        let run = output(shape, compute)
        _ = run()
        let watch = Stopwatch(repeats: options.repeats) { _ = run() }
        let rate = shape.gigaflops * 1e9 / watch.median
        report.add(shape.name, time: watch, rate: rate, share: peak.map { rate / $0 })
      }
    }
    report.finish()
  }

  private func output(_ shape: Shape, _ compute: Compute) -> () -> Tensor {
    let plain = compute.tensor(
      batch: shape.batch, height: shape.side, width: shape.side, channels: shape.inputs, elementType: .fp32)
    for image in 0..<shape.batch {
      for y in 0..<shape.side {
        let row = plain.pixel(image, y, 0)
        for index in 0..<shape.side * shape.inputs { row[index] = Float((index * 37 + y) % 101) * 0.02 - 1 }
      }
    }
    let x = shape.taps == 9 ? compute.bordered(compute.converted(plain)) : compute.converted(plain)
    let weights = (0..<shape.outputs * shape.inputs * shape.taps).map { Float(($0 * 53) % 97) * 0.02 - 0.97 }
    let matrix = PanelMatrix(
      weights: weights, bias: nil, outputs: shape.outputs, inputs: shape.inputs, taps: shape.taps, compute: compute)
    return { shape.taps == 9 ? compute.convolution3x3(x, matrix) : compute.product(x, matrix) }
  }
}
