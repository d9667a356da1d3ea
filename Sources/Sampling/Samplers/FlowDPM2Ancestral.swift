/// DPM-Solver-2 for flow matching to a lower noise level, then noise up to the next level.
///
/// Source: `sample_dpm_2_ancestral_RF` of ComfyUI.
struct FlowDPM2Ancestral: Sampler {
  let eta: Double
  let sNoise: Double

  mutating func step<Model: GuidedModel>(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, model: inout CountedModel<Model>
  ) throws(Model.Failure) {
    let ancestral = FlowAncestralStep(from: sigmas[i], to: sigmas[i + 1], eta: eta)
    try DPM2.advance(&x, from: sigmas[i], to: ancestral.down, model: &model)
    if ancestral.down > 0 {
      let draw = noise.noise(from: sigmas[i], to: sigmas[i + 1])
      x.scale(by: ancestral.scale, adding: Float(sNoise) * ancestral.up, draw)
    }
  }
}
