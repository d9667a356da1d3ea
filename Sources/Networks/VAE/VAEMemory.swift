import Tensors
import Weights

extension VAEConfiguration: LatentDecoderConfiguration {
  /// Every block except the last doubles the resolution, and packed latents are unpacked first.
  public var enlargement: Int { (packing?.side ?? 1) << (blockOutChannels.count - 1) }

  /// The memory in bytes without which an image cannot be decoded: the input of the last block's first convolution, before and
  /// after its norm, and the output.
  ///
  /// - Parameters:
  ///   - width: The width of the image in pixels.
  ///   - height: The height of the image in pixels.
  ///   - elementType: The element type of activations.
  /// - Returns: A lower bound.
  public func leastMemory(width: Int, height: Int, elementType: ElementType) -> Int {
    let (own, before) = (blockOutChannels[0], blockOutChannels[min(1, blockOutChannels.count - 1)])
    return width * height * (2 * before + own) * elementType.size
  }

  /// The working memory for decoding an image, in bytes.
  ///
  /// - Parameters:
  ///   - height: The height of the image in pixels.
  ///   - width: The width of the image in pixels.
  ///   - elementType: The element type of activations.
  /// - Returns: An upper estimate: the memory of the largest block's first ResNet block and its upsampling.
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

  /// The memory in bytes without which an image cannot be encoded: the input of the first block's first convolution, before and
  /// after its norm, and the output.
  ///
  /// - Parameters:
  ///   - width: The width of the image in pixels.
  ///   - height: The height of the image in pixels.
  ///   - elementType: The element type of activations.
  /// - Returns: A lower bound.
  public func leastMemory(width: Int, height: Int, elementType: ElementType) -> Int {
    width * height * 3 * blockOutChannels[0] * elementType.size
  }

  /// The working memory for encoding an image, in bytes.
  ///
  /// - Parameters:
  ///   - height: The height of the image in pixels.
  ///   - width: The width of the image in pixels.
  ///   - elementType: The element type of activations.
  /// - Returns: An upper estimate: the memory of the largest block's first ResNet block, and of the image in fp32.
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
