import Testing
import TestSupport
import TensorFiles

@testable import Tensors

extension PanelMatrix {
  fileprivate var isQuantized: Bool {
    switch layout.weights {
    case .fp32, .bf16: false
    case .int8: true
    }
  }
}

/// Whole operations in 8 bits, compared with NumPy's results for the same integers
/// (`Tests/FixtureScripts/make_quantized_layers.py`) and with operations in floats.
@Suite struct Int8ComputeTests {
  /// A layer's tensors, computed by NumPy.
  private struct Layer {
    private let file: SafetensorsFile
    let name: String

    init(_ name: String) throws {
      file = try SafetensorsFile(path: Fixtures.path("Quantization/layers.safetensors"))
      self.name = name
    }

    func shape(_ part: String) throws -> [Int] { try #require(file.tensors[name + "." + part]).shape }

    func floats(_ part: String) throws -> [Float] { try #require(file.tensors[name + "." + part]).floats() }

    /// A tensor with channels last, in bf16, which represents all inputs exactly.
    func tensor(_ part: String, _ compute: Compute, border: Int = 0) throws -> Tensor {
      let shape = try Array(repeating: 1, count: 4 - shape(part).count) + shape(part)
      let x = compute.tensor(
        batch: shape[0], height: shape[1], width: shape[2], channels: shape[3], elementType: .fp32)
      for (index, value) in try floats(part).enumerated() { x.base[index] = value }
      return compute.converted(x, to: .bf16, border: border)
    }

    func matrix(_ compute: Compute, _ layer: PanelMatrix.Layer) throws -> PanelMatrix {
      let shape = try shape("weight")
      return PanelMatrix(
        weights: try floats("weight"), bias: try floats("bias"), outputs: shape[0], inputs: shape[1], layer: layer,
        compute: compute)
    }
  }

  private func compute(_ kernels: Kernels, threads: Int = 2) -> Compute {
    Compute(kernels: kernels, threadCount: threads, precision: .int8)
  }

  /// The integers are the same; the floats computed from them are rounded a few times.
  private static let bound: Float = 2e-6

  @Test(arguments: Kernels.available)
  func `a linear layer agrees with NumPy's integers`(kernels: Kernels) throws {
    let (compute, layer) = (compute(kernels), try Layer("linear"))
    let matrix = try layer.matrix(compute, .linear)
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
  func `a gated layer agrees with NumPy's integers`(kernels: Kernels) throws {
    let (compute, layer) = (compute(kernels), try Layer("gated"))
    let matrix = try layer.matrix(compute, .gatedLinear)
    let found = compute.product(try layer.tensor("x", compute), matrix, as: .fp32)
    #expect(try [found.width, found.channels] == layer.shape("output"))
    #expect(try relativeDifference(found.values, layer.floats("output")) < 1e-5)
  }

  @Test(arguments: Kernels.available, [("convolution", 1), ("halving", 2)])
  func `a convolution agrees with NumPy's integers`(kernels: Kernels, layer: (name: String, step: Int)) throws {
    let compute = compute(kernels)
    let (fixture, step) = (try Layer(layer.name), layer.step)
    let found = compute.convolution3x3(
      try fixture.tensor("x", compute, border: 1), try fixture.matrix(compute, .convolution(.direct)), step: step,
      residual: try fixture.tensor("residual", compute), as: .fp32)
    #expect(try relativeDifference(found.values, fixture.floats("output")) < Self.bound)
  }

  /// Its result is rounded to bfloat16. A number of a window that is rounded to the other neighbour changes a byte by 1, and so
  /// a result by 1/127 of one of many products.
  @Test(arguments: Kernels.available)
  func `Winograd's convolution agrees with NumPy's integers`(kernels: Kernels) throws {
    let (compute, layer) = (compute(kernels), try Layer("winograd"))
    let found = compute.convolution3x3(
      try layer.tensor("x", compute, border: 1), try layer.matrix(compute, .convolution(.winograd2)),
      residual: try layer.tensor("residual", compute))
    #expect(try relativeDifference(found.values, layer.floats("output")) < 0x1.1p-8 + 2e-3)
  }

  /// Layers of real networks and unusual ones.
  struct Shape: Sendable, CustomStringConvertible {
    let height: Int
    let width: Int
    let inputs: Int
    let outputs: Int
    var step = 1
    var algorithm = ConvolutionAlgorithm.direct
    var batch = 1

    var description: String { "\(batch)x\(height)x\(width), \(inputs) to \(outputs), step \(step), \(algorithm)" }
  }

  static let shapes = [
    Shape(height: 1, width: 1, inputs: 3, outputs: 4), Shape(height: 5, width: 7, inputs: 33, outputs: 40, batch: 2),
    Shape(height: 8, width: 6, inputs: 320, outputs: 33, step: 2, batch: 2),
    Shape(height: 3, width: 3, inputs: 1500, outputs: 5), Shape(height: 2, width: 300, inputs: 8, outputs: 17),
    Shape(height: 1, width: 1, inputs: 3, outputs: 4, algorithm: .winograd2),
    Shape(height: 5, width: 7, inputs: 961, outputs: 40, algorithm: .winograd2, batch: 3),
    Shape(height: 65, width: 49, inputs: 20, outputs: 40, algorithm: .winograd2),
    Shape(height: 8, width: 8, inputs: 320, outputs: 64, algorithm: .winograd2, batch: 2),
  ]

  private func convolution(
    _ shape: Shape, _ compute: Compute, images: Range<Int>? = nil, padding: ConvolutionPadding = .zeros
  ) -> [Float] {
    var random = SplitMix64(seed: shape.inputs)
    let images = images ?? 0..<shape.batch
    let size = shape.height * shape.width * shape.inputs
    // As after SiLU, mostly above zero; and each image in another range.
    let pixels = (0..<shape.batch).map { image in
      random.floats(size).map { widened(narrowed(max($0, -0.2) * Float(image + 1))) }
    }
    let weights = random.floats(shape.outputs * shape.inputs * 9)
    let bias = random.floats(shape.outputs)
    let x = compute.tensor(
      batch: images.count, height: shape.height, width: shape.width, channels: shape.inputs, elementType: .fp32)
    for (index, value) in pixels[images].joined().enumerated() { x.base[index] = value }
    let matrix = PanelMatrix(
      weights: weights, bias: bias, outputs: shape.outputs, inputs: shape.inputs,
      layer: .convolution(shape.algorithm), compute: compute)
    return compute.with(padding).convolution3x3(compute.converted(x, border: 1), matrix, step: shape.step).values
  }

  /// A byte is off by up to 1/510 of its row's range, and a weight likewise; over a sum, errors of both signs cancel. Winograd's
  /// transforms amplify the rest. A missing or misplaced term would change a result by a tenth of its size or more.
  @Test(arguments: Kernels.available, shapes)
  func `a quantised convolution is near the one in floats`(kernels: Kernels, shape: Shape) {
    for padding in [ConvolutionPadding.zeros, .circular] {
      let portable = Compute(kernels: Kernels.available[0], threadCount: 2)
      let plain = Shape(
        height: shape.height, width: shape.width, inputs: shape.inputs, outputs: shape.outputs, step: shape.step,
        batch: shape.batch)
      let expected = convolution(plain, portable, padding: padding)
      let difference = relativeDifference(convolution(shape, compute(kernels), padding: padding), expected)
      #expect(
        difference < (shape.algorithm == .direct ? 2e-2 : 4e-2), "\(kernels.name) \(shape) differs by \(difference)")
    }
  }

  /// A scale belongs to a pixel, a tile or an image, never to a part of the work or a batch.
  @Test(arguments: Kernels.available, shapes.filter { $0.inputs < 1000 })
  func `the bits depend neither on threads nor on batch mates`(kernels: Kernels, shape: Shape) {
    let expected = convolution(shape, compute(kernels, threads: 1))
    for threads in [2, 3, 7] { #expect(convolution(shape, compute(kernels, threads: threads)) == expected) }
    let alone = (0..<shape.batch).flatMap { convolution(shape, compute(kernels), images: $0..<$0 + 1) }
    #expect(alone == expected, "each image in its own batch")
  }

  /// 12999 inputs take several passes over a panel.
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
        weights: weights, bias: nil, outputs: shape.outputs, inputs: shape.inputs, layer: .linear, compute: compute)
      return compute.product(compute.converted(x), matrix, as: .fp32).values
    }
    let found = product(compute(kernels, threads: 1))
    #expect(relativeDifference(found, product(Compute(kernels: Kernels.available[0], threadCount: 2))) < 1e-2)
    for threads in [2, 3, 7] { #expect(product(compute(kernels, threads: threads)) == found) }
  }

  @Test func `layers whose sums might exceed 31 bits are not quantised`() {
    let compute = compute(Kernels.available[0])
    func isQuantized(_ inputs: Int, _ layer: PanelMatrix.Layer) -> Bool {
      PanelMatrix(outputs: 1, inputs: inputs, bias: nil, layer: layer, compute: compute) { _, weights in
        weights.update(repeating: 0, count: inputs * layer.taps)
      }.isQuantized
    }
    #expect(isQuantized(66000, .linear) && !isQuantized(66001, .linear))
    #expect(isQuantized(7333, .convolution(.direct)) && !isQuantized(7334, .convolution(.direct)))
  }
}
