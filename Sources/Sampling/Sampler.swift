import Settings

/// A numerical method that follows the probability-flow ODE, or its SDE, from noise to the image.
///
/// A sampler's stored properties are its options and its history of earlier steps. Later steps depend only on these, the
/// latent, the number of calls and the position in the noise, so a sampler can be saved and restored between two steps. The
/// arithmetic is that of k-diffusion, in single precision.
protocol Sampler: Codable, Sendable {
  /// The kind of noise that `step` uses.
  var noiseKind: NoiseKind { get }

  /// The number of steps; an estimate if the method chooses its steps as it goes.
  func stepCount(sigmas: [Float]) -> Int

  /// Whether the image is finished after this number of steps.
  func isFinished(after steps: Int, sigmas: [Float]) -> Bool

  /// Takes step `i`, counted from 0. Most samplers advance `x` from `sigmas[i]` to `sigmas[i + 1]`.
  ///
  /// If the model throws, the sampler, `x` and the noise are left in the middle of the step.
  mutating func step<Model: GuidedModel>(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, model: inout CountedModel<Model>
  ) throws(Model.Failure)
}

extension Sampler {
  var noiseKind: NoiseKind { .stream }

  func stepCount(sigmas: [Float]) -> Int { sigmas.count - 1 }

  func isFinished(after steps: Int, sigmas: [Float]) -> Bool { steps >= stepCount(sigmas: sigmas) }
}

/// The settings of all samplers; each sampler reads those that it knows.
public struct SamplerOptions: Codable, Hashable, Sendable {
  /// The amount of noise that each step adds, relative to the SDE: 1 for all of it, 0 for none.
  public var eta: Double
  /// Noise added before a step of Euler, Heun or DPM2, over all steps.
  public var sChurn: Double
  /// The smallest sigma that is churned.
  public var sTmin: Double
  /// The largest sigma that is churned; nil means no limit.
  public var sTmax: Double?
  /// The factor for all noise except the initial noise.
  public var sNoise: Double
  /// `eta` for DDIM.
  public var etaDDIM: Double
  /// The settings of UniPC.
  public var uniPC: UniPCOptions

  /// Creates options; the defaults are those of the papers.
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

  /// The options of a job.
  init(_ job: PassSettings) {
    self.init(
      eta: job.eta, sChurn: job.sChurn, sTmin: job.sTmin, sTmax: job.sTmax, sNoise: job.sNoise, etaDDIM: job.etaDDIM,
      uniPC: UniPCOptions(
        variant: job.uniPCVariant, skipType: job.uniPCSkipType, order: job.uniPCOrder,
        lowerOrderFinal: job.uniPCLowerOrderFinal))
  }
}

/// The settings of UniPC.
public struct UniPCOptions: Codable, Hashable, Sendable {
  /// The form of the coefficients.
  public var variant: UniPCVariant
  /// How the steps are spaced.
  public var skipType: UniPCSkipType
  /// The order, at least 1; limited by the number of steps.
  public var order: Int
  /// Whether the order decreases towards the end.
  public var lowerOrderFinal: Bool

  /// Creates options; the defaults are those of the webui.
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
