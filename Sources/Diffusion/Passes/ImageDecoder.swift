import Imaging
import Networks
import Sampling
import Tensors

/// Turns the finished latent into an 8-bit image.
struct ImageDecoder {
  let decoder: any LatentDecoder
  /// The scale of the decoder's latents.
  let scale: LatentScale
  /// The values beyond the edges in convolutions.
  var padding = ConvolutionPadding.zeros
  let compute: Compute

  /// Decodes and truncates to 8 bits, as the webui does.
  ///
  /// Throws `EngineError.notFinite` if the image contains NaN.
  func decode(_ latent: Latent) throws(EngineError) -> RGBImage {
    var scaled = latent
    scaled.divide(by: scale.factor)
    if scale.shift != 0 { scaled.add(scale.shift) }
    let image = decoder.forward(compute.tensor(scaled, copies: 1), padding: padding)
    let values = UnsafeBufferPointer(start: image.base, count: image.count)
    guard values.allSatisfy(\.isFinite) else { throw .notFinite(stage: "decoded image") }
    let pixels = values.map { UInt8(255 * min(max(($0 + 1) / 2, 0), 1)) }
    return RGBImage(width: image.width, height: image.height, pixels: pixels)
  }
}
