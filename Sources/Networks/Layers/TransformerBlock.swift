import Tensors
import Weights

/// The keys and values of a context for one transformer block.
public struct TransformerContext {
  /// For the first attention, in networks where it also reads the context.
  let first: KeysValues?
  /// For the second attention.
  let second: KeysValues
}

/// Self-attention, cross-attention to the context, and a feed-forward layer, each after a norm and with a residual.
public final class TransformerBlock {
  private let norm1: LayerNorm
  private let attention1: MultiHeadAttention
  private let attendsToTextOnly: Bool
  private let norm2: LayerNorm
  private let attention2: MultiHeadAttention
  private let norm3: LayerNorm
  private let feedForward: FeedForward

  /// Reads `norm1`, `attn1`, `norm2`, `attn2`, `norm3` and `ff`.
  ///
  /// - Parameters:
  ///   - w: The weights of this block.
  ///   - channels: Channels of a pixel.
  ///   - contextWidth: Channels of a token of the context.
  ///   - heads: Heads of both attention layers.
  ///   - attendsToTextOnly: Whether the first attention reads the context instead of the pixels.
  ///   - compute: The kernels to pack for.
  /// - Throws: `WeightError`.
  public init(
    _ w: WeightScope, channels: Int, contextWidth: Int, heads: Int, attendsToTextOnly: Bool = false, compute: Compute
  ) throws {
    self.attendsToTextOnly = attendsToTextOnly
    norm1 = try LayerNorm(w["norm1"], channels: channels)
    attention1 = try MultiHeadAttention(
      w["attn1"], channels: channels, sourceChannels: attendsToTextOnly ? contextWidth : channels, heads: heads,
      names: .transformer, compute: compute, sourceCompute: attendsToTextOnly ? compute.unquantized : nil)
    norm2 = try LayerNorm(w["norm2"], channels: channels)
    // Not quantised: the prompt's keys and values are computed once, and every step depends on them.
    attention2 = try MultiHeadAttention(
      w["attn2"], channels: channels, sourceChannels: contextWidth, heads: heads, names: .transformer, compute: compute,
      sourceCompute: compute.unquantized)
    norm3 = try LayerNorm(w["norm3"], channels: channels)
    feedForward = try FeedForward(w["ff"], channels: channels, compute: compute)
  }

  /// The keys and values of a context, `[1, 1, tokens, context width]`; they depend on the prompt only, not on the step.
  func prepare(_ context: Tensor, _ compute: Compute) -> TransformerContext {
    TransformerContext(
      first: attendsToTextOnly ? attention1.keysValues(context, compute)[0] : nil,
      second: attention2.keysValues(context, compute)[0])
  }

  func forward(_ x: Tensor, contexts: [TransformerContext], merging: TokenMerging?, _ compute: Compute) -> Tensor {
    let a =
      attendsToTextOnly
      ? attention1.forward(norm1.forward(x, compute), contexts.compactMap(\.first), residual: x, compute)
      : attendToItself(x, merging, compute)
    let b = attention2.forward(norm2.forward(a, compute), contexts.map(\.second), residual: a, compute)
    return feedForward.forward(norm3.forward(b, compute), residual: b, compute)
  }

  private func attendToItself(_ x: Tensor, _ merging: TokenMerging?, _ compute: Compute) -> Tensor {
    let normal = norm1.forward(x, compute)
    guard let merged = merging?.choose(x, compute) else { return attention1.forward(normal, residual: x, compute) }
    let attended = attention1.forward(compute.merge(normal, merged), residual: nil, compute)
    return compute.unmerge(attended, merged, adding: x)
  }
}
