import Tensors

/// What turns latents into images: a VAE's decoder, or a small network that stands in for one.
public protocol LatentDecoder: AnyObject {
  /// Decodes one latent.
  ///
  /// - Parameters:
  ///   - latent: `[1, height, width, channels]` in floats, divided by the scaling factor of the decoder's files.
  ///   - padding: What convolutions see beyond the edges.
  /// - Returns: `[1, 8 * height, 8 * width, 3]` in floats, about -1 to 1.
  func forward(_ latent: Tensor, padding: ConvolutionPadding) -> Tensor
}

extension VAEDecoder: LatentDecoder {}

/// The sizes of a decoder, from which follows what memory it takes.
public protocol LatentDecoderConfiguration: NetworkConfiguration {
  /// How many times as wide and high the image is as the latent.
  var enlargement: Int { get }

  /// Bytes that decoding an image takes at the least.
  ///
  /// - Parameters:
  ///   - width: In pixels.
  ///   - height: In pixels.
  ///   - elementType: Of activations.
  /// - Returns: A lower bound.
  func leastMemory(width: Int, height: Int, elementType: ElementType) -> Int

  /// Bytes that decoding an image works in.
  ///
  /// - Parameters:
  ///   - height: Of the image.
  ///   - width: Of the image.
  ///   - elementType: Of activations.
  /// - Returns: An estimate above what it takes.
  func activationBytes(height: Int, width: Int, elementType: ElementType) -> Int
}

extension VAEConfiguration: LatentDecoderConfiguration {
  /// Every block but the last doubles the resolution.
  public var enlargement: Int { 1 << (blockOutChannels.count - 1) }
}

extension TinyDecoderConfiguration: LatentDecoderConfiguration {
  /// Every stage but the last doubles the resolution.
  public var enlargement: Int { 1 << (blockCounts.count - 1) }

  /// The input of the last blocks, one of their inner results, and its bordered copy; in floats, whatever the rest runs in.
  public func leastMemory(width: Int, height: Int, elementType: ElementType) -> Int {
    width * height * 3 * self.width * ElementType.fp32.size
  }

  /// Twice the least: what a stage leaves behind for the next to use.
  public func activationBytes(height: Int, width: Int, elementType: ElementType) -> Int {
    2 * leastMemory(width: width, height: height, elementType: elementType)
  }
}
