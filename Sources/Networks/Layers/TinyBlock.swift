import Tensors
import Weights

/// Three convolutions, each followed by an activation, with a shortcut past them: the block of TAESD. In TAEF2 some blocks
/// begin with a second branch, whose norm spreads information over the whole image.
public final class TinyBlock {
  private let pool: TinyPool?
  private let convolutions: [Convolution2D]

  /// Reads `conv.0`, `conv.2` and `conv.4`; the activations between them have the odd indices.
  ///
  /// - Parameters:
  ///   - w: The weights of this block.
  ///   - channels: Input and output channels.
  ///   - hasPool: Whether it begins with the branch with a norm, `pool`.
  ///   - compute: The kernels to pack for.
  /// - Throws: `WeightError`.
  public init(_ w: WeightScope, channels: Int, hasPool: Bool = false, compute: Compute) throws {
    pool = hasPool ? try TinyPool(w["pool"], channels: channels, compute: compute) : nil
    convolutions = try [0, 2, 4].map {
      try Convolution2D(w["conv"][$0], inputs: channels, outputs: channels, compute: compute)
    }
  }

  /// Applies the block.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels]`.
  ///   - compute: What to compute on.
  /// - Returns: A tensor of `x`'s shape.
  public func forward(_ x: Tensor, _ compute: Compute) -> Tensor {
    let x = pool?.forward(x, compute) ?? x
    var h = x
    for (index, convolution) in convolutions.enumerated() {
      h = convolution.forward(
        compute.bordered(h), residual: index == convolutions.count - 1 ? x : nil, compute)
      compute.applyReLU(h)
    }
    return h
  }
}

/// The branch before the convolutions of some blocks of TAEF2: pixel by pixel to four times the channels, a group norm over the
/// whole image, an activation, and back.
private struct TinyPool {
  /// How many times as many channels the norm has.
  private static let expansion = TinyDecoderConfiguration.poolExpansion
  private static let groups = 4
  private static let epsilon: Float = 1e-5

  private let expanding: Linear
  private let norm: GroupNorm
  private let reducing: Linear

  init(_ w: WeightScope, channels: Int, compute: Compute) throws {
    let wide = Self.expansion * channels
    expanding = try Linear(w[0], inputs: channels, outputs: wide, hasBias: false, compute: compute)
    norm = try GroupNorm(w[1], channels: wide, groups: Self.groups, epsilon: Self.epsilon)
    reducing = try Linear(w[3], inputs: wide, outputs: channels, hasBias: false, compute: compute)
  }

  /// The sum of `x` and the branch.
  func forward(_ x: Tensor, _ compute: Compute) -> Tensor {
    let h = norm.forward(expanding.forward(x, compute), activation: .none, border: 0, compute)
    compute.applyReLU(h)
    return reducing.forward(h, residual: x, compute)
  }
}
