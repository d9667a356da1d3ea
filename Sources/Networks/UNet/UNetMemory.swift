import Tensors

extension UNetConfiguration: DenoiserConfiguration {
  /// The convolutions of residual layers and on the way up, and the transformers' linear layers; not the layers that run once
  /// for each prompt or step.
  public static func isQuantized(_ tensor: String) -> Bool {
    ["resnets.", "attentions.", "upsamplers."].contains { tensor.contains($0) }
      && !["time_emb_proj", "conv_shortcut", "attn2.to_k", "attn2.to_v"].contains { tensor.contains($0) }
  }

  /// Each block except the last halves the latent.
  public var latentStep: Int { 1 << (blockOutChannels.count - 1) }
  /// The input channels.
  public var latentChannels: Int { inChannels }
  /// True for models distilled from guided ones.
  public var readsGuidance: Bool { guidanceWidth != nil }

  /// The working memory of one evaluation in bytes.
  ///
  /// - Parameters:
  ///   - height: The height of the latent.
  ///   - width: The width of the latent.
  ///   - images: The number of images in the batch.
  ///   - elementType: The element type of activations.
  /// - Returns: An upper estimate. It counts, at each level, the feature maps that are kept on the way down, the parts of a
  ///   ResNet block on the way up, and a transformer's feed-forward layer, which is eight times as wide.
  public func activationBytes(height: Int, width: Int, images: Int, elementType: ElementType) -> Int {
    var numbers = 0
    var (height, width) = (height, width)
    for (level, channels) in blockOutChannels.enumerated() {
      let below = blockOutChannels[min(level + 1, blockOutChannels.count - 1)]
      var widths = (layersPerBlock + 2) * channels + 3 * (channels + below) + 6 * channels
      if hasAttention(level) || level == blockOutChannels.count - 1 { widths += 16 * channels }
      // On the way up, odd sizes are larger by one until they are cropped.
      if level < blockOutChannels.count - 1 { (height, width) = (height + height % 2, width + width % 2) }
      numbers += widths * (height + 2) * (width + 2)
      (height, width) = ((height + 1) / 2, (width + 1) / 2)
    }
    return numbers * images * elementType.size
  }

  /// The size in bytes of the late features of one image in fp32.
  public func lateFeatureBytes(height: Int, width: Int) -> Int { blockOutChannels[0] * height * width * 4 }

  /// The size in bytes of the keys and values of one prompt of this many tokens.
  public func contextBytes(tokens: Int, elementType: ElementType) -> Int {
    var channels = 0
    for (level, width) in blockOutChannels.enumerated() {
      let depths = downDepths[level] + upDepths[upDepths.count - 1 - level]
      // If the first attention reads the text too, it has its own keys and values.
      channels += width * depths.reduce(0, +) * (attendsToTextOnly[level] ? 2 : 1)
    }
    channels += (blockOutChannels.last ?? 0) * middle.depth
    // Keys and values in panels of 32.
    return 2 * channels * ((tokens + 31) / 32 * 32) * elementType.size
  }

  /// The size in bytes of the keys and values of one chunk of 77 tokens.
  public func contextBytes(elementType: ElementType) -> Int { contextBytes(tokens: 77, elementType: elementType) }
}
