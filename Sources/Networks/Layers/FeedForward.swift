import Tensors
import Weights

/// The gated feed-forward layer of a UNet's transformers: Shazeer 2020, "GLU Variants", arXiv:2002.05202.
public final class FeedForward {
  private let name: String
  private let expand: Linear
  /// Whether `expand` also applies the gates.
  private let isFused: Bool
  private let contract: Linear

  /// Reads `net.0.proj` and `net.2`.
  ///
  /// - Parameters:
  ///   - w: The weights of this layer.
  ///   - channels: Input and output channels; the hidden layer has four times as many.
  ///   - compute: The kernels to pack for.
  /// - Throws: `WeightError`.
  public init(_ w: WeightScope, channels: Int, compute: Compute) throws {
    name = w.path
    isFused = compute.precision == .int8
    expand = try Linear(
      w["net.0.proj"], inputs: channels, outputs: (isFused ? 4 : 8) * channels, isGated: isFused, compute: compute)
    contract = try Linear(w["net.2"], inputs: 4 * channels, outputs: channels, compute: compute)
  }

  /// Applies the layer.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels]`.
  ///   - residual: Added to the result.
  ///   - compute: The machine and numerics to use.
  /// - Returns: A tensor of `x`'s shape.
  public func forward(_ x: Tensor, residual: Tensor, _ compute: Compute) -> Tensor {
    let expanded = expand.forward(x, compute)
    let gated = isFused ? expanded : compute.measured(name, .activation, expanded) { compute.geglu(expanded) }
    return contract.forward(gated, residual: residual, compute)
  }
}
