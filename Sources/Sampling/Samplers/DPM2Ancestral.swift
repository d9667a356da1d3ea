/// DPM-Solver-2 to a lower noise level, then noise up to the next level.
///
/// Source: k-diffusion's `sample_dpm_2_ancestral`.
struct DPM2Ancestral: Sampler {
  let eta: Double
  let sNoise: Double

  mutating func step<Model: GuidedModel>(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, model: inout CountedModel<Model>
  ) throws(Model.Failure) {
    let ancestral = AncestralStep(from: sigmas[i], to: sigmas[i + 1], eta: eta)
    try DPM2.advance(&x, from: sigmas[i], to: ancestral.down, model: &model)
    if ancestral.down > 0 {
      x.add(Float(sNoise) * ancestral.up, noise.noise(from: sigmas[i], to: sigmas[i + 1]))
    }
  }
}
