import Tensors
import Weights

/// The block of TAESD: three convolutions, each followed by an activation, without norms and with a shortcut around them.
public final class TinyBlock {
  private let convolutions: [Convolution2D]

  /// Reads `conv.0`, `conv.2` and `conv.4`; the activations between them have the odd indices.
  ///
  /// - Parameters:
  ///   - w: The weights of this block.
  ///   - channels: Input and output channels.
  ///   - compute: The kernels to pack for.
  /// - Throws: `WeightError`.
  public init(_ w: WeightScope, channels: Int, compute: Compute) throws {
    convolutions = try [0, 2, 4].map {
      try Convolution2D(w["conv"][$0], inputs: channels, outputs: channels, compute: compute)
    }
  }

  /// Applies the block.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels]`.
  ///   - compute: The machine and numerics to use.
  /// - Returns: A tensor of `x`'s shape.
  public func forward(_ x: Tensor, _ compute: Compute) -> Tensor {
    var h = x
    for (index, convolution) in convolutions.enumerated() {
      h = convolution.forward(
        compute.bordered(h), residual: index == convolutions.count - 1 ? x : nil, compute)
      compute.applyReLU(h)
    }
    return h
  }
}
