import TensorFiles
import Tensors
import Weights

/// A network that turns latents into images: a VAE's decoder, or a small network that replaces it.
public protocol LatentDecoder: AnyObject {
  /// Decodes one latent.
  ///
  /// - Parameters:
  ///   - latent: `[1, height, width, channels]` in fp32, on the scale of the decoder (see `LatentScale`).
  ///   - padding: The values beyond the edges in convolutions.
  /// - Returns: `[1, n * height, n * width, 3]` in fp32, about -1 to 1; n is the enlargement of its configuration.
  func forward(_ latent: Tensor, padding: ConvolutionPadding) -> Tensor
}

/// A network that turns images into latents: a VAE's encoder.
public protocol LatentEncoder: AnyObject {
  /// Encodes one image.
  ///
  /// - Parameters:
  ///   - image: `[1, height, width, 3]` in fp32 from -1 to 1; each side at least 8 pixels.
  ///   - padding: The values beyond the edges in convolutions.
  /// - Returns: `[1, height / n, width / n, channels]` in fp32, sides rounded down, on the scale of the encoder.
  func forward(_ image: Tensor, padding: ConvolutionPadding) -> Tensor
}

/// How the sampled latents are scaled, compared with those of the VAE.
public struct LatentScale: Hashable, Sendable {
  /// The factor of the VAE's latents, applied after the shift is subtracted.
  public var factor: Float
  /// The number that is subtracted from the VAE's latents.
  public var shift: Float

  /// Creates a scale without a shift; with a factor of 1 both latents are the same.
  public init(factor: Float) { self.init(factor: factor, shift: 0) }

  /// Creates a scale with a shift.
  public init(factor: Float, shift: Float) {
    self.factor = factor
    self.shift = shift
  }
}

/// The sizes of a decoder, which determine how much memory it needs.
public protocol LatentDecoderConfiguration: NetworkConfiguration {
  /// How many times larger the image's sides are than those of the latent.
  var enlargement: Int { get }

  /// The memory in bytes without which an image cannot be decoded.
  ///
  /// - Parameters:
  ///   - width: The width of the image in pixels.
  ///   - height: The height of the image in pixels.
  ///   - elementType: The element type of activations.
  /// - Returns: A lower bound.
  func leastMemory(width: Int, height: Int, elementType: ElementType) -> Int

  /// The working memory for decoding an image, in bytes.
  ///
  /// - Parameters:
  ///   - height: The height of the image in pixels.
  ///   - width: The width of the image in pixels.
  ///   - elementType: The element type of activations.
  /// - Returns: An upper estimate.
  func activationBytes(height: Int, width: Int, elementType: ElementType) -> Int

  /// Reads the decoder's weights.
  ///
  /// - Parameters:
  ///   - w: The decoder's weights.
  ///   - compute: The machine and numerics to use.
  /// - Returns: The decoder.
  /// - Throws: `WeightError`.
  func decoder(_ w: WeightScope, compute: Compute) throws -> any LatentDecoder
}

/// The sizes of an encoder, which determine how much memory it needs.
public protocol LatentEncoderConfiguration: NetworkConfiguration {
  /// The memory in bytes without which an image cannot be encoded; see ``LatentDecoderConfiguration``.
  func leastMemory(width: Int, height: Int, elementType: ElementType) -> Int

  /// The working memory for encoding an image, in bytes; see ``LatentDecoderConfiguration``.
  func activationBytes(height: Int, width: Int, elementType: ElementType) -> Int

  /// Reads the encoder's weights; see ``LatentDecoderConfiguration``.
  func encoder(_ w: WeightScope, compute: Compute) throws -> any LatentEncoder
}

/// A network in a model's files that decodes or encodes latents: its sizes and weights, for any kind of network.
public struct LatentCodecFiles<Configuration: Sendable>: Sendable {
  /// The sizes of the network.
  public let configuration: Configuration
  /// The scale of its latents; nil if the files do not state it.
  public let scale: LatentScale?
  private let weights: WeightScope

  /// Creates the description of a network.
  public init(_ configuration: Configuration, _ weights: WeightScope, scale: LatentScale?) {
    self.configuration = configuration
    self.weights = weights
    self.scale = scale
  }

  /// Throws `TensorFileError.changed` if a file was written to after it was opened.
  public func requireUnchanged() throws(TensorFileError) { try weights.store.requireUnchanged() }
}

/// A decoder in a model's files.
public typealias DecoderFiles = LatentCodecFiles<any LatentDecoderConfiguration>

extension DecoderFiles {
  /// Reads the weights.
  ///
  /// Throws `WeightError`.
  public func read(_ compute: Compute) throws -> any LatentDecoder {
    try configuration.decoder(weights, compute: compute)
  }
}

/// An encoder in a model's files.
public typealias EncoderFiles = LatentCodecFiles<any LatentEncoderConfiguration>

extension EncoderFiles {
  /// Reads the weights.
  ///
  /// Throws `WeightError`.
  public func read(_ compute: Compute) throws -> any LatentEncoder {
    try configuration.encoder(weights, compute: compute)
  }

  /// Compares the network's tensors with those that it needs.
  public func audit() -> WeightAudit { weights.store.audit(expecting: configuration.expectedTensors) }
}
