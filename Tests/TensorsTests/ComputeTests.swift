import Glibc
import Testing
import TestSupport

@testable import Tensors

extension Compute {
  /// A sequence with these values.
  func tensor(_ shape: [Int], _ values: [Float]) -> Tensor {
    let tensor = tensor(batch: 1, height: 1, width: shape[0], channels: shape[1])
    for (index, value) in values.enumerated() { tensor.base[index] = value }
    return tensor
  }
}

extension ElementType {
  /// The nearest number of this type.
  func rounded(_ value: Float) -> Float { self == .fp32 ? value : widened(narrowed(value)) }

  /// The possible result types of operations on this type.
  var results: [ElementType] { self == .fp32 ? [.fp32] : ElementType.allCases }

  /// How much a result may differ, relative to the largest one. In floats, sums differ if their order differs.
  var rounding: Float { self == .fp32 ? 1e-5 : 0x1.1p-8 }
}

extension Double {
  static func exp(_ x: Double) -> Double { Glibc.exp(x) }
}

/// Whole operations, compared with the formula in double precision.
@Suite struct ComputeTests {
  /// In bfloat16, only the result is rounded, to 8 bits.
  @Test(arguments: Kernels.available, ConvolutionShape.all)
  func `a convolution agrees with the formula`(kernels: Kernels, shape: ConvolutionShape) {
    for elementType in ElementType.allCases {
      let compute = Compute(kernels: kernels, threadCount: 2, elementType: elementType)
      var random = SplitMix64(seed: shape.inputs)
      let precise = compute.with(.fp32)
      let x = precise.tensor(
        batch: shape.batch, height: shape.height, width: shape.width, channels: shape.inputs, border: 1)
      for image in 0..<shape.batch {
        for y in 0..<shape.height {
          for i in 0..<shape.width * shape.inputs { x.pixel(image, y, 0)[i] = elementType.rounded(random.float()) }
        }
      }
      let weights = random.floats(shape.outputs * shape.inputs * 9).map(elementType.rounded)
      let bias = random.floats(shape.outputs)
      let vectors = precise.tensor(batch: shape.batch, height: 1, width: 1, channels: shape.outputs)
      for index in 0..<vectors.count { vectors.base[index] = random.float() }
      let matrix = PanelMatrix(
        weights: weights, bias: bias, outputs: shape.outputs, inputs: shape.inputs,
        layer: .convolution(.direct), compute: compute)
      let residual = precise.tensor(
        batch: shape.batch, height: (shape.height - shape.start + shape.step - 1) / shape.step,
        width: (shape.width - shape.start + shape.step - 1) / shape.step, channels: shape.outputs)
      for index in 0..<residual.count { residual.base[index] = elementType.rounded(random.float()) }
      var expected: [Float] = []
      for image in 0..<shape.batch {
        for y in 0..<residual.height {
          for column in 0..<residual.width {
            for o in 0..<shape.outputs {
              var sum = Double(bias[o]) + Double(vectors.pixel(image, 0, 0)[o])
              for tap in 0..<9 {
                let (down, right) = (shape.start + tap / 3 - 1, shape.start + tap % 3 - 1)
                let pixel = x.pixel(image, y * shape.step + down, column * shape.step + right)
                for i in 0..<shape.inputs {
                  sum += Double(pixel[i]) * Double(weights[(o * shape.inputs + i) * 9 + tap])
                }
              }
              expected.append(Float(sum + Double(residual.pixel(image, y, column)[o])))
            }
          }
        }
      }
      let input = compute.converted(x, border: 1)
      for result in elementType.results {
        let found = compute.convolution3x3(
          input, matrix, step: shape.step, start: shape.start, vector: vectors, residual: compute.converted(residual),
          as: result)
        #expect(found.elementType == result)
        let difference = relativeDifference(found.values, expected)
        #expect(difference < result.rounding, "\(kernels.name) \(elementType) \(shape) differs by \(difference)")
      }
    }
  }

