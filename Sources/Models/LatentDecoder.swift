import Tensors

/// What turns latents into images: a VAE's decoder, or a small network that stands in for one.
public protocol LatentDecoder: AnyObject {
  /// Bytes that decoding an image takes at the least.
  ///
  /// - Parameters:
  ///   - width: In pixels.
  ///   - height: In pixels.
  /// - Returns: A lower bound.
  func leastMemory(width: Int, height: Int) -> Int

  /// Decodes one latent.
  ///
  /// - Parameters:
  ///   - latent: `[1, height, width, channels]` in floats, divided by the scaling factor of the decoder's files.
  ///   - padding: What convolutions see beyond the edges.
  /// - Returns: `[1, 8 * height, 8 * width, 3]` in floats, about -1 to 1.
  func forward(_ latent: Tensor, padding: ConvolutionPadding) -> Tensor
}

extension VAEDecoder: LatentDecoder {}
