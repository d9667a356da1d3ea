import Tensors

/// The network that a family of models samples with: its input is a latent at a noise level, its output a prediction.
///
/// Each family conforms its own network (a UNet, a transformer) to it. What the prediction means is decided by the family's
/// `Prediction`.
public protocol DenoisingNetwork: AnyObject {
  /// A prompt as the input of this network. It is made once for each prompt, so it contains everything that does not depend on
  /// the step.
  associatedtype Context: NetworkContext
  /// The results of the network's deep layers for one image, which later steps can reuse; `Never` if it has no such layers.
  associatedtype Features = Never

  /// Whether the guidance scale is an input of the network. Then no guidance is applied to its output.
  var readsGuidance: Bool { get }

  /// The number of layers that `NetworkOptions.skippedLayers` may select; 0 if the network always runs all of them.
  var skippableLayers: Int { get }

  /// Evaluates the network for a batch of latents.
  ///
  /// - Parameters:
  ///   - latents: `[batch, height, width, channels]` in fp32. A single latent is used for all contexts.
  ///   - timestep: The timestep, as counted by the family's training schedule; may be fractional.
  ///   - contexts: One for each image of the batch; their lengths may differ.
  ///   - guidance: The guidance scale, for networks that take it as an input.
  ///   - options: The settings of the image that change the network.
  /// - Returns: `[batch, height, width, channels]` in fp32.
  /// - Throws: `WeightError` if weights that stay in the file cannot be read, and the error of the machine's interruption.
  func forward(
    _ latents: Tensor, timestep: Float, contexts: [Context], guidance: Float, options: NetworkOptions
  ) throws -> Tensor

  /// Names evaluations to come, so that the network can work out together what depends on noise level and prompt alone. No
  /// result depends on it; calls may be missing, or never come.
  ///
  /// - Parameters:
  ///   - calls: The evaluations, the first ones first.
  ///   - guidance: The guidance scale of all of them.
  func expect(_ calls: [ExpectedCall<Context>], guidance: Float)

  /// Evaluates the network, and also returns the features of its deep layers, one for each context.
  func forwardKeepingFeatures(
    _ latents: Tensor, timestep: Float, contexts: [Context], guidance: Float, options: NetworkOptions
  ) throws -> (output: Tensor, features: [Features])

  /// Evaluates only the shallow layers; the deep layers' features come from an earlier step.
  func forward(
    _ latents: Tensor, timestep: Float, contexts: [Context], guidance: Float, options: NetworkOptions,
    reusing features: [Features]
  ) throws -> Tensor

  /// Called in each evaluation with the input of the network's last layers, `[contexts, height, width, channels]` of any
  /// element type; nil if it is not needed.
  var lateFeatures: ((Tensor) -> Void)? { get set }

  /// Evaluates only the last layers.
  ///
  /// - Parameters:
  ///   - features: The argument of `lateFeatures`, in the element type of activations.
  ///   - options: The settings of the image that change the network.
  /// - Returns: `[contexts, height, width, channels]` in fp32.
  func output(ofLate features: Tensor, options: NetworkOptions) -> Tensor
}

extension DenoisingNetwork {
  /// Nothing: most networks have nothing to work out.
  public func expect(_ calls: [ExpectedCall<Context>], guidance: Float) {}

  /// 0: the network always runs all of its layers.
  public var skippableLayers: Int { 0 }

  /// nil: a network that does not provide its late features is computed in every call.
  public var lateFeatures: ((Tensor) -> Void)? {
    get { nil }
    set {}
  }

  /// The features themselves, because there are no last layers.
  public func output(ofLate features: Tensor, options: NetworkOptions) -> Tensor { features }
}

extension DenoisingNetwork where Features == Never {
  /// Evaluates the network; there are no features to keep.
  public func forwardKeepingFeatures(
    _ latents: Tensor, timestep: Float, contexts: [Context], guidance: Float, options: NetworkOptions
  ) throws -> (output: Tensor, features: [Never]) {
    (try forward(latents, timestep: timestep, contexts: contexts, guidance: guidance, options: options), [])
  }

  /// Evaluates all layers, because there are no features to reuse.
  public func forward(
    _ latents: Tensor, timestep: Float, contexts: [Context], guidance: Float, options: NetworkOptions,
    reusing features: [Never]
  ) throws -> Tensor {
    try forward(latents, timestep: timestep, contexts: contexts, guidance: guidance, options: options)
  }
}

/// An evaluation to come: one prompt at one noise level.
public struct ExpectedCall<Context> {
  /// As in the evaluation.
  public let timestep: Float
  /// As in the evaluation.
  public let context: Context

  /// An evaluation to come.
  public init(timestep: Float, context: Context) {
    self.timestep = timestep
    self.context = context
  }
}

/// What a prompt becomes for a denoising network.
public protocol NetworkContext {
  /// Allows contexts to be compared without keeping their memory.
  var identity: ContextIdentity { get }
}

/// Distinguishes a context from all others that this process has made, even after that context has been released.
public final class ContextIdentity: Hashable, Sendable {
  /// A new identity, equal to no other.
  public init() {}
  /// Whether both are the same object.
  public static func == (a: ContextIdentity, b: ContextIdentity) -> Bool { a === b }
  /// Hashes the object's address.
  public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

/// The settings of an image that change the network.
public struct NetworkOptions: Hashable, Sendable {
  /// The values beyond the edges in convolutions: circular for images that tile.
  public var padding: ConvolutionPadding
  /// The fraction of tokens that are merged in self-attention, from 0 to 0.9: an approximation.
  public var tokenMergingRatio: Double
  /// The layers to skip for skip-layer guidance, counted from 0.
  public var skippedLayers: Set<Int>

  /// Creates options; the defaults are the network as it was trained.
  public init(padding: ConvolutionPadding = .zeros, tokenMergingRatio: Double = 0, skippedLayers: Set<Int> = []) {
    self.padding = padding
    self.tokenMergingRatio = tokenMergingRatio
    self.skippedLayers = skippedLayers
  }
}

extension DenoiserConfiguration {
  /// 0: the network does not provide its late features.
  public func lateFeatureBytes(height: Int, width: Int) -> Int { 0 }
}

/// The sizes of a denoising network.
public protocol DenoiserConfiguration: NetworkConfiguration {
  /// Channels of the latents.
  var latentChannels: Int { get }
  /// Both sides of a latent must be multiples of this, so that no feature map has an odd size when it is halved.
  var latentStep: Int { get }
  /// Whether the guidance scale is an input of the network.
  var readsGuidance: Bool { get }

  /// The working memory of one evaluation in bytes.
  ///
  /// - Parameters:
  ///   - height: The height of the latent.
  ///   - width: The width of the latent.
  ///   - images: The number of images in the batch.
  ///   - elementType: The element type of activations.
  /// - Returns: An upper estimate.
  func activationBytes(height: Int, width: Int, images: Int, elementType: ElementType) -> Int

  /// The size in bytes of the late features of one image in fp32; 0 if the network does not provide them.
  func lateFeatureBytes(height: Int, width: Int) -> Int

  /// The size in bytes of the context of a prompt of typical length.
  func contextBytes(elementType: ElementType) -> Int
}
