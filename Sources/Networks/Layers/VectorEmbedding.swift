import Tensors
import Weights

/// Two linear layers with an activation between them; the result for a vector is added to the timestep's embedding.
public final class VectorEmbedding {
  private let linear1: Linear
  private let linear2: Linear

  /// Reads `linear_1` and `linear_2`.
  ///
  /// - Parameters:
  ///   - w: The weights of this layer.
  ///   - inputs: The length of the vector.
  ///   - width: The width of the embedding.
  ///   - compute: The kernels to pack for.
  /// - Throws: `WeightError`.
  public init(_ w: WeightScope, inputs: Int, width: Int, compute: Compute) throws {
    linear1 = try Linear(w["linear_1"], inputs: inputs, outputs: width, compute: compute)
    linear2 = try Linear(w["linear_2"], inputs: width, outputs: width, compute: compute)
  }

  /// Applies the layer.
  ///
  /// - Parameters:
  ///   - vector: `[1, 1, 1, inputs]`.
  ///   - compute: The machine and numerics to use.
  /// - Returns: `[1, 1, 1, width]`.
  public func forward(_ vector: Tensor, _ compute: Compute) -> Tensor {
    let x = linear1.forward(vector, compute)
    compute.applySiLU(x)
    return linear2.forward(x, compute)
  }
}

extension Compute {
  /// A vector as a tensor, `[1, 1, 1, count]`.
  public func tensor(_ vector: [Float]) -> Tensor {
    let tensor = tensor(batch: 1, height: 1, width: 1, channels: vector.count)
    tensor.base.update(from: vector, count: vector.count)
    return tensor
  }
}
