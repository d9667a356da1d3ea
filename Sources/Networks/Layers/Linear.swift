import Tensors
import Weights

/// y = W x + b on the channels of every pixel; a 1x1 convolution is the same thing, and may be stored as one.
public final class Linear {
  private let name: String
  private let matrix: Patched<PanelMatrix>

  /// Reads `weight` and, if the layer has one, `bias`.
  ///
  /// - Parameters:
  ///   - w: The layer's place among the weights.
  ///   - inputs: Channels that go in.
  ///   - outputs: Channels that come out.
  ///   - hasBias: Whether a bias is expected.
  ///   - isGated: Whether the weights make twice as many outputs, which become x · gelu(gate) in the same product; only where
  ///     weights are quantised.
  ///   - compute: The kernels to pack for.
  /// - Throws: `WeightError`.
  public init(
    _ w: WeightScope, inputs: Int, outputs: Int, hasBias: Bool = true, isGated: Bool = false, compute: Compute
  ) throws {
    name = w.path
    matrix = try Patched(w, ["weight", "bias"]) { () throws(WeightError) in
      let rows = isGated ? 2 * outputs : outputs
      let bias = hasBias ? try w.floats("bias", shape: [rows]) : nil
      return try w.matrix("weight", shape: [rows, inputs], bias: bias, isGated: isGated, compute: compute)
    }
  }

  /// Applies the layer.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, inputs]`.
  ///   - residual: Added to the result.
  ///   - elementType: What a number of the result is; `x`'s where nothing is said.
  ///   - compute: What the arithmetic runs on.
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
