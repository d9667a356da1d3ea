/// Gives the denoised latent, after guidance, of `x` at noise level `sigma`.
public typealias Denoise = (_ x: Latent, _ sigma: Float) throws -> Latent

/// One numerical method for following the probability-flow ODE, or its SDE, from the highest sigma to 0.
///
/// A sampler's stored properties are its options and its history of earlier steps. Together with the latent and the
/// place in the noise they are all that a later step depends on, so coding and decoding them between two steps changes
/// nothing. Arithmetic follows k-diffusion's in single precision.
protocol Sampler: Codable, Sendable {
  /// The kind of noise that `step` asks for.
  var noiseKind: NoiseKind { get }

  /// Advances `x` from `sigmas[i]` to `sigmas[i + 1]`; `i` goes up one by one from 0.
  ///
  /// When `denoise` throws, the sampler, `x` and the noise are left somewhere within the step.
  mutating func step(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, denoise: Denoise
  ) rethrows
}

extension Sampler {
  var noiseKind: NoiseKind { .stream }
}

/// The settings that samplers have in common; each takes those that it knows.
public struct SamplerOptions: Codable, Hashable, Sendable {
  /// 1 adds as much noise as the SDE asks for, 0 none.
  public var eta: Double
  /// Noise added before a step of Euler, Heun or DPM2, over all steps.
  public var sChurn: Double
  /// The smallest sigma that is churned.
  public var sTmin: Double
  /// The largest sigma that is churned; nothing means no limit.
  public var sTmax: Double?
  /// Scales all noise but the first.
  public var sNoise: Double

  /// The papers' values, unless given.
  public init(eta: Double = 1, sChurn: Double = 0, sTmin: Double = 0, sTmax: Double? = nil, sNoise: Double = 1) {
    self.eta = eta
    self.sChurn = sChurn
    self.sTmin = sTmin
    self.sTmax = sTmax
    self.sNoise = sNoise
  }
}

extension Latent {
  /// The ODE's derivative dx/dσ = (x − denoised) / σ.
  func derivative(at sigma: Float, denoised: Latent) -> Latent {
    difference(from: denoised, dividedBy: sigma)
  }
}
