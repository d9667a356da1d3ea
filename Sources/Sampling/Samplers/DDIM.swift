/// Denoising diffusion implicit models. With an eta of 1 it is the ancestral sampling that the model was trained for.
///
/// The first timestep is never evaluated, so 20 steps take 19 calls, as in the webui.
/// Source: Song et al. 2020, "Denoising Diffusion Implicit Models", arXiv:2010.02502; the CFG++ form by Chung et al. 2024,
/// "CFG++", arXiv:2406.08070, continues with the noise that the network estimates without the prompt.
struct DDIM: Sampler {
  let eta: Double
  let isCFGPP: Bool
  let timesteps: Timesteps

  func stepCount(sigmas: [Float]) -> Int { max(timesteps.steps.count - 1, 0) }

  mutating func step<Model: GuidedModel>(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, model: inout CountedModel<Model>
  ) throws(Model.Failure) {
    let index = timesteps.steps.count - 1 - i
    let e = try model.noise(x, timestep: Float(timesteps.steps[index]))
    let alpha = Double(timesteps.alphas[index])
    let previous = Double(timesteps.previousAlphas[index])
    let deviation = Float(eta * ((1 - previous) / (1 - alpha) * (1 - alpha / previous)).squareRoot())
    let towards = max(1 - timesteps.previousAlphas[index] - deviation * deviation, 0).squareRoot()
    var next = timesteps.image(x, e.guided, at: index)
    next.scale(by: timesteps.previousAlphas[index].squareRoot(), adding: towards, isCFGPP ? e.unconditional : e.guided)
    // Draw in every step, even if the draw is not used, because later noise follows it in the stream.
    let level = Float(timesteps.steps[index])
    let draw = noise.noise(from: level, to: Float(timesteps.steps[index - 1]))
    if deviation != 0 { next.add(deviation, draw) }
    x = next
  }
}
