import Tensors
import Weights

/// Normalisation by the root of the mean square, over the channels of every token or over each head.
public struct RMSNorm {
  private let name: String
  private let factors: Patched<[Float]>
  /// Added to the mean square.
  public let epsilon: Float

  /// Reads `weight`.
  ///
  /// - Parameters:
  ///   - w: The weights of this layer.
  ///   - channels: The channels of a token or of a head.
  ///   - epsilon: Added to the mean square.
  /// - Throws: `WeightError`.
  public init(_ w: WeightScope, channels: Int, epsilon: Float) throws {
    name = w.path
    factors = try Patched(w, ["weight"]) { () throws(WeightError) in try w.floats("weight", shape: [channels]) }
    self.epsilon = epsilon
  }

  /// The scale of each channel, for operations that normalise heads.
  public var gamma: [Float] { factors.value }

  /// Normalises over the channels of every token.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels]`.
  ///   - scale: A factor for the norm's own scale of each channel; nil for 1.
  ///   - residual: Added to the result; a tensor of `x`'s shape.
  ///   - compute: The machine and numerics to use.
  /// - Returns: A tensor of `x`'s shape.
  public func forward(_ x: Tensor, scale: [Float]? = nil, residual: Tensor? = nil, _ compute: Compute) -> Tensor {
    let gamma = scale.map { zip($0, factors.value).map(*) } ?? factors.value
    return compute.measured(name, .layerNorm, x) {
      compute.rmsNorm(x, gamma: gamma, epsilon: epsilon, residual: residual)
    }
  }
}
