import Testing
import TestSupport
import TensorFiles

@testable import Tensors

/// Whole operations in 8 bits against what NumPy makes of the same whole numbers
/// (`Tests/FixtureScripts/make_quantized_layers.py`), and against sums in double precision.
@Suite struct Int8ComputeTests {
  /// Tensors that NumPy wrote.
  private struct Layer {
    private let file: SafetensorsFile
    let name: String

    init(_ name: String) throws {
      file = try SafetensorsFile(path: Fixtures.path("Quantization/layers.safetensors"))
      self.name = name
    }

    func shape(_ part: String) throws -> [Int] { try #require(file.tensors[name + "." + part]).shape }

    func floats(_ part: String) throws -> [Float] { try #require(file.tensors[name + "." + part]).floats() }

    /// Channels last, in bf16, which holds all of the inputs exactly.
    func tensor(_ part: String, _ compute: Compute, border: Int = 0) throws -> Tensor {
      let shape = try Array(repeating: 1, count: 4 - shape(part).count) + shape(part)
      let x = compute.tensor(
        batch: shape[0], height: shape[1], width: shape[2], channels: shape[3], elementType: .fp32)
      for (index, value) in try floats(part).enumerated() { x.base[index] = value }
      return compute.converted(x, to: .bf16, border: border)
    }

    func matrix(
      _ compute: Compute, algorithm: ConvolutionAlgorithm = .direct, isGated: Bool = false
    ) throws -> PanelMatrix {
      let shape = try shape("weight")
      return PanelMatrix(
        weights: try floats("weight"), bias: try floats("bias"), outputs: shape[0], inputs: shape[1],
        taps: shape.dropFirst(2).reduce(1, *), algorithm: algorithm, isGated: isGated, compute: compute)
    }
  }

  private func compute(_ kernels: Kernels, threads: Int = 2) -> Compute {
    Compute(kernels: kernels, threadCount: threads, precision: .int8)
  }

  /// The whole numbers are the same; what follows them is rounded to 24 bits a few times.
  private static let bound: Float = 2e-6

  @Test(arguments: Kernels.available)
  func `a linear layer agrees with NumPy's whole numbers`(kernels: Kernels) throws {
    let (compute, layer) = (compute(kernels), try Layer("linear"))
    let matrix = try layer.matrix(compute)
    #expect(matrix.isQuantized)
    let (x, residual) = (try layer.tensor("x", compute), try layer.tensor("residual", compute))
    let expected = try layer.floats("output")
    let floats = compute.product(x, matrix, residual: residual, as: .fp32).values
    #expect(relativeDifference(floats, expected) < Self.bound)
    let rounded = compute.product(x, matrix, residual: residual)
    #expect(rounded.elementType == .bf16)
    #expect(relativeDifference(rounded.values, expected) < 0x1.1p-8)
  }

  @Test(arguments: Kernels.available)
  func `a gated layer agrees with NumPy's whole numbers`(kernels: Kernels) throws {
    let (compute, layer) = (compute(kernels), try Layer("gated"))
    let matrix = try layer.matrix(compute, isGated: true)
    let found = compute.product(try layer.tensor("x", compute), matrix, as: .fp32)
    #expect(try [found.width, found.channels] == layer.shape("output"))
    #expect(try relativeDifference(found.values, layer.floats("output")) < 1e-5)
  }

  @Test(arguments: Kernels.available, [("convolution", 1), ("halving", 2)])
  func `a convolution agrees with NumPy's whole numbers`(kernels: Kernels, layer: (name: String, step: Int)) throws {
    let compute = compute(kernels)
    let (fixture, step) = (try Layer(layer.name), layer.step)
    let found = compute.convolution3x3(
      try fixture.tensor("x", compute, border: 1), try fixture.matrix(compute), step: step,
      residual: try fixture.tensor("residual", compute), as: .fp32)
    #expect(try relativeDifference(found.values, fixture.floats("output")) < Self.bound)
  }

  /// Its result is rounded to bfloat16. A window's number that falls to the other side of a rounding moves a byte, which
  /// moves a result by 1/127 of one product of many.
  @Test(arguments: Kernels.available)
  func `Winograd's convolution agrees with NumPy's whole numbers`(kernels: Kernels) throws {
    let (compute, layer) = (compute(kernels), try Layer("winograd"))
    let found = compute.convolution3x3(
      try layer.tensor("x", compute, border: 1), try layer.matrix(compute, algorithm: .winograd2),
      residual: try layer.tensor("residual", compute))
    #expect(try relativeDifference(found.values, layer.floats("output")) < 0x1.1p-8 + 2e-3)
  }

  /// Layers of real networks and odd ones: images, channels in and out, step, way.
  struct Shape: Sendable, CustomStringConvertible {
    let height: Int
    let width: Int
    let inputs: Int
    let outputs: Int
    var step = 1
    var way = ConvolutionAlgorithm.direct
    var batch = 1

    var description: String { "\(batch)x\(height)x\(width), \(inputs) to \(outputs), step \(step), \(way)" }
  }

  static let shapes = [
    Shape(height: 1, width: 1, inputs: 3, outputs: 4), Shape(height: 5, width: 7, inputs: 33, outputs: 40, batch: 2),
    Shape(height: 8, width: 6, inputs: 320, outputs: 33, step: 2, batch: 2),
    Shape(height: 3, width: 3, inputs: 1500, outputs: 5), Shape(height: 2, width: 300, inputs: 8, outputs: 17),
    Shape(height: 1, width: 1, inputs: 3, outputs: 4, way: .winograd2),
    Shape(height: 5, width: 7, inputs: 961, outputs: 40, way: .winograd2, batch: 3),
    Shape(height: 65, width: 49, inputs: 20, outputs: 40, way: .winograd2),
    Shape(height: 8, width: 8, inputs: 320, outputs: 64, way: .winograd2, batch: 2),
  ]

  private func convolution(
    _ shape: Shape, _ compute: Compute, images: Range<Int>? = nil, padding: ConvolutionPadding = .zeros
  ) -> [Float] {
    var random = SplitMix64(seed: shape.inputs)
    let images = images ?? 0..<shape.batch
    let size = shape.height * shape.width * shape.inputs
    // As after SiLU: more above zero than below; images of different size.
    let pixels = (0..<shape.batch).map { image in
      random.floats(size).map { widened(narrowed(max($0, -0.2) * Float(image + 1))) }
    }
    let weights = random.floats(shape.outputs * shape.inputs * 9)
    let bias = random.floats(shape.outputs)
    let x = compute.tensor(
      batch: images.count, height: shape.height, width: shape.width, channels: shape.inputs, elementType: .fp32)
    for (index, value) in pixels[images].joined().enumerated() { x.base[index] = value }
    let matrix = PanelMatrix(
      weights: weights, bias: bias, outputs: shape.outputs, inputs: shape.inputs, taps: 9, algorithm: shape.way,
      compute: compute)
    return compute.with(padding).convolution3x3(compute.converted(x, border: 1), matrix, step: shape.step).values
  }

  /// A byte errs by up to 1/510 of its row's range, and so does a weight; over the sum errors of either sign make up for each
  /// other. Winograd's transforms enlarge what is left. A term that is missing or on the wrong place would change a result by a
  /// tenth of its size and more.
  @Test(arguments: Kernels.available, shapes)
  func `a quantised convolution is near the one in floats`(kernels: Kernels, shape: Shape) {
    for padding in [ConvolutionPadding.zeros, .circular] {
      let portable = Compute(kernels: Kernels.available[0], threadCount: 2)
      let plain = Shape(
        height: shape.height, width: shape.width, inputs: shape.inputs, outputs: shape.outputs, step: shape.step,
        batch: shape.batch)
      let expected = convolution(plain, portable, padding: padding)
      let difference = relativeDifference(convolution(shape, compute(kernels), padding: padding), expected)
      #expect(difference < (shape.way == .direct ? 2e-2 : 4e-2), "\(kernels.name) \(shape) differs by \(difference)")
    }
  }

  /// Scales are of a pixel, of a tile or of an image, never of a part of the work or of a batch.
  @Test(arguments: Kernels.available, shapes.filter { $0.inputs < 1000 })
  func `the bits depend neither on threads nor on batch mates`(kernels: Kernels, shape: Shape) {
    let expected = convolution(shape, compute(kernels, threads: 1))
    for threads in [2, 3, 7] { #expect(convolution(shape, compute(kernels, threads: threads)) == expected) }
    let alone = (0..<shape.batch).flatMap { convolution(shape, compute(kernels), images: $0..<$0 + 1) }
    #expect(alone == expected, "each image alone")
  }

  /// 12999 inputs take several passes over the panel.
  @Test(arguments: Kernels.available, [(rows: 3, inputs: 12999, outputs: 33), (rows: 300, inputs: 20, outputs: 70)])
  func `a quantised linear layer is near the one in floats, with the same bits on any number of threads`(
    kernels: Kernels, shape: (rows: Int, inputs: Int, outputs: Int)
  ) {
    func product(_ compute: Compute) -> [Float] {
      var random = SplitMix64(seed: shape.rows)
      let x = compute.tensor(batch: 1, height: 1, width: shape.rows, channels: shape.inputs, elementType: .fp32)
      for index in 0..<x.count { x.base[index] = widened(narrowed(random.float())) }
      let weights = random.floats(shape.outputs * shape.inputs)
      let matrix = PanelMatrix(
        weights: weights, bias: nil, outputs: shape.outputs, inputs: shape.inputs, taps: 1, compute: compute)
      return compute.product(compute.converted(x), matrix, as: .fp32).values
    }
    let found = product(compute(kernels, threads: 1))
    #expect(relativeDifference(found, product(Compute(kernels: Kernels.available[0], threadCount: 2))) < 1e-2)
    for threads in [2, 3, 7] { #expect(product(compute(kernels, threads: threads)) == found) }
  }

  @Test func `sums that might pass 31 bits are not quantised`() {
    let compute = compute(Kernels.available[0])
    func isQuantized(_ inputs: Int, taps: Int) -> Bool {
      PanelMatrix(outputs: 1, inputs: inputs, taps: taps, bias: nil, compute: compute) { _, weights in
        weights.update(repeating: 0, count: inputs * taps)
      }.isQuantized
    }
    #expect(isQuantized(66000, taps: 1) && !isQuantized(66001, taps: 1))
    #expect(isQuantized(7333, taps: 9) && !isQuantized(7334, taps: 9))
  }
}
