/// DPM-Solver++(2M), a second-order multistep method.
///
/// Source: Lu et al. 2022, "DPM-Solver++", arXiv:2211.01095; k-diffusion's `sample_dpmpp_2m`.
struct DPMPP2M: Sampler {
  private var previousDenoised: Latent?

  mutating func step<Model: GuidedModel>(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, model: inout CountedModel<Model>
  ) throws(Model.Failure) {
    let denoised = try model.denoised(x, sigma: sigmas[i])
    // t = −log σ is infinite at the end, where the latent is replaced by the denoised one.
    let t = -Float.log(sigmas[i])
    let tNext = -Float.log(sigmas[i + 1])
    let h = tNext - t
    var target = denoised
    if let previousDenoised, sigmas[i + 1] > 0 {
      let hPrevious = t + .log(sigmas[i - 1])
      let weight = 1 / (2 * (hPrevious / h))
      target.scale(by: 1 + weight, adding: -weight, previousDenoised)
    }
    x.scale(by: .exp(-tNext) / .exp(-t), adding: -.expm1(-h), target)
    previousDenoised = denoised
  }
}
