import TestSupport
import Testing

@testable import Tensors

/// Whole operations in bfloat16 against the formula in double precision, on the same rounded numbers.
@Suite struct BF16ComputeTests {
  struct ConvolutionShape: Sendable {
    let height: Int
    let width: Int
    let inputs: Int
    let outputs: Int
    let step: Int
    var start = 0
    var batch = 1
  }

  static let convolutionShapes = [
    ConvolutionShape(height: 1, width: 1, inputs: 1, outputs: 1, step: 1),
    ConvolutionShape(height: 5, width: 7, inputs: 5, outputs: 33, step: 1, batch: 2),
    ConvolutionShape(height: 9, width: 12, inputs: 32, outputs: 4, step: 1),
    ConvolutionShape(height: 9, width: 7, inputs: 8, outputs: 40, step: 2, batch: 2),
    ConvolutionShape(height: 9, width: 8, inputs: 8, outputs: 40, step: 2, start: 1, batch: 2),
    ConvolutionShape(height: 2, width: 300, inputs: 3, outputs: 17, step: 1),
    // Wide enough that the taps are summed in several passes.
    ConvolutionShape(height: 3, width: 3, inputs: 1500, outputs: 5, step: 1),
  ]

  /// Only the result is rounded, to 8 bits.
  @Test(arguments: Kernels.available, convolutionShapes)
  func `a convolution agrees with the formula`(kernels: Kernels, shape: ConvolutionShape) {
    let compute = Compute(kernels: kernels, threadCount: 2, elementType: .bf16)
    var random = SplitMix64(seed: shape.inputs)
    let x = compute.tensor(
      batch: shape.batch, height: shape.height, width: shape.width, channels: shape.inputs, border: 1)
    for image in 0..<shape.batch {
      for y in 0..<shape.height {
        for i in 0..<shape.width * shape.inputs { x.pixel16(image, y, 0)[i] = narrowed(random.float()) }
      }
    }
    let weights = random.floats(shape.outputs * shape.inputs * 9).map { widened(narrowed($0)) }
    let bias = random.floats(shape.outputs)
    let vectors = compute.tensor(
      batch: shape.batch, height: 1, width: 1, channels: shape.outputs, elementType: .fp32)
    for index in 0..<vectors.count { vectors.base[index] = random.float() }
    let matrix = PanelMatrix(
      weights: weights, bias: bias, outputs: shape.outputs, inputs: shape.inputs, taps: 9, compute: compute)
    let residual = compute.tensor(
      batch: shape.batch, height: (shape.height - shape.start + shape.step - 1) / shape.step,
      width: (shape.width - shape.start + shape.step - 1) / shape.step, channels: shape.outputs)
    for index in 0..<residual.count { residual.base16[index] = narrowed(random.float()) }
    var expected: [Float] = []
    for image in 0..<shape.batch {
      for y in 0..<residual.height {
        for column in 0..<residual.width {
          for o in 0..<shape.outputs {
            var sum = Double(bias[o]) + Double(vectors.pixel(image, 0, 0)[o])
            for tap in 0..<9 {
              let (down, right) = (shape.start + tap / 3 - 1, shape.start + tap % 3 - 1)
              let pixel = x.pixel16(image, y * shape.step + down, column * shape.step + right)
              for i in 0..<shape.inputs {
                sum += Double(widened(pixel[i])) * Double(weights[(o * shape.inputs + i) * 9 + tap])
              }
            }
            expected.append(Float(sum + Double(widened(residual.pixel16(image, y, column)[o]))))
          }
        }
      }
    }
    for elementType in ElementType.allCases {
      let found = compute.convolution3x3(
        x, matrix, step: shape.step, start: shape.start, vector: vectors, residual: residual, as: elementType)
      #expect(found.elementType == elementType)
      let difference = relativeDifference(found.values, expected)
      #expect(
        difference < (elementType == .fp32 ? 1e-5 : 0x1.1p-8), "\(kernels.name) \(shape) differs by \(difference)")
    }
  }

  /// 12999 inputs take several passes over the panel; the second matrix has a panel of a few columns.
  @Test(arguments: Kernels.available, [(rows: 3, inputs: 12999, outputs: 33), (rows: 300, inputs: 20, outputs: 70)])
  func `a linear layer agrees with the formula`(kernels: Kernels, shape: (rows: Int, inputs: Int, outputs: Int)) {
    let compute = Compute(kernels: kernels, threadCount: 2, elementType: .bf16)
    var random = SplitMix64(seed: shape.rows)
    let x = compute.tensor16([shape.rows, shape.inputs], random.floats(shape.rows * shape.inputs))
    let residual = compute.tensor16([shape.rows, shape.outputs], random.floats(shape.rows * shape.outputs))
    let weights = random.floats(shape.outputs * shape.inputs).map { widened(narrowed($0)) }
    let matrix = PanelMatrix(
      weights: weights, bias: nil, outputs: shape.outputs, inputs: shape.inputs, taps: 1, compute: compute)
    let expected = (0..<shape.rows * shape.outputs).map { index in
      let (row, o) = (index / shape.outputs, index % shape.outputs)
      return Float(
        (0..<shape.inputs).reduce(Double(widened(residual.base16[index]))) {
          $0 + Double(widened(x.base16[row * shape.inputs + $1])) * Double(weights[o * shape.inputs + $1])
        })
    }
    for elementType in ElementType.allCases {
      let difference = relativeDifference(
        compute.product(x, matrix, residual: residual, as: elementType).values, expected)
      #expect(
        difference < (elementType == .fp32 ? 1e-5 : 0x1.1p-8), "\(kernels.name) \(shape) differs by \(difference)")
    }
  }

  @Test(arguments: Kernels.available)
  func `a group norm agrees with the one in floats`(kernels: Kernels) {
    let compute = Compute(kernels: kernels, threadCount: 2, elementType: .bf16)
    var random = SplitMix64(seed: 5)
    let (channels, groups) = (24, 3)
    let x = compute.tensor(batch: 2, height: 40, width: 50, channels: channels)
    for index in 0..<x.count { x.base16[index] = narrowed(random.float() + 5) }
    let gamma = random.floats(channels)
    let beta = random.floats(channels)
    let outputs = [x, compute.converted(x, to: .fp32)].map {
      compute.groupNorm($0, groups: groups, gamma: gamma, beta: beta, epsilon: 1e-5, activation: .silu, border: 1)
    }
    #expect(relativeDifference(outputs[0].values, outputs[1].values) < 0x1.1p-8)
    #expect((0..<52 * channels).allSatisfy { outputs[0].base16[$0] == 0 })
  }

  @Test(arguments: Kernels.available, [1, 2, 3, 7])
  func `the bits do not depend on the number of threads`(kernels: Kernels, threads: Int) {
    func run(_ threadCount: Int) -> [Float] {
      let compute = Compute(kernels: kernels, threadCount: threadCount, elementType: .bf16)
      var random = SplitMix64(seed: 9)
      let x = compute.tensor(batch: 1, height: 24, width: 20, channels: 48)
      for index in 0..<x.count { x.base16[index] = narrowed(random.float()) }
      let convolution = PanelMatrix(
        weights: random.floats(96 * 48 * 9), bias: random.floats(96), outputs: 96, inputs: 48, taps: 9, compute: compute
      )
      let normal = compute.groupNorm(
        x, groups: 8, gamma: random.floats(48), beta: random.floats(48), epsilon: 1e-5, activation: .silu, border: 1)
      let y = compute.convolution3x3(normal, convolution)
      let source = KeysValues(keys: y, values: y, image: 0, heads: 6, compute: compute)
      return compute.layerNorm(
        compute.attention(y, [source]), gamma: random.floats(96), beta: random.floats(96), epsilon: 1e-5
      ).values
    }
    #expect(run(1) == run(threads))
  }

  @Test func `conversion there and back keeps every bfloat16 number, and adds or takes a border`() {
    let compute = Compute(kernels: Kernels.available[0], threadCount: 2)
    let x = compute.tensor(batch: 2, height: 3, width: 5, channels: 7)
    for index in 0..<x.count { x.base[index] = widened(UInt16(0x3f80 + index)) }
    let there = compute.converted(x, to: .bf16, border: 1)
    #expect(there.values == x.values && there.border == 1)
    #expect((0..<there.rowStride).allSatisfy { there.base16[$0] == 0 })
    #expect(compute.converted(there, to: .fp32).values == x.values)
  }
}
