import Tensors
import Weights

/// Transformer blocks over the pixels of a feature map: Rombach et al. 2022, "High-Resolution Image Synthesis with Latent
/// Diffusion Models", arXiv:2112.10752.
public final class SpatialTransformer {
  private let norm: GroupNorm
  private let projectionIn: Linear
  private let blocks: [TransformerBlock]
  private let projectionOut: Linear

  /// Reads `norm`, `proj_in`, `transformer_blocks` and `proj_out`.
  ///
  /// - Parameters:
  ///   - w: The weights of this transformer.
  ///   - channels: Channels of a pixel.
  ///   - contextWidth: Channels of a token of the context.
  ///   - heads: Heads of each attention layer.
  ///   - depth: The number of blocks.
  ///   - groups: The number of groups of the norm.
  ///   - attendsToTextOnly: Whether the first attention of each block also reads the context.
  ///   - compute: The kernels to pack for.
  /// - Throws: `WeightError`.
  public init(
    _ w: WeightScope, channels: Int, contextWidth: Int, heads: Int, depth: Int, groups: Int,
    attendsToTextOnly: Bool = false, compute: Compute
  ) throws {
    norm = try GroupNorm(w["norm"], channels: channels, groups: groups, epsilon: 1e-6)
    projectionIn = try Linear(
      w["proj_in"], inputs: channels, outputs: channels, compute: compute)
    blocks = try (0..<depth).map {
      try TransformerBlock(
        w["transformer_blocks.\($0)"], channels: channels, contextWidth: contextWidth, heads: heads,
        attendsToTextOnly: attendsToTextOnly, compute: compute)
    }
    projectionOut = try Linear(
      w["proj_out"], inputs: channels, outputs: channels, compute: compute)
  }

  /// The keys and values of a context, `[1, 1, tokens, context width]`, for every block.
  public func prepare(_ context: Tensor, _ compute: Compute) -> [TransformerContext] {
    blocks.map { $0.prepare(context, compute) }
  }

  /// Applies the transformer.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels]`. A single image counts as a batch of equal images, which become different at the
  ///     first cross-attention.
  ///   - contexts: The result of `prepare` for each image of the batch.
  ///   - merging: The token merging of self-attention; nil for none.
  ///   - compute: The machine and numerics to use.
  /// - Returns: `[batch, height, width, channels]`.
  public func forward(
    _ x: Tensor, contexts: [[TransformerContext]], merging: TokenMerging? = nil, _ compute: Compute
  ) -> Tensor {
    var h = projectionIn.forward(norm.forward(x, activation: .none, border: 0, compute), compute)
    for (index, block) in blocks.enumerated() {
      h = block.forward(h, contexts: contexts.map { $0[index] }, merging: merging, compute)
    }
    return projectionOut.forward(h, residual: compute.repeated(x, contexts.count), compute)
  }
}
