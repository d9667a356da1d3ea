/// Euler's method, with churn.
///
/// Source: Karras et al. 2022, arXiv:2206.00364, algorithm 2 without its correction; k-diffusion's `sample_euler`.
struct Euler: Sampler {
  let churn: Churn

  mutating func step<Model: GuidedModel>(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, model: inout CountedModel<Model>
  ) throws(Model.Failure) {
    let sigma = churn.raise(&x, i, sigmas: sigmas, noise: &noise)
    let denoised = try model.denoised(x, sigma: sigma)
    x.add(sigmas[i + 1] - sigma, x.derivative(at: sigma, denoised: denoised))
  }
}
