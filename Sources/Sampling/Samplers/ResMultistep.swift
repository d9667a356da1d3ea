/// A second-order multistep method of exponential integrators in t = −log σ, with the weights of RES.
///
/// Source: Zhang et al. 2023, "Improved order analysis and design of exponential integrator for diffusion models sampling",
/// arXiv:2308.02157; ComfyUI's `res_multistep` without added noise.
struct ResMultistep: Sampler {
  private var previousDenoised: Latent?

  mutating func step<Model: GuidedModel>(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, model: inout CountedModel<Model>
  ) throws(Model.Failure) {
    let (sigma, next) = (sigmas[i], sigmas[i + 1])
    let denoised = try model.denoised(x, sigma: sigma)
    defer { previousDenoised = denoised }
    guard let previousDenoised, next > 0 else {
      // This is Euler's method; the step to 0 takes the denoised latent.
      x.add(next - sigma, x.derivative(at: sigma, denoised: denoised))
      return
    }
    let t = -Float.log(sigma)
    let h = -Float.log(next) - t
    // Two equal levels leave the latent as it is.
    guard h != 0 else { return }
    let c2 = (-Float.log(sigmas[i - 1]) - t) / h
    let phi1 = Float.expm1(-h) / -h
    let phi2 = (phi1 - 1) / -h
    x.scale(by: .exp(-h), adding: h * (phi1 - phi2 / c2), denoised)
    x.add(h * (phi2 / c2), previousDenoised)
  }
}
