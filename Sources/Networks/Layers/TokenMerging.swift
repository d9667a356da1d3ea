import Tensors

/// How many tokens of an image are merged in self-attention. Tokens are merged only in layers with the full resolution of the
/// latent, which have the most tokens.
///
/// Source: Bolya & Hoffman 2023, "Token Merging for Fast Stable Diffusion", arXiv:2303.17604, as in the webui: only in
/// self-attention, only at full resolution, with the destinations of ``MergedTokens``.
public struct TokenMerging: Sendable {
  /// The share of all tokens that are merged, 0 to 0.9.
  public let ratio: Double
  /// The number of pixels of the latent.
  public let latentPixels: Int

  /// Creates the settings of token merging.
  ///
  /// - Parameters:
  ///   - ratio: The share of all tokens to merge, 0 to 0.9.
  ///   - latentPixels: The number of pixels of the latent.
  public init(ratio: Double, latentPixels: Int) {
    self.ratio = ratio
    self.latentPixels = latentPixels
  }

  /// The tokens of `x`, `[batch, height, width, channels]`, to merge; nil if `x` has a lower resolution or is too small.
  func choose(_ x: Tensor, _ compute: Compute) -> [MergedTokens]? {
    // The quotient is 1 at full resolution, and at least 3 at lower ones: half of an odd size is rounded up.
    guard latentPixels / (x.height * x.width) <= 1 else { return nil }
    return compute.mergedTokens(x, ratio: ratio)
  }
}
