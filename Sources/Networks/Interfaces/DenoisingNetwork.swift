import Tensors

/// The network that a family of models samples with: a latent at a noise level in, a prediction out.
///
/// A family conforms its own network (a UNet, a transformer). What the prediction means is for the family's `Prediction`.
public protocol DenoisingNetwork: AnyObject {
  /// What a prompt becomes for this network. It is made once per prompt, so it holds everything that does not depend on the
  /// step.
  associatedtype Context: NetworkContext
  /// What the network's deep layers computed for one image, to be reused at later steps; `Never` if it has no such layers.
  associatedtype Features = Never

  /// Whether the guidance scale is an input of the network, so that no guidance is applied to its output.
  var readsGuidance: Bool { get }

  /// How many layers `NetworkOptions.skippedLayers` may leave out; 0 if the network always runs all of them.
  var skippableLayers: Int { get }

  /// Evaluates the network for a batch of latents.
  ///
  /// - Parameters:
  ///   - latents: `[batch, height, width, channels]` in fp32. A single latent is used for all contexts.
  ///   - timestep: As the family's training schedule counts; may be fractional.
  ///   - contexts: One for each image of the batch; their lengths may differ.
  ///   - guidance: The guidance scale, for networks that read it.
  ///   - options: How the image changes the network.
  /// - Returns: `[batch, height, width, channels]` in fp32.
  /// - Throws: `WeightError` if weights that stay in the file cannot be read, and what the machine's interruption throws.
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

  /// Evaluates the shallow layers only; the deep layers' features are those of an earlier step.
  func forward(
    _ latents: Tensor, timestep: Float, contexts: [Context], guidance: Float, options: NetworkOptions,
    reusing features: [Features]
  ) throws -> Tensor

  /// Called in each evaluation with the input of the network's last layers, `[contexts, height, width, channels]` of any
  /// element type; nil if that is not wanted.
  var lateFeatures: ((Tensor) -> Void)? { get set }

  /// Evaluates the last layers alone.
  ///
  /// - Parameters:
  ///   - features: What `lateFeatures` is given, in the element type of activations.
  ///   - options: How the image changes the network.
  /// - Returns: `[contexts, height, width, channels]` in fp32.
  func output(ofLate features: Tensor, options: NetworkOptions) -> Tensor
}

extension DenoisingNetwork {
  /// Nothing: most networks have nothing to work out.
  public func expect(_ calls: [ExpectedCall<Context>], guidance: Float) {}

  /// 0: the network always runs all of its layers.
  public var skippableLayers: Int { 0 }

  /// Nil: a network that does not give its late features is computed in every call.
  public var lateFeatures: ((Tensor) -> Void)? {
    get { nil }
    set {}
  }

  /// The features themselves, as if there were no last layers.
  public func output(ofLate features: Tensor, options: NetworkOptions) -> Tensor { features }
}

extension DenoisingNetwork where Features == Never {
  /// Evaluates the network, which has no features to keep.
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
  /// Who holds the identity can compare contexts without keeping their memory.
  var identity: ContextIdentity { get }
}

/// Tells a context from all others that this process has made, even after that context is gone.
public final class ContextIdentity: Hashable, Sendable {
  /// A new identity, equal to no other.
  public init() {}
  /// Whether both are the same object.
  public static func == (a: ContextIdentity, b: ContextIdentity) -> Bool { a === b }
  /// Hashes the object's address.
  public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

/// How an image changes the network that it is sampled with.
public struct NetworkOptions: Hashable, Sendable {
  /// What convolutions see beyond the edges: circular for images that tile.
  public var padding: ConvolutionPadding
  /// The fraction of tokens that is merged in self-attention, from 0 to 0.9: an approximation.
  public var tokenMergingRatio: Double
  /// The layers that are left out, for skip-layer guidance, counted from 0.
  public var skippedLayers: Set<Int>

  /// By default, the network as it was trained.
  public init(padding: ConvolutionPadding = .zeros, tokenMergingRatio: Double = 0, skippedLayers: Set<Int> = []) {
    self.padding = padding
    self.tokenMergingRatio = tokenMergingRatio
    self.skippedLayers = skippedLayers
  }
}

extension DenoiserConfiguration {
  /// 0: the network does not give its late features.
  public func lateFeatureBytes(height: Int, width: Int) -> Int { 0 }
}

/// The sizes of a denoising network.
public protocol DenoiserConfiguration: NetworkConfiguration {
  /// Channels of the latents.
  var latentChannels: Int { get }
  /// What both sides of a latent must be multiples of so that no map inside the network has an odd size when it is halved.
  var latentStep: Int { get }
  /// Whether the guidance scale is an input of the network.
  var readsGuidance: Bool { get }

  /// Bytes that one evaluation works in.
  ///
  /// - Parameters:
  ///   - height: Of the latent.
  ///   - width: Of the latent.
  ///   - images: Of the batch.
  ///   - elementType: Of activations.
  /// - Returns: An upper estimate.
  func activationBytes(height: Int, width: Int, images: Int, elementType: ElementType) -> Int

  /// Bytes of the late features of one image in fp32; 0 if the network does not give them.
  func lateFeatureBytes(height: Int, width: Int) -> Int

  /// Bytes of the context of a prompt of ordinary length.
  func contextBytes(elementType: ElementType) -> Int
}
