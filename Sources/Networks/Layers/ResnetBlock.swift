import Tensors
import Weights

/// Two convolutions, each after a norm and an activation; the timestep is added between them, and a shortcut leads around them.
///
/// Source: He et al. 2016, arXiv:1603.05027, as used by Ho et al. 2020, arXiv:2006.11239.
public final class ResnetBlock {
  private let norm1: GroupNorm
  private let conv1: Convolution2D
  private let timeProjection: Linear?
  private let norm2: GroupNorm
  private let conv2: Convolution2D
  private let shortcut: Linear?

  /// Reads `norm1`, `conv1`, `time_emb_proj`, `norm2` and `conv2`, and `conv_shortcut` if the number of channels changes.
  ///
  /// - Parameters:
  ///   - w: The weights of this block.
  ///   - inputs: Input channels.
  ///   - outputs: Output channels.
  ///   - timeWidth: The width of the timestep embedding; nil in a VAE.
  ///   - groups: The number of groups of the norms.
  ///   - epsilon: Added to the norms' variances.
  ///   - compute: The kernels to pack for.
  /// - Throws: `WeightError`.
  public init(
    _ w: WeightScope, inputs: Int, outputs: Int, timeWidth: Int?, groups: Int, epsilon: Float, compute: Compute
  ) throws {
    norm1 = try GroupNorm(w["norm1"], channels: inputs, groups: groups, epsilon: epsilon)
    conv1 = try Convolution2D(w["conv1"], inputs: inputs, outputs: outputs, compute: compute)
    timeProjection = try timeWidth.map {
      // Not quantised: a single row takes no time, and its error would be in every pixel.
      try Linear(w["time_emb_proj"], inputs: $0, outputs: outputs, compute: compute.unquantized)
    }
    norm2 = try GroupNorm(w["norm2"], channels: outputs, groups: groups, epsilon: epsilon)
    conv2 = try Convolution2D(w["conv2"], inputs: outputs, outputs: outputs, compute: compute)
    // Not quantised: its input is not normalised, and its error propagates to all later layers.
    shortcut =
      inputs == outputs
      ? nil : try Linear(w["conv_shortcut"], inputs: inputs, outputs: outputs, compute: compute.unquantized)
  }

  /// Applies the block.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, inputs]`.
  ///   - time: The activated timestep embedding, `[1, 1, 1, time width]`, or one for each image; nil in a VAE.
  ///   - compute: The machine and numerics to use.
  /// - Returns: `[batch, height, width, outputs]`.
  public func forward(_ x: Tensor, time: Tensor? = nil, _ compute: Compute) -> Tensor {
    let vector = time.flatMap { time in timeProjection?.forward(time, as: .fp32, compute) }
    let h = conv1.forward(norm1.forward(x, activation: .silu, border: 1, compute), vector: vector, compute)
    let past = shortcut?.forward(x, compute) ?? x
    return conv2.forward(norm2.forward(h, activation: .silu, border: 1, compute), residual: past, compute)
  }
}
