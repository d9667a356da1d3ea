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
  ///   - input: `[batch, height, width, inputs]`, which other layers may read too.
  ///   - residual: Added to the result.
  ///   - elementType: The element type of the result; by default the input's.
  ///   - compute: What to compute on.
  /// - Returns: `[batch, height, width, outputs]`.
  public func forward(
    _ input: LinearInput, residual: Tensor? = nil, as elementType: ElementType? = nil, _ compute: Compute
  ) -> Tensor {
    let matrix = matrix.value
    return compute.measured(name, .linear, input.tensor, operationsPerPixel: matrix.operationsPerPixel) {
      compute.product(input, matrix, residual: residual, as: elementType)
    }
  }

  /// Applies the layer to what no other layer reads.
  public func forward(
    _ x: Tensor, residual: Tensor? = nil, as elementType: ElementType? = nil, _ compute: Compute
  ) -> Tensor {
    forward(LinearInput(x), residual: residual, as: elementType, compute)
  }
}
