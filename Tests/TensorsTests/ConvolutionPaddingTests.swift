import Testing
import TestSupport

@testable import Tensors

/// Circular padding with every algorithm, compared with the convolution of an image that is repeated on all sides.
@Suite struct ConvolutionPaddingTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let algorithm: ConvolutionAlgorithm
    let elementType: ElementType
    let step: Int
    let height: Int
    let width: Int

    var testDescription: String { "\(algorithm), \(elementType), step \(step), \(height)x\(width)" }
  }

  static let cases = [(1, 1), (1, 6), (5, 2), (8, 8), (9, 13)].flatMap { height, width in
    [ElementType.fp32, .bf16].flatMap { elementType in
      [(ConvolutionAlgorithm.direct, 1), (.direct, 2), (.winograd2, 1), (.winograd4, 1)].map { algorithm, step in
        Case(algorithm: algorithm, elementType: elementType, step: step, height: height, width: width)
      }
    }
  }

  @Test(arguments: Kernels.available, cases)
  func `a circular convolution equals that of an image surrounded by its copies`(kernels: Kernels, testCase: Case) {
    let compute = Compute(kernels: kernels, threadCount: 2, elementType: testCase.elementType)
    let (height, width, channels, batch) = (testCase.height, testCase.width, 20, 2)
    var random = SplitMix64(seed: height * 100 + width)
    func numbers(_ count: Int) -> [Float] { random.floats(count).map { widened(narrowed($0)) } }
    let weights = numbers(channels * channels * 9)
    let matrix = PanelMatrix(
      weights: weights, bias: nil, outputs: channels, inputs: channels,
      layer: .convolution(testCase.algorithm), compute: compute)
    let values = numbers(batch * height * width * channels)
    // The image surrounded by copies, convolved directly.
    let precise = Compute(kernels: kernels, threadCount: 1)
    let plain = PanelMatrix(
      weights: weights, bias: nil, outputs: channels, inputs: channels, layer: .convolution(.direct),
      compute: precise)
    let image = precise.tensor(batch: batch, height: height, width: width, channels: channels)
    for (index, value) in values.enumerated() { image.base[index] = value }
    let repeated = precise.tensor(batch: batch, height: 3 * height, width: 3 * width, channels: channels)
    for b in 0..<batch {
      for y in 0..<3 * height {
        for x in 0..<3 * width {
          repeated.pixel(b, y, x).update(from: image.pixel(b, y % height, x % width), count: channels)
        }
      }
    }
    let wide = precise.convolution3x3(precise.bordered(repeated), plain)

    let x = compute.bordered(compute.converted(image))
    let found = compute.with(.circular).convolution3x3(x, matrix, step: testCase.step, as: .fp32)
    var largest: Float = 0
    for b in 0..<batch {
      for y in 0..<found.height {
        for x in 0..<found.width {
          let expected = wide.pixel(b, height + y * testCase.step, width + x * testCase.step)
          for c in 0..<channels { largest = max(largest, abs(found.pixel(b, y, x)[c] - expected[c])) }
        }
      }
    }
    // Sums of 180 products of numbers below 1, about 5 in size. In bf16 Winograd's transforms round to 8 bits.
    #expect(largest <= (testCase.elementType == .bf16 ? 0.5 : 2e-4))
  }
}
