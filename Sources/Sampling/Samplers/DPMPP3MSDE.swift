/// DPM-Solver++(3M) for the SDE, a third-order multistep method; the step to 0 takes the denoised latent.
///
/// Source: Lu et al. 2022, "DPM-Solver++", arXiv:2211.01095; k-diffusion's `sample_dpmpp_3m_sde`.
struct DPMPP3MSDE: Sampler {
  let eta: Double
  let sNoise: Double
  /// Up to two earlier steps, the newest first.
  private var history: [Previous] = []

  private struct Previous: Codable {
    var denoised: Latent
    var h: Float
  }

  /// Creates a sampler before its first step.
  init(eta: Double, sNoise: Double) {
    self.eta = eta
    self.sNoise = sNoise
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
    let hEta = h * Float(eta + 1)
    x.scale(by: .exp(-hEta), adding: -.expm1(-hEta), denoised)
    addHigherOrders(to: &x, denoised: denoised, h: h, hEta: hEta)
    if eta != 0 {
      let deviation = next * (-Float.expm1(-2 * h * Float(eta))).squareRoot()
      x.add(deviation * Float(sNoise), noise.noise(from: sigma, to: next))
    }
    history.insert(Previous(denoised: denoised, h: h), at: 0)
    if history.count > 2 { history.removeLast() }
  }

  /// Adds the terms of the denoised latent's first and second derivative in t = −log σ, as far as the history allows.
  private func addHigherOrders(to x: inout Latent, denoised: Latent, h: Float, hEta: Float) {
    guard let last = history.first else { return }
    let phi2 = Float.expm1(-hEta) / hEta + 1
    let r0 = last.h / h
    let slope = denoised.difference(from: last.denoised, dividedBy: r0)
    guard history.count > 1 else {
      x.add(phi2, slope)
      return
    }
    let r1 = history[1].h / h
    let earlierSlope = last.denoised.difference(from: history[1].denoised, dividedBy: r1)
    let curvature = slope.difference(from: earlierSlope, dividedBy: r0 + r1)
    var derivative = slope
    derivative.add(r0, curvature)
    x.add(phi2, derivative)
    x.add(-(phi2 / hEta - 0.5), curvature)
  }
}
