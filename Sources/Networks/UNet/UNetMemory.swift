import Tensors

extension UNetConfiguration: DenoiserConfiguration {
  /// Convolutions of residual layers and on the way up, and the transformers' linear layers; not what runs once per prompt
  /// or step.
  public static func isQuantized(_ tensor: String) -> Bool {
    ["resnets.", "attentions.", "upsamplers."].contains { tensor.contains($0) }
      && !["time_emb_proj", "conv_shortcut", "attn2.to_k", "attn2.to_v"].contains { tensor.contains($0) }
  }

  /// Each block but the last halves the latent.
  public var latentStep: Int { 1 << (blockOutChannels.count - 1) }
  /// The channels that go in.
  public var latentChannels: Int { inChannels }
  /// True for models distilled from guided ones.
  public var readsGuidance: Bool { guidanceWidth != nil }

  /// Bytes that one evaluation works in.
  ///
  /// - Parameters:
  ///   - height: Of the latent.
  ///   - width: Of the latent.
  ///   - images: Of the batch.
  ///   - elementType: Of activations.
  /// - Returns: An upper estimate. It counts, at each level, the maps kept on the way down, the parts of a ResNet block on
  ///   the way up, and a transformer's feed-forward layer, which is eight times as wide.
  public func activationBytes(height: Int, width: Int, images: Int, elementType: ElementType) -> Int {
    var numbers = 0
    var (height, width) = (height, width)
    for (level, channels) in blockOutChannels.enumerated() {
      let below = blockOutChannels[min(level + 1, blockOutChannels.count - 1)]
      var widths = (layersPerBlock + 2) * channels + 3 * (channels + below) + 6 * channels
      if hasAttention(level) || level == blockOutChannels.count - 1 { widths += 16 * channels }
      // On the way up, odd sizes are one larger until they are cropped.
      if level < blockOutChannels.count - 1 { (height, width) = (height + height % 2, width + width % 2) }
      numbers += widths * (height + 2) * (width + 2)
      (height, width) = ((height + 1) / 2, (width + 1) / 2)
    }
    return numbers * images * elementType.size
  }

  /// Bytes of the late features of one image in fp32.
  public func lateFeatureBytes(height: Int, width: Int) -> Int { blockOutChannels[0] * height * width * 4 }

  /// Bytes of the keys and values of one prompt of this many tokens.
  public func contextBytes(tokens: Int, elementType: ElementType) -> Int {
    var channels = 0
    for (level, width) in blockOutChannels.enumerated() {
      let depths = downDepths[level] + upDepths[upDepths.count - 1 - level]
      // Where the first attention reads the text too, it has keys and values of its own.
      channels += width * depths.reduce(0, +) * (attendsToTextOnly[level] ? 2 : 1)
    }
    channels += (blockOutChannels.last ?? 0) * middle.depth
    // Keys and values in panels of 32.
    return 2 * channels * ((tokens + 31) / 32 * 32) * elementType.size
  }

  /// Bytes of the keys and values of one chunk of 77 tokens.
  public func contextBytes(elementType: ElementType) -> Int { contextBytes(tokens: 77, elementType: elementType) }
}
