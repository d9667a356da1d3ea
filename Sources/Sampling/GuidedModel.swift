/// The network with guidance, as samplers use it.
///
/// `call` counts the calls of one image from 0. Prompts and guidance that change during an image depend on it.
public protocol GuidedModel<Failure> {
  /// The errors of a call.
  associatedtype Failure: Error

  /// The denoised latent, after guidance, of `x` at noise level `sigma`.
  ///
  /// - Parameters:
  ///   - x: A latent of variance 1 + σ².
  ///   - sigma: The noise level.
  ///   - timestep: The network's input for the noise level; nil for the timestep of `sigma`.
  ///   - call: The number of earlier calls.
  /// - Returns: A latent of the shape of `x`.
  /// - Throws: The model's errors.
  func denoised(_ x: Latent, sigma: Float, timestep: Float?, call: Int) throws(Failure) -> Latent

  /// The noise in `x` at a timestep of the training.
  ///
  /// - Parameters:
  ///   - x: A latent of unit variance, √ᾱ · image + √(1 − ᾱ) · noise.
  ///   - timestep: The noise level of `x`; may be fractional.
  ///   - call: The number of earlier calls.
  /// - Returns: The noise after guidance and without the prompt.
  /// - Throws: The model's errors.
  func noise(_ x: Latent, timestep: Float, call: Int) throws(Failure) -> GuidedNoise
}

/// The network's estimate of the noise in a latent.
public struct GuidedNoise: Sendable {
  /// After guidance.
  public var guided: Latent
  /// Without the prompt; if the negative prompt was skipped, the same as `guided`.
  public var unconditional: Latent

  /// Creates an estimate from both.
  public init(guided: Latent, unconditional: Latent) {
    self.guided = guided
    self.unconditional = unconditional
  }
}

/// A model that counts its calls.
struct CountedModel<Model: GuidedModel> {
  let model: Model
  private(set) var callCount: Int

  /// Wraps a model after `callCount` calls.
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
