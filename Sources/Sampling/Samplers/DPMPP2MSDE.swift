/// DPM-Solver++(2M) for the SDE, midpoint variant; the step to 0 takes the denoised latent.
///
/// Source: Lu et al. 2022, "DPM-Solver++", arXiv:2211.01095; k-diffusion's `sample_dpmpp_2m_sde`.
struct DPMPP2MSDE: Sampler {
  let eta: Double
  let sNoise: Double
  private var previous: Previous?

  private struct Previous: Codable {
    var denoised: Latent
    var h: Float
  }

  /// A sampler before its first step.
  init(eta: Double, sNoise: Double) {
    self.eta = eta
    self.sNoise = sNoise
  }

  var noiseKind: NoiseKind { .brownian }

  mutating func step(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, denoise: Denoise
  ) rethrows {
    let sigma = sigmas[i]
    let next = sigmas[i + 1]
    let denoised = try denoise(x, sigma)
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
      x.add(0.5 * gain * (1 / r), denoised.difference(from: previous.denoised))
    }
    if eta != 0 {
      let deviation = next * (-Float.expm1(-2 * etaH)).squareRoot()
      x.add(deviation * Float(sNoise), noise.noise(from: sigma, to: next))
    }
    previous = Previous(denoised: denoised, h: h)
  }
}
