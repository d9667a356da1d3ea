/// DPM-Solver-2, the midpoint method in log sigma, with churn; the step to 0 is Euler's.
///
/// Source: Lu et al. 2022, arXiv:2206.00927, and Karras et al. 2022, arXiv:2206.00364; k-diffusion's `sample_dpm_2`.
struct DPM2: Sampler {
  let churn: Churn

  mutating func step<Model: GuidedModel>(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, model: inout CountedModel<Model>
  ) throws(Model.Failure) {
    let sigma = churn.raise(&x, i, sigmas: sigmas, noise: &noise)
    try Self.advance(&x, from: sigma, to: sigmas[i + 1], model: &model)
  }

  /// One step without noise, which `DPM2Ancestral` shares.
  static func advance<Model: GuidedModel>(
    _ x: inout Latent, from sigma: Float, to next: Float, model: inout CountedModel<Model>
  ) throws(Model.Failure) {
    let denoised = try model.denoised(x, sigma: sigma)
    let d = x.derivative(at: sigma, denoised: denoised)
    guard next > 0 else {
      x.add(next - sigma, d)
      return
    }
    let logNext = Float.log(next)
    let middle = Float.exp(logNext - (logNext - .log(sigma)) * 0.5)
    var halfway = x
    halfway.add(middle - sigma, d)
    let denoisedHalfway = try model.denoised(halfway, sigma: middle)
    x.add(next - sigma, halfway.derivative(at: middle, denoised: denoisedHalfway))
  }
}
