import Tensors
import Weights

/// Layer normalisation over the channels of every token.
public struct LayerNorm {
  private let name: String
  private let factors: Patched<(gamma: [Float], beta: [Float])>
  private let epsilon: Float

  /// Reads `weight` and `bias`.
  ///
  /// - Parameters:
  ///   - w: The weights of this layer.
  ///   - channels: Channels of a token.
  ///   - epsilon: Added to the variance.
  /// - Throws: `WeightError`.
  public init(_ w: WeightScope, channels: Int, epsilon: Float = 1e-5) throws {
    name = w.path
    factors = try Patched(w, ["weight", "bias"]) { () throws(WeightError) in
      (try w.floats("weight", shape: [channels]), try w.floats("bias", shape: [channels]))
    }
    self.epsilon = epsilon
  }

  /// Normalises.
  ///
  /// - Returns: A tensor of `x`'s shape.
  public func forward(_ x: Tensor, _ compute: Compute) -> Tensor {
    let (gamma, beta) = factors.value
    return compute.measured(name, .layerNorm, x) {
      compute.layerNorm(x, gamma: gamma, beta: beta, epsilon: epsilon)
    }
  }
}
