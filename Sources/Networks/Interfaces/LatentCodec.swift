import TensorFiles
import Tensors
import Weights

/// A network that turns latents into images: a VAE's decoder, or a small network in its place.
public protocol LatentDecoder: AnyObject {
  /// Decodes one latent.
  ///
  /// - Parameters:
  ///   - latent: `[1, height, width, channels]` in fp32, on the scale of the decoder (see `LatentScale`).
  ///   - padding: What convolutions see beyond the edges.
  /// - Returns: `[1, n * height, n * width, 3]` in fp32, about -1 to 1; n is the enlargement of its configuration.
  func forward(_ latent: Tensor, padding: ConvolutionPadding) -> Tensor
}

/// A network that turns images into latents: a VAE's encoder.
public protocol LatentEncoder: AnyObject {
  /// Encodes one image.
  ///
  /// - Parameters:
  ///   - image: `[1, height, width, 3]` in fp32 from -1 to 1; each side at least 8 pixels.
  ///   - padding: What convolutions see beyond the edges.
  /// - Returns: `[1, height / n, width / n, channels]` in fp32, sides rounded down, on the scale of the encoder.
  func forward(_ image: Tensor, padding: ConvolutionPadding) -> Tensor
}

/// How the latents that are sampled are scaled, compared with those of the VAE.
public struct LatentScale: Hashable, Sendable {
  /// What the VAE's latents are multiplied by, after the shift is subtracted.
  public var factor: Float
  /// What is subtracted from the VAE's latents.
  public var shift: Float

  /// A scale without a shift; with a factor of 1 both latents are the same.
  public init(factor: Float) { self.init(factor: factor, shift: 0) }

  /// A scale with a shift.
  public init(factor: Float, shift: Float) {
    self.factor = factor
    self.shift = shift
  }
}

/// The sizes of a decoder, which determine the memory it needs.
public protocol LatentDecoderConfiguration: NetworkConfiguration {
  /// How many times as wide and high as the latent the image is.
  var enlargement: Int { get }

  /// Bytes without which an image cannot be decoded.
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
  /// - Returns: An upper estimate.
  func activationBytes(height: Int, width: Int, elementType: ElementType) -> Int

  /// Reads the decoder's weights.
  ///
  /// - Parameters:
  ///   - w: The decoder's weights.
  ///   - compute: What the arithmetic runs on.
  /// - Returns: The decoder.
  /// - Throws: `WeightError`.
  func decoder(_ w: WeightScope, compute: Compute) throws -> any LatentDecoder
}

/// The sizes of an encoder, which determine the memory it needs.
public protocol LatentEncoderConfiguration: NetworkConfiguration {
  /// Bytes without which an image cannot be encoded; see ``LatentDecoderConfiguration``.
  func leastMemory(width: Int, height: Int, elementType: ElementType) -> Int

  /// Bytes that encoding an image works in; see ``LatentDecoderConfiguration``.
  func activationBytes(height: Int, width: Int, elementType: ElementType) -> Int

  /// Reads the encoder's weights; see ``LatentDecoderConfiguration``.
  func encoder(_ w: WeightScope, compute: Compute) throws -> any LatentEncoder
}

/// A network in a model's files that decodes or encodes latents: its sizes and its weights, whatever its kind.
public struct LatentCodecFiles<Configuration: Sendable>: Sendable {
  /// Its sizes.
  public let configuration: Configuration
  /// The scale of its latents; nil if the files do not state it.
  public let scale: LatentScale?
  private let weights: WeightScope

  /// A network.
  public init(_ configuration: Configuration, _ weights: WeightScope, scale: LatentScale?) {
    self.configuration = configuration
    self.weights = weights
    self.scale = scale
  }

  /// Throws `TensorFileError.changed` if a file was written to since it was opened.
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

  /// What is wrong with the set of tensors.
  public func audit() -> WeightAudit { weights.store.audit(expecting: configuration.expectedTensors) }
}
