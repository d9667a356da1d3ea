/// DPM-Solver++(2M) for the SDE, midpoint or Heun variant; the step to 0 takes the denoised latent.
///
/// Source: Lu et al. 2022, "DPM-Solver++", arXiv:2211.01095; k-diffusion's `sample_dpmpp_2m_sde`.
struct DPMPP2MSDE: Sampler {
  let eta: Double
  let sNoise: Double
  /// Whether the second order is Heun's rather than the midpoint method's.
  let isHeun: Bool
  private var previous: Previous?

  private struct Previous: Codable {
    var denoised: Latent
    var h: Float
  }

  /// Creates a sampler before its first step.
  init(eta: Double, sNoise: Double, isHeun: Bool = false) {
    self.eta = eta
    self.sNoise = sNoise
    self.isHeun = isHeun
  }

  var noiseKind: NoiseKind { .brownian }

  mutating func step<Model: GuidedModel>(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, model: inout CountedModel<Model>
  ) throws(Model.Failure) {
    let sigma = sigmas[i]
    let next = sigmas[i + 1]
    let denoised = try model.denoised(x, sigma: sigma)
    guard next > 0 else {
      x = denoised
      return
    }
    let h = .log(sigma) - Float.log(next)
    let etaH = Float(eta) * h
    let gain = -Float.expm1(-h - etaH)
    x.scale(by: next / sigma * .exp(-etaH), adding: gain, denoised)
    if let previous {
      let r = previous.h / h
      let weight = isHeun ? gain / (-h - etaH) + 1 : 0.5 * gain
      x.add(weight * (1 / r), denoised.difference(from: previous.denoised))
    }
    if eta != 0 {
      let deviation = next * (-Float.expm1(-2 * etaH)).squareRoot()
      x.add(deviation * Float(sNoise), noise.noise(from: sigma, to: next))
    }
    previous = Previous(denoised: denoised, h: h)
  }
}
