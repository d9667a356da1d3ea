/// Heun's second-order method, with churn; the step to 0 is Euler's.
///
/// Source: Karras et al. 2022, arXiv:2206.00364, algorithm 2; k-diffusion's `sample_heun`.
struct Heun: Sampler {
  let churn: Churn

  mutating func step<Model: GuidedModel>(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, model: inout CountedModel<Model>
  ) throws(Model.Failure) {
    let sigma = churn.raise(&x, i, sigmas: sigmas, noise: &noise)
    try Self.advance(&x, from: sigma, to: sigmas[i + 1], model: &model)
  }

  /// One step without noise, which `Restart` shares.
  static func advance<Model: GuidedModel>(
    _ x: inout Latent, from sigma: Float, to next: Float, model: inout CountedModel<Model>
  ) throws(Model.Failure) {
    let denoised = try model.denoised(x, sigma: sigma)
    var d = x.derivative(at: sigma, denoised: denoised)
    if next > 0 {
      var ahead = x
      ahead.add(next - sigma, d)
      let denoisedAhead = try model.denoised(ahead, sigma: next)
      // The mean of both ends' derivatives; halving is exact.
      d.add(1, ahead.derivative(at: next, denoised: denoisedAhead))
      d.scale(by: 0.5)
    }
    x.add(next - sigma, d)
  }
}
