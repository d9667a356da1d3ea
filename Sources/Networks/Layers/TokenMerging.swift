import Tensors

/// How many tokens of an image are merged in self-attention, and where: at the latent's own resolution only, where there
/// are the most.
///
/// Source: Bolya & Hoffman 2023, "Token Merging for Fast Stable Diffusion", arXiv:2303.17604, as the webui applies it:
/// in self-attention alone, down to no lower resolution, with the destinations of ``MergedTokens``.
public struct TokenMerging: Sendable {
  /// The part of all tokens that is merged, 0 to 0.9.
  public let ratio: Double
  /// Pixels of the latent.
  public let latentPixels: Int

  /// - Parameters:
  ///   - ratio: The part of all tokens that is merged, 0 to 0.9.
  ///   - latentPixels: Pixels of the latent.
  public init(ratio: Double, latentPixels: Int) {
    self.ratio = ratio
    self.latentPixels = latentPixels
  }

  /// The tokens of `x`, `[batch, height, width, channels]`, that are merged; nothing where `x` is of a lower resolution, or
  /// too small.
  func choose(_ x: Tensor, _ compute: Compute) -> [MergedTokens]? {
    // Levels with odd sizes have a little more than a quarter of the pixels.
    guard latentPixels / (x.height * x.width) <= 1 else { return nil }
    return compute.mergedTokens(x, ratio: ratio)
  }
}
