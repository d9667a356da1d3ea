/// The network under guidance, as samplers see it.
///
/// `call` counts the calls of one image from 0: prompts and guidance that change on the way go by it.
public protocol GuidedModel<Failure> {
  /// What a call may throw.
  associatedtype Failure: Error

  /// The denoised latent, after guidance, of `x` at noise level `sigma`.
  ///
  /// - Parameters:
  ///   - x: A latent of variance 1 + σ².
  ///   - sigma: The noise level.
  ///   - timestep: What the network is told of the noise level; nothing for the timestep of `sigma`.
  ///   - call: How many calls came before.
  /// - Returns: A latent of the shape of `x`.
  /// - Throws: What the model throws.
  func denoised(_ x: Latent, sigma: Float, timestep: Float?, call: Int) throws(Failure) -> Latent

  /// The noise in `x` at a timestep of the training.
  ///
  /// - Parameters:
  ///   - x: A latent of unit variance, √ᾱ · image + √(1 − ᾱ) · noise.
  ///   - timestep: Where in the training `x` stands; may be fractional.
  ///   - call: How many calls came before.
  /// - Returns: The noise after guidance and without the prompt.
  /// - Throws: What the model throws.
  func noise(_ x: Latent, timestep: Float, call: Int) throws(Failure) -> GuidedNoise
}

/// What the network takes for the noise in a latent.
public struct GuidedNoise: Sendable {
  /// After guidance.
  public var guided: Latent
  /// Without the prompt; the same as with it where that part was left out.
  public var unconditional: Latent

  /// The two.
  public init(guided: Latent, unconditional: Latent) {
    self.guided = guided
    self.unconditional = unconditional
  }
}

/// A model that counts its calls.
struct CountedModel<Model: GuidedModel> {
  let model: Model
  private(set) var callCount: Int

  /// A model that was called so often before.
  init(_ model: Model, callCount: Int = 0) {
    self.model = model
    self.callCount = callCount
  }

  /// The denoised latent, after guidance, of `x` at noise level `sigma`.
  mutating func denoised(_ x: Latent, sigma: Float, timestep: Float? = nil) throws(Model.Failure) -> Latent {
    let denoised = try model.denoised(x, sigma: sigma, timestep: timestep, call: callCount)
    callCount += 1
    return denoised
  }

  /// The noise in `x`, of unit variance, at a timestep.
  mutating func noise(_ x: Latent, timestep: Float) throws(Model.Failure) -> GuidedNoise {
    let noise = try model.noise(x, timestep: timestep, call: callCount)
    callCount += 1
    return noise
  }
}