  /// 5000 and 12999 inputs take several passes over a panel; the last panel of the last matrix has a few columns only.
  @Test(
    arguments: Kernels.available,
    [
      (rows: 3, inputs: 5000, outputs: 33), (rows: 3, inputs: 12999, outputs: 33), (rows: 300, inputs: 20, outputs: 70),
    ])
  func `a linear layer agrees with the formula`(kernels: Kernels, shape: (rows: Int, inputs: Int, outputs: Int)) {
    for elementType in ElementType.allCases {
      let compute = Compute(kernels: kernels, threadCount: 2, elementType: elementType)
      var random = SplitMix64(seed: shape.rows)
      let precise = compute.with(.fp32)
      let x = precise.tensor(
        [shape.rows, shape.inputs], random.floats(shape.rows * shape.inputs).map(elementType.rounded))
      let residual = precise.tensor(
        [shape.rows, shape.outputs], random.floats(shape.rows * shape.outputs).map(elementType.rounded))
      let weights = random.floats(shape.outputs * shape.inputs).map(elementType.rounded)
      let matrix = PanelMatrix(
        weights: weights, bias: nil, outputs: shape.outputs, inputs: shape.inputs, layer: .linear,
        compute: compute)
      let expected = (0..<shape.rows * shape.outputs).map { index in
        let (row, o) = (index / shape.outputs, index % shape.outputs)
        return Float(
          (0..<shape.inputs).reduce(Double(residual.base[index])) {
            $0 + Double(x.base[row * shape.inputs + $1]) * Double(weights[o * shape.inputs + $1])
          })
      }
      let input = compute.converted(x)
      for result in elementType.results {
        let found = compute.product(input, matrix, residual: compute.converted(residual), as: result)
        let difference = relativeDifference(found.values, expected)
        #expect(difference < result.rounding, "\(kernels.name) \(elementType) \(shape) differs by \(difference)")
      }
    }
  }

  @Test(arguments: Kernels.available)
  func `a group norm agrees with the formula far from zero`(kernels: Kernels) {
    let compute = Compute(kernels: kernels, threadCount: 2)
    var random = SplitMix64(seed: 5)
    let (channels, groups, pixels) = (24, 3, 40 * 50)
    let x = compute.tensor(batch: 2, height: 40, width: 50, channels: channels)
    for index in 0..<x.count { x.base[index] = random.float() + 100 }
    let gamma = random.floats(channels)
    let beta = random.floats(channels)
    let found = compute.groupNorm(
      x, groups: groups, gamma: gamma, beta: beta, epsilon: 1e-5, activation: .silu, border: 1)
    var expected: [Float] = []
    for image in 0..<2 {
      let statistics = (0..<groups).map { group in
        let values = (0..<pixels).flatMap { pixel in
          (0..<channels / groups).map {
            Double(x.base[(image * pixels + pixel) * channels + group * channels / groups + $0])
          }
        }
        let mean = values.reduce(0, +) / Double(values.count)
        return (mean, values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count))
      }
      for index in 0..<pixels * channels {
        let c = index % channels
        let (mean, variance) = statistics[c * groups / channels]
        let normal = (Double(x.base[image * pixels * channels + index]) - mean) / (variance + 1e-5).squareRoot()
        let y = normal * Double(gamma[c]) + Double(beta[c])
        expected.append(Float(y / (1 + Double.exp(-y))))
      }
    }
    // The input's rounding, 100 · 2⁻²⁴, divided by a standard deviation of 0.58.
    #expect(relativeDifference(found.values, expected) < 5e-5)
    #expect((0..<52 * channels).allSatisfy { found.base[$0] == 0 })
  }

  @Test(arguments: Kernels.available, [1, 2, 3, 7])
  func `the bits do not depend on the number of threads`(kernels: Kernels, threads: Int) {
    func run(_ threadCount: Int) -> [Float] {
      let compute = Compute(kernels: kernels, threadCount: threadCount)
      var random = SplitMix64(seed: 9)
      let x = compute.tensor(batch: 1, height: 24, width: 20, channels: 48)
      for index in 0..<x.count { x.base[index] = random.float() }
      let convolution = PanelMatrix(
        weights: random.floats(96 * 48 * 9), bias: random.floats(96), outputs: 96, inputs: 48,
        layer: .convolution(.direct), compute: compute)
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

  @Test func `resizing copies the pixel that PyTorch's nearest copies`() {
    // torch.nn.functional.interpolate(torch.arange(6.).view(1, 1, 2, 3), size=(3, 5), mode="nearest")
    let compute = Compute(kernels: Kernels.available[0], threadCount: 1)
    let x = compute.tensor(batch: 1, height: 2, width: 3, channels: 1)
    for index in 0..<6 { x.base[index] = Float(index) }
    let found = compute.resizedNearest(x, height: 3, width: 5, border: 1).values
    #expect(found == [0, 0, 1, 1, 2, 0, 0, 1, 1, 2, 3, 3, 4, 4, 5])
  }

  @Test func `every part runs exactly once`() {
    let pool = WorkerPool(threadCount: 4)
    for count in [0, 1, 2, 3, 100, 5000] {
      let counts = UnsafeMutablePointer<Int>.allocate(capacity: max(count, 1))
      defer { counts.deallocate() }
      counts.initialize(repeating: 0, count: max(count, 1))
      pool.run(count) { counts[$0] += 1 }
      #expect((0..<count).allSatisfy { counts[$0] == 1 })
    }
  }
}
