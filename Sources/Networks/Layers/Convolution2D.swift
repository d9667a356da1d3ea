import Tensors
import Weights

/// A 3x3 convolution with a padding of one pixel.
public final class Convolution2D {
  private let name: String
  private let matrix: Patched<PanelMatrix>
  private let step: Int
  private let start: Int

  /// Reads `weight`, and `bias` if the layer has one.
  ///
  /// - Parameters:
  ///   - w: The weights of this layer.
  ///   - inputs: Input channels.
  ///   - outputs: Output channels.
  ///   - step: 1, or 2 to halve the image.
  ///   - start: The row and column of the first centre pixel: 0, or 1 with a step of 2.
  ///   - hasBias: Whether the layer has a bias.
  ///   - compute: The kernels to pack for.
  /// - Throws: `WeightError`.
  public init(
    _ w: WeightScope, inputs: Int, outputs: Int, step: Int = 1, start: Int = 0, hasBias: Bool = true,
    compute: Compute
  ) throws {
    name = w.path
    matrix = try Patched(w, ["weight", "bias"]) { () throws(WeightError) in
      let bias = hasBias ? try w.floats("bias", shape: [outputs]) : nil
      let algorithm = ConvolutionAlgorithm.of(
        inputs: inputs, outputs: outputs, step: step, elementType: compute.elementType, packing: compute.packing)
      return try w.matrix(
        "weight", shape: [outputs, inputs, 3, 3], bias: bias, layer: .convolution(algorithm), compute: compute)
    }
    self.step = step
    self.start = start
  }

  /// Applies the layer.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, inputs]` with a border.
  ///   - isDoubled: Whether each pixel of `x` counts as a square of 2 x 2, so that height and width are twice `x`'s.
  ///   - vector: Added to every pixel of the result: `[1, 1, 1, outputs]` in floats, or one for each image.
  ///   - residual: Added to the result.
  ///   - elementType: The element type of the result; by default `x`'s.
  ///   - compute: The machine and numerics to use.
  /// - Returns: `[batch, ceil((height - start) / step), ceil((width - start) / step), outputs]`.
  public func forward(
    _ x: Tensor, isDoubled: Bool = false, vector: Tensor? = nil, residual: Tensor? = nil,
    as elementType: ElementType? = nil, _ compute: Compute
  ) -> Tensor {
    let matrix = matrix.value
    return compute.measured(name, .convolution, x, operationsPerPixel: matrix.operationsPerPixel) {
      compute.convolution3x3(
        x, isDoubled: isDoubled, matrix, step: step, start: start, vector: vector, residual: residual, as: elementType)
    }
  }
}
