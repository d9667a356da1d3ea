/// DPM-Solver++ as a second-order single-step method for the SDE; the step to 0 is Euler's.
///
/// Source: Lu et al. 2022, "DPM-Solver++", arXiv:2211.01095; k-diffusion's `sample_dpmpp_sde` with r = 1/2, where only
/// the second denoised latent matters.
struct DPMPPSDE: Sampler {
  let eta: Double
  let sNoise: Double

  var noiseKind: NoiseKind { .brownian }

  mutating func step<Model: GuidedModel>(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, model: inout CountedModel<Model>
  ) throws(Model.Failure) {
    let denoised = try model.denoised(x, sigma: sigmas[i])
    guard sigmas[i + 1] > 0 else {
      x.add(sigmas[i + 1] - sigmas[i], x.derivative(at: sigmas[i], denoised: denoised))
      return
    }
    // t = −log σ. Converting sigmas to t and back changes their last bits, and noise is requested at the changed sigmas.
    let t = -Float.log(sigmas[i])
    let tNext = -Float.log(sigmas[i + 1])
    let sigma = Float.exp(-t)
    let sigmaMiddle = Float.exp(-(t + (tNext - t) * 0.5))
    var halfway = x
    advance(&halfway, from: sigma, t: t, to: sigmaMiddle, denoised: denoised, noise: &noise)
    let denoisedHalfway = try model.denoised(halfway, sigma: sigmaMiddle)
    advance(&x, from: sigma, t: t, to: .exp(-tNext), denoised: denoisedHalfway, noise: &noise)
  }

  /// Goes down along the ODE of a constant denoised latent, then up by adding noise.
  private func advance(
    _ x: inout Latent, from sigma: Float, t: Float, to next: Float, denoised: Latent, noise: inout any NoiseSampler
  ) {
    let ancestral = AncestralStep(from: sigma, to: next, eta: eta)
    let tDown = -Float.log(ancestral.down)
    x.scale(by: .exp(-tDown) / sigma, adding: -.expm1(t - tDown), denoised)
    x.add(Float(sNoise) * ancestral.up, noise.noise(from: sigma, to: next))
  }
}
