import Settings

/// One numerical method for following the probability-flow ODE, or its SDE, from noise to the image.
///
/// A sampler's stored properties are its options and its history of earlier steps. Together with the latent, the count
/// of calls and the place in the noise they are all that a later step depends on, so coding and decoding them between
/// two steps changes nothing. Arithmetic follows k-diffusion's in single precision.
protocol Sampler: Codable, Sendable {
  /// The kind of noise that `step` asks for.
  var noiseKind: NoiseKind { get }

  /// Steps in all; an estimate where the method finds its steps on the way.
  func stepCount(sigmas: [Float]) -> Int

  /// Whether nothing is left to do after so many steps.
  func isFinished(after steps: Int, sigmas: [Float]) -> Bool

  /// Takes the step `i`, which goes up one by one from 0; most samplers advance `x` from `sigmas[i]` to
  /// `sigmas[i + 1]`.
  ///
  /// When the model throws, the sampler, `x` and the noise are left somewhere within the step.
  mutating func step<Model: GuidedModel>(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, model: inout CountedModel<Model>
  ) throws(Model.Failure)
}

extension Sampler {
  var noiseKind: NoiseKind { .stream }

  func stepCount(sigmas: [Float]) -> Int { sigmas.count - 1 }

  func isFinished(after steps: Int, sigmas: [Float]) -> Bool { steps >= stepCount(sigmas: sigmas) }
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
  /// What eta is for DDIM.
  public var etaDDIM: Double
  /// What UniPC knows besides.
  public var uniPC: UniPCOptions

  /// The papers' values, unless given.
  public init(
    eta: Double = 1, sChurn: Double = 0, sTmin: Double = 0, sTmax: Double? = nil, sNoise: Double = 1,
    etaDDIM: Double = 0, uniPC: UniPCOptions = UniPCOptions()
  ) {
    self.eta = eta
    self.sChurn = sChurn
    self.sTmin = sTmin
    self.sTmax = sTmax
    self.sNoise = sNoise
    self.etaDDIM = etaDDIM
    self.uniPC = uniPC
  }
}

/// The settings of UniPC.
public struct UniPCOptions: Codable, Hashable, Sendable {
  /// The form of the coefficients.
  public var variant: UniPCVariant
  /// How the steps are spaced.
  public var skipType: UniPCSkipType
  /// At least 1; no more than the steps are used.
  public var order: Int
  /// Whether the order goes down towards the end.
  public var lowerOrderFinal: Bool

  /// The webui's values, unless given.
  public init(
    variant: UniPCVariant = .bh1, skipType: UniPCSkipType = .timeUniform, order: Int = 3, lowerOrderFinal: Bool = true
  ) {
    self.variant = variant
    self.skipType = skipType
    self.order = order
    self.lowerOrderFinal = lowerOrderFinal
  }
}

extension Latent {
  /// The ODE's derivative dx/dσ = (x − denoised) / σ.
  func derivative(at sigma: Float, denoised: Latent) -> Latent {
    difference(from: denoised, dividedBy: sigma)
  }
}
