import Imaging
import Networks
import Sampling
import Tensors

/// Turns an 8-bit image into the latent that a second pass begins with.
struct ImageEncoder {
  let encoder: any LatentEncoder
  /// The scale of the encoder's latents.
  let scale: LatentScale
  /// What convolutions see beyond the edges.
  var padding = ConvolutionPadding.zeros
  let compute: Compute

  /// Encodes an image.
  ///
  /// The webui draws from the distribution that the VAE encodes to. This is its mean, so that the latent depends on the image
  /// only.
  ///
  /// - Parameter image: At least 8x8 pixels.
  /// - Returns: A latent of an eighth of the size, rounded down.
  /// - Throws: `EngineError.notFinite` for a latent with NaN in it.
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
