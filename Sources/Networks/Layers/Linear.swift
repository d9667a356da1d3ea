import Tensors
import Weights

/// y = W x + b for the channels of every pixel. A 1x1 convolution is the same layer, and files may store it as one.
public final class Linear {
  private let name: String
  private let matrix: Patched<PanelMatrix>

  /// Reads `weight`, and `bias` if the layer has one.
  ///
  /// - Parameters:
  ///   - w: The weights of this layer.
  ///   - inputs: Input channels.
  ///   - outputs: Output channels.
  ///   - hasBias: Whether the layer has a bias.
  ///   - isGated: Whether there are weights for twice as many outputs, x and gates; the product then computes x · gelu(gate).
  ///     Only for quantised weights.
  ///   - compute: The kernels to pack for.
  /// - Throws: `WeightError`.
  public init(
    _ w: WeightScope, inputs: Int, outputs: Int, hasBias: Bool = true, isGated: Bool = false, compute: Compute
  ) throws {
    name = w.path
    matrix = try Patched(w, ["weight", "bias"]) { () throws(WeightError) in
      let rows = isGated ? 2 * outputs : outputs
      let bias = hasBias ? try w.floats("bias", shape: [rows]) : nil
      return try w.matrix(
        "weight", shape: [rows, inputs], bias: bias, layer: isGated ? .gatedLinear : .linear, compute: compute)
    }
  }

  /// Applies the layer.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, inputs]`.
  ///   - residual: Added to the result.
  ///   - elementType: The element type of the result; by default `x`'s.
  ///   - compute: The machine and numerics to use.
  /// - Returns: `[batch, height, width, outputs]`.
  public func forward(
    _ x: Tensor, residual: Tensor? = nil, as elementType: ElementType? = nil, _ compute: Compute
  ) -> Tensor {
    let matrix = matrix.value
    return compute.measured(name, .linear, x, operationsPerPixel: matrix.operationsPerPixel) {
      compute.product(x, matrix, residual: residual, as: elementType)
    }
  }
}
