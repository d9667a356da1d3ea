/// Euler's method for flow matching to a lower noise level, then noise up to the next level; the step to 0 takes the denoised
/// latent. It does not read `s_noise`.
///
/// Source: `sample_euler_ancestral_RF` of ComfyUI.
struct FlowEulerAncestral: Sampler {
  let eta: Double

  mutating func step<Model: GuidedModel>(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, model: inout CountedModel<Model>
  ) throws(Model.Failure) {
    let sigma = sigmas[i]
    let denoised = try model.denoised(x, sigma: sigma)
    guard sigmas[i + 1] > 0 else {
      x = denoised
      return
    }
    let ancestral = FlowAncestralStep(from: sigma, to: sigmas[i + 1], eta: eta)
    let ratio = ancestral.down / sigma
    x.scale(by: ratio, adding: 1 - ratio, denoised)
    if eta > 0 { x.scale(by: ancestral.scale, adding: ancestral.up, noise.noise(from: sigma, to: sigmas[i + 1])) }
  }
}
