import Tensors
import Weights

/// Group normalisation, followed by an activation in the same pass.
public struct GroupNorm {
  private let name: String
  private let factors: Patched<(gamma: [Float], beta: [Float])>
  private let groups: Int
  private let epsilon: Float

  /// Reads `weight` and `bias`.
  ///
  /// - Parameters:
  ///   - w: The weights of this layer.
  ///   - channels: A multiple of `groups`.
  ///   - groups: The number of groups that channels are divided into.
  ///   - epsilon: Added to the variance.
  /// - Throws: `WeightError`.
  public init(_ w: WeightScope, channels: Int, groups: Int, epsilon: Float) throws {
    name = w.path
    factors = try Patched(w, ["weight", "bias"]) { () throws(WeightError) in
      (try w.floats("weight", shape: [channels]), try w.floats("bias", shape: [channels]))
    }
    self.groups = groups
    self.epsilon = epsilon
  }

  /// Normalises, then applies an activation.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels]`.
  ///   - activation: The activation.
  ///   - border: The border of the result: 1 if a 3x3 convolution reads it.
  ///   - compute: The machine and numerics to use.
  /// - Returns: A tensor of `x`'s shape.
  public func forward(_ x: Tensor, activation: Activation, border: Int, _ compute: Compute) -> Tensor {
    let (gamma, beta) = factors.value
    return compute.measured(name, .groupNorm, x) {
      compute.groupNorm(
        x, groups: groups, gamma: gamma, beta: beta, epsilon: epsilon, activation: activation, border: border)
    }
  }
}
