import Imaging
import Networks
import Sampling
import Tensors

/// Turns an 8-bit image into the latent that sampling goes on from.
struct ImageEncoder {
  let encoder: VAEEncoder
  /// What latents were multiplied with in training.
  let scalingFactor: Float
  /// What convolutions see beyond the edges.
  var padding = ConvolutionPadding.zeros
  let compute: Compute

  /// Encodes an image.
  ///
  /// The webui draws from the distribution that the VAE encodes to; this is its mean, so that the latent is the image's
  /// alone.
  ///
  /// - Parameter image: Of any size from 8x8 pixels on.
  /// - Returns: A latent of an eighth of the size, rounded down.
  /// - Throws: `EngineError.notFinite` for a latent with NaN in it.
  func encode(_ image: RGBImage) throws -> Latent {
    let pixels = compute.tensor(
      batch: 1, height: image.height, width: image.width, channels: 3, elementType: .fp32)
    for (index, value) in image.pixels.enumerated() { pixels.base[index] = Float(value) / 255 * 2 - 1 }
    let mean = encoder.forward(pixels, padding: padding)
    var latent = Latent(mean, image: 0)
    guard latent.values.allSatisfy(\.isFinite) else { throw EngineError.notFinite(stage: "encoded image") }
    latent.scale(by: scalingFactor)
    return latent
  }
}
