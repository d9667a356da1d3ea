import Tensors
import Weights

extension VAEConfiguration: LatentDecoderConfiguration {
  /// Every block but the last doubles the resolution, and packed latents are unpacked before.
  public var enlargement: Int { (packing?.side ?? 1) << (blockOutChannels.count - 1) }

  /// Bytes without which an image cannot be decoded: the input of the last block's first convolution, before and after its
  /// norm, and the output.
  ///
  /// - Parameters:
  ///   - width: In pixels.
  ///   - height: In pixels.
  ///   - elementType: Of activations.
  /// - Returns: A lower bound.
  public func leastMemory(width: Int, height: Int, elementType: ElementType) -> Int {
    let (own, before) = (blockOutChannels[0], blockOutChannels[min(1, blockOutChannels.count - 1)])
    return width * height * (2 * before + own) * elementType.size
  }

  /// Bytes that decoding an image works in.
  ///
  /// - Parameters:
  ///   - height: Of the image.
  ///   - width: Of the image.
  ///   - elementType: Of activations.
  /// - Returns: An upper estimate: what the largest block's first ResNet block and its upsampling hold.
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

  /// Reads a ``VAEDecoder``.
  public func decoder(_ w: WeightScope, compute: Compute) throws -> any LatentDecoder {
    try VAEDecoder(w, configuration: self, compute: compute)
  }
}

/// The sizes of a VAE's encoder, which are those of its VAE.
public struct VAEEncoderConfiguration: LatentEncoderConfiguration {
  /// The VAE.
  public var vae: VAEConfiguration

  /// The encoder of a VAE.
  public init(_ vae: VAEConfiguration) { self.vae = vae }

  /// Channels at each resolution, finest first.
  var blockOutChannels: [Int] { vae.encoderBlockOutChannels ?? vae.blockOutChannels }

  /// Bytes without which an image cannot be encoded: the input of the first block's first convolution, before and after its
  /// norm, and the output.
  ///
  /// - Parameters:
  ///   - width: In pixels.
  ///   - height: In pixels.
  ///   - elementType: Of activations.
  /// - Returns: A lower bound.
  public func leastMemory(width: Int, height: Int, elementType: ElementType) -> Int {
    width * height * 3 * blockOutChannels[0] * elementType.size
  }

  /// Bytes that encoding an image works in.
  ///
  /// - Parameters:
  ///   - height: Of the image.
  ///   - width: Of the image.
  ///   - elementType: Of activations.
  /// - Returns: An upper estimate: what the largest block's first ResNet block holds, and the image in fp32.
  public func activationBytes(height: Int, width: Int, elementType: ElementType) -> Int {
    var peak = 0
    var pixels = (height + 2) * (width + 2)
    let image = 2 * vae.outChannels * pixels * ElementType.fp32.size
    for (level, channels) in blockOutChannels.enumerated() {
      let before = blockOutChannels[max(level - 1, 0)]
      peak = max(peak, (2 * before + 4 * channels) * pixels)
      pixels /= 4
    }
    return peak * elementType.size + image
  }

  /// Reads a ``VAEEncoder``.
  public func encoder(_ w: WeightScope, compute: Compute) throws -> any LatentEncoder {
    try VAEEncoder(w, configuration: self, compute: compute)
  }
}
