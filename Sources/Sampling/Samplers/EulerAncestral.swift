/// Euler's method to a lower noise level, then noise up to the next level. It does not read `s_noise`.
///
/// Source: k-diffusion's `sample_euler_ancestral`.
struct EulerAncestral: Sampler {
  let eta: Double

  mutating func step<Model: GuidedModel>(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, model: inout CountedModel<Model>
  ) throws(Model.Failure) {
    let sigma = sigmas[i]
    let denoised = try model.denoised(x, sigma: sigma)
    let ancestral = AncestralStep(from: sigma, to: sigmas[i + 1], eta: eta)
    x.add(ancestral.down - sigma, x.derivative(at: sigma, denoised: denoised))
    if sigmas[i + 1] > 0 { x.add(ancestral.up, noise.noise(from: sigma, to: sigmas[i + 1])) }
  }
}
