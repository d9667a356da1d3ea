/// What the network's output means, and how to get the denoised latent from it.
///
/// The input of networks that predict noise is x / √(σ² + 1), which has unit variance at every noise level.
/// Source: Karras et al. 2022, arXiv:2206.00364, table 1; k-diffusion's `DiscreteEpsDDPMDenoiser` and
/// `DiscreteVDDPMDenoiser`.
public enum Prediction: String, Codable, Hashable, Sendable {
  /// The output is the noise.
  case epsilon
  /// The output is the velocity of Salimans & Ho 2022, arXiv:2202.00512.
  case vPrediction = "v_prediction"
  /// The output is the velocity of flow matching, noise − image. The input is x = σ · noise + (1 − σ) · image. Source: Lipman
  /// et al. 2022, arXiv:2210.02747; Esser et al. 2024, arXiv:2403.03206.
  case flow

  /// The factor c_in that scales `x` for the network.
  public func inputScale(sigma: Float) -> Float {
    self == .flow ? 1 : 1 / (sigma * sigma + 1).squareRoot()
  }

  /// The network's input for `x` at noise level `sigma`.
  public func networkInput(_ x: Latent, sigma: Float) -> Latent {
    if self == .flow { return x }
    var input = x
    input.scale(by: inputScale(sigma: sigma))
    return input
  }

  /// The denoised latent, computed from the network's `output` for `x` at noise level `sigma`.
  public func denoised(_ x: Latent, output: Latent, sigma: Float) -> Latent {
    var denoised = x
    switch self {
    case .epsilon, .flow:
      denoised.add(-sigma, output)
    case .vPrediction:
      let variance = sigma * sigma + 1
      denoised.scale(by: 1 / variance, adding: -sigma / variance.squareRoot(), output)
    }
    return denoised
  }

  /// A latent x₀ such that x₀ minus the denoised latent is a multiple of the velocity: the velocity of Salimans & Ho for
  /// networks that predict noise or that velocity, of flow matching for others.
  public func velocityOrigin(_ x: Latent, sigma: Float) -> Latent {
    if self == .flow { return x }
    var origin = x
    origin.scale(by: 1 / (sigma * sigma + 1))
    return origin
  }

  /// The noise in `x`, of unit variance, computed from the network's `output` at a timestep with this ᾱ. Flow matching has no
  /// ᾱ, and its families have no samplers that use this.
  public func noise(_ x: Latent, output: Latent, alphaCumprod: Float) -> Latent {
    switch self {
    case .epsilon, .flow: return output
    case .vPrediction:
      var noise = output
      noise.scale(by: alphaCumprod.squareRoot(), adding: (1 - alphaCumprod).squareRoot(), x)
      return noise
    }
  }
}
