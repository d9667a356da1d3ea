/// The sampler of consistency models for flow matching: denoise completely, then add noise up to the next level.
///
/// Source: Luo et al. 2023, arXiv:2310.04378; the noise as `sample_lcm` of ComfyUI scales it for flow matching.
struct FlowLCM: Sampler {
  mutating func step<Model: GuidedModel>(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, model: inout CountedModel<Model>
  ) throws(Model.Failure) {
    x = try model.denoised(x, sigma: sigmas[i])
    let next = sigmas[i + 1]
    if next > 0 { x.scale(by: 1 - next, adding: next, noise.noise(from: sigmas[i], to: next)) }
  }
}
