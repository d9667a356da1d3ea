import Tensors
import Weights

/// A convolution of a network for face restoration; the batch norm after it is merged into its weights. Always in fp32.
///
/// A 1x1 convolution is a product over the pixels. A 3x3 convolution reads one pixel beyond the edges, and halves the image if
/// its step is 2.
final class FaceConvolution {
  private let name: String
  private let matrix: PanelMatrix
  private let kernel: Int
  private let step: Int

  /// How accurate a layer must be.
  enum Digits {
    /// The accuracy of the fastest algorithm.
    case fast
    /// Accurate enough for a choice between codes.
    case close
    /// Plain sums: if a face is found a thousandth of a pixel away, it is cut out with other pixels.
    case plain
  }

  /// The names of a batch norm's weights.
  struct Norm {
    let scope: WeightScope

    init(_ scope: WeightScope) { self.scope = scope }

    /// Added to the variance.
    static let epsilon = 1e-5
  }

  /// Reads `weight`, and `bias` if the layer has one.
  ///
  /// - Parameters:
  ///   - w: The weights of this layer.
  ///   - inputs: Input channels.
  ///   - outputs: Output channels.
  ///   - kernel: 1 or 3, or 7 for a product over the windows of `Compute.windows`.
  ///   - step: 1 or 2.
  ///   - hasBias: Whether the layer has a bias.
  ///   - norm: The batch norm after it.
  ///   - side: The approximate side of the image, which decides how the weights are packed, unless plain sums are requested.
  ///   - digits: How accurate the layer must be.
  ///   - compute: The kernels to pack for.
  /// - Throws: `WeightError`.
  init(
    _ w: WeightScope, inputs: Int, outputs: Int, kernel: Int = 3, step: Int = 1, hasBias: Bool = true,
    norm: Norm? = nil, side: Int = 0, digits: Digits = .fast, compute: Compute
  ) throws {
    name = w.path
    self.kernel = kernel
    self.step = step
    let area = kernel * kernel
    var weights = try w.floats("weight", shape: [outputs, inputs, kernel, kernel])
    var bias = hasBias ? try w.floats("bias", shape: [outputs]) : nil
    if let norm {
      let gamma = try norm.scope.floats("weight", shape: [outputs])
      let beta = try norm.scope.floats("bias", shape: [outputs])
      let mean = try norm.scope.floats("running_mean", shape: [outputs])
      let variance = try norm.scope.floats("running_var", shape: [outputs])
      var folded = [Float](repeating: 0, count: outputs)
      for output in 0..<outputs {
        let factor = Double(gamma[output]) / (Double(variance[output]) + Norm.epsilon).squareRoot()
        for i in output * inputs * area..<(output + 1) * inputs * area {
          weights[i] = Float(Double(weights[i]) * factor)
        }
        folded[output] = Float(Double(beta[output]) + (Double(bias?[output] ?? 0) - Double(mean[output])) * factor)
      }
      bias = folded
    }
    if kernel == 7 { weights = Self.byWindow(weights, outputs: outputs, inputs: inputs, area: area) }
    matrix = PanelMatrix(
      weights: weights, bias: bias, outputs: outputs, inputs: kernel == 3 ? inputs : inputs * area,
      layer: kernel == 3
        ? .convolution(
          Self.algorithm(inputs: inputs, outputs: outputs, step: step, side: side, digits: digits)) : .linear,
      compute: compute)
  }

  /// On small images, Winograd's algorithm is not worth its larger weights. Its smaller tile has almost the accuracy of plain
  /// sums.
  private static func algorithm(
    inputs: Int, outputs: Int, step: Int, side: Int, digits: Digits
  ) -> ConvolutionAlgorithm {
    let fastest = ConvolutionAlgorithm.of(
      inputs: inputs, outputs: outputs, step: step, elementType: .fp32, packing: side >= 64 ? .fast : .small)
    return switch digits {
    case .fast: fastest
    case .close: fastest == .winograd4 ? .winograd2 : fastest
    case .plain: .direct
    }
  }

  /// Reorders weights from `[outputs, inputs, area]` to `[outputs, area, inputs]`.
  private static func byWindow(_ weights: [Float], outputs: Int, inputs: Int, area: Int) -> [Float] {
    var ordered = weights
    for output in 0..<outputs {
      let start = output * inputs * area
      for input in 0..<inputs {
        for position in 0..<area {
          ordered[start + position * inputs + input] = weights[start + input * area + position]
        }
      }
    }
    return ordered
  }

  /// Applies the layer.
  ///
  /// - Parameters:
  ///   - x: `[1, height, width, inputs]`; a 3x3 convolution adds the border if there is none.
  ///   - residual: Added to the result.
  ///   - compute: The machine and numerics to use; the padding is for a 3x3 convolution.
  /// - Returns: `[1, ceil(height / step), ceil(width / step), outputs]`.
  func forward(_ x: Tensor, residual: Tensor? = nil, _ compute: Compute) -> Tensor {
    if kernel == 3 {
      let bordered = x.border == 1 ? x : compute.measured(name, .copy, x) { compute.bordered(x) }
      return compute.measured(name, .convolution, x, operationsPerPixel: matrix.operationsPerPixel) {
        compute.convolution3x3(bordered, matrix, step: step, residual: residual)
      }
    }
    let input = kernel == 1 && step == 2 ? compute.everySecondPixel(x) : x
    return compute.measured(name, .linear, input, operationsPerPixel: matrix.operationsPerPixel) {
      compute.product(input, matrix, residual: residual)
    }
  }
}
