import Tensors

/// What a network takes in memory, told from its sizes alone. None of it depends on the machine, for what is packed by it
/// decides the last digits of images.
extension NetworkConfiguration {
  /// Bytes of the packed weights, biases and norms.
  ///
  /// - Parameters:
  ///   - precision: Of the matrices.
  ///   - packing: Of the convolutions.
  /// - Returns: An estimate a little above what they take.
  public func weightBytes(_ precision: Precision, _ packing: WeightPacking) -> Int {
    expectedTensors.reduce(0) { sum, tensor in
      let shape = tensor.shape
      guard shape.count > 1 else { return sum + 4 * shape.reduce(1, *) + 128 }
      var positions = shape.dropFirst(2).reduce(1, *)
      if positions == 9 {
        let step = tensor.name.contains("downsamplers") ? 2 : 1
        positions =
          ConvolutionAlgorithm.of(
            inputs: shape[1], outputs: shape[0], step: step, elementType: precision.elementType, packing: packing
          ).positions
      }
      // Panels of 32 outputs and pairs of inputs, or fours of them, with a scale and a sum for each output and position.
      let outputs = (shape[0] + 31) / 32 * 32
      if precision == .int8, Self.isQuantized(tensor.name) {
        return sum + outputs * positions * ((shape[1] + 3) / 4 * 4 + 8)
      }
      return sum + outputs * ((shape[1] + 1) / 2 * 2) * positions * precision.elementType.size
    }
  }

  /// Whether a matrix of a UNet is in 8 bits.
  private static func isQuantized(_ name: String) -> Bool {
    ["resnets.", "attentions.", "upsamplers."].contains { name.contains($0) }
      && !["time_emb_proj", "conv_shortcut", "attn2.to_k", "attn2.to_v"].contains { name.contains($0) }
  }
}

extension UNetConfiguration {
  /// Bytes that one evaluation works in, on a map of the latent's size.
  ///
  /// - Parameters:
  ///   - height: Of the latent.
  ///   - width: Of the latent.
  ///   - images: Of the batch.
  ///   - elementType: Of activations.
  /// - Returns: An estimate above what it takes: at each level what goes down and comes up, the parts of a ResNet block
  ///   on the way up, and the feed-forward layer of a transformer, which is eight times as wide.
  public func activationBytes(height: Int, width: Int, images: Int, elementType: ElementType) -> Int {
    var numbers = 0
    var (height, width) = (height, width)
    for (level, channels) in blockOutChannels.enumerated() {
      let below = blockOutChannels[min(level + 1, blockOutChannels.count - 1)]
      var widths = (layersPerBlock + 2) * channels + 3 * (channels + below) + 6 * channels
      if hasAttention[level] || level == blockOutChannels.count - 1 { widths += 16 * channels }
      numbers += widths * (height + 2) * (width + 2)
      (height, width) = ((height + 1) / 2, (width + 1) / 2)
    }
    return numbers * images * elementType.size
  }

  /// Bytes of the keys and values of one context.
  public func contextBytes(tokens: Int, elementType: ElementType) -> Int {
    var channels = 0
    for (level, width) in blockOutChannels.enumerated() where hasAttention[level] {
      channels += width * transformerDepths[level] * (2 * layersPerBlock + 1)
    }
    channels += (blockOutChannels.last ?? 0) * (transformerDepths.last ?? 0)
    // Keys and values in panels of 32.
    return 2 * channels * ((tokens + 31) / 32 * 32) * elementType.size
  }
}

extension VAEConfiguration {
  /// Bytes that decoding an image works in.
  ///
  /// - Parameters:
  ///   - height: Of the image.
  ///   - width: Of the image.
  ///   - elementType: Of activations.
  /// - Returns: An estimate above what it takes: what the largest block's first ResNet block and its upsampling hold.
  public func activationBytes(height: Int, width: Int, elementType: ElementType) -> Int {
    var peak = 0
    var pixels = (height + 2) * (width + 2)
    for (level, channels) in blockOutChannels.enumerated() {
      let before = blockOutChannels[min(level + 1, blockOutChannels.count - 1)]
      let resnet = (2 * before + 4 * channels) * pixels
      let enlarged = level == 0 ? 6 * outChannels * pixels : 2 * channels * 4 * pixels
      peak = max(peak, resnet + enlarged)
      pixels /= 4
    }
    return peak * elementType.size
  }
}
