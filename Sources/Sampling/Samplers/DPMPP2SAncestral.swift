/// DPM-Solver++(2S), a second-order single-step method, to a lower noise level, then noise up to the next level.
///
/// Source: Lu et al. 2022, "DPM-Solver++", arXiv:2211.01095; k-diffusion's `sample_dpmpp_2s_ancestral`.
struct DPMPP2SAncestral: Sampler {
  let eta: Double
  let sNoise: Double

  mutating func step<Model: GuidedModel>(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, model: inout CountedModel<Model>
  ) throws(Model.Failure) {
    let sigma = sigmas[i]
    let denoised = try model.denoised(x, sigma: sigma)
    let ancestral = AncestralStep(from: sigma, to: sigmas[i + 1], eta: eta)
    if ancestral.down == 0 {
      x.add(-sigma, x.derivative(at: sigma, denoised: denoised))
    } else {
      // t = −log σ
      let t = -Float.log(sigma)
      let tNext = -Float.log(ancestral.down)
      let h = tNext - t
      let sigmaStart = Float.exp(-t)
      let sigmaMiddle = Float.exp(-(t + 0.5 * h))
      var halfway = x
      halfway.scale(by: sigmaMiddle / sigmaStart, adding: -.expm1(-h * 0.5), denoised)
      let denoisedHalfway = try model.denoised(halfway, sigma: sigmaMiddle)
      x.scale(by: .exp(-tNext) / sigmaStart, adding: -.expm1(-h), denoisedHalfway)
    }
    if sigmas[i + 1] > 0 {
      x.add(Float(sNoise) * ancestral.up, noise.noise(from: sigma, to: sigmas[i + 1]))
    }
  }
}
