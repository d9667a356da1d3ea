/// Heun's second-order method, with churn; the step to 0 is Euler's.
///
/// Source: Karras et al. 2022, arXiv:2206.00364, algorithm 2; k-diffusion's `sample_heun`.
struct Heun: Sampler {
  let churn: Churn

  mutating func step(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, denoise: Denoise
  ) rethrows {
    let sigma = churn.raise(&x, i, sigmas: sigmas, noise: &noise)
    let next = sigmas[i + 1]
    let denoised = try denoise(x, sigma)
    var d = x.derivative(at: sigma, denoised: denoised)
    if next > 0 {
      var ahead = x
      ahead.add(next - sigma, d)
      let denoisedAhead = try denoise(ahead, next)
      // The mean of both ends' derivatives; halving is exact.
      d.add(1, ahead.derivative(at: next, denoised: denoisedAhead))
      d.scale(by: 0.5)
    }
    x.add(next - sigma, d)
  }
}
