import Imaging
import Networks
import Sampling
import Tensors

/// Turns an 8-bit image into the latent that a second pass starts with.
struct ImageEncoder {
  let encoder: any LatentEncoder
  /// The scale of the encoder's latents.
  let scale: LatentScale
  /// The values beyond the edges in convolutions.
  var padding = ConvolutionPadding.zeros
  let compute: Compute

  /// Encodes an image.
  ///
  /// The webui draws a sample from the VAE's distribution. This is the mean of that distribution, so that the latent depends
  /// only on the image.
  ///
  /// - Parameter image: An image of at least 8x8 pixels.
  /// - Returns: A latent; its sides are an eighth of the image's, rounded down.
  /// - Throws: `EngineError.notFinite` if the latent contains NaN.
  func encode(_ image: RGBImage) throws(EngineError) -> Latent {
    let pixels = compute.tensor(
      batch: 1, height: image.height, width: image.width, channels: 3, elementType: .fp32)
    for (index, value) in image.pixels.enumerated() { pixels.base[index] = Float(value) / 255 * 2 - 1 }
    let mean = encoder.forward(pixels, padding: padding)
    var latent = Latent(mean, image: 0)
    guard latent.values.allSatisfy(\.isFinite) else { throw .notFinite(stage: "encoded image") }
    if scale.shift != 0 { latent.add(-scale.shift) }
    latent.scale(by: scale.factor)
    return latent
  }
}
