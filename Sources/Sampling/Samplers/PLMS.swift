/// Pseudo linear multistep: DDIM's step along an Adams-Bashforth mean of up to four noises.
///
/// Source: Liu et al. 2022, "Pseudo Numerical Methods for Diffusion Models on Manifolds", arXiv:2202.09778.
struct PLMS: Sampler {
  let timesteps: Timesteps
  /// Up to three earlier noises, the newest first.
  private var history: [Latent] = []

  /// Creates a sampler before its first step.
  init(timesteps: Timesteps) { self.timesteps = timesteps }

  func stepCount(sigmas: [Float]) -> Int { max(timesteps.steps.count - 1, 0) }

  mutating func step<Model: GuidedModel>(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, model: inout CountedModel<Model>
  ) throws(Model.Failure) {
    let index = timesteps.steps.count - 1 - i
    let e = try model.noise(x, timestep: Float(timesteps.steps[index])).guided
    let terms: [(weight: Float, noise: Latent)]
    let divisor: Float
    switch history.count {
    case 0:
      let ahead = advanced(x, along: e, at: index)
      let next = try model.noise(ahead, timestep: Float(timesteps.steps[index - 1])).guided
      (terms, divisor) = ([(1, next)], 2)
    case 1: (terms, divisor) = ([(-1, history[0])], 2)
    case 2: (terms, divisor) = ([(-16, history[0]), (5, history[1])], 12)
    default: (terms, divisor) = ([(-59, history[0]), (37, history[1]), (-9, history[2])], 24)
    }
    var mean = e
    mean.scale(by: [1, 3, 23, 55][history.count])
    for term in terms { mean.add(term.weight, term.noise) }
    mean.divide(by: divisor)
    x = advanced(x, along: mean, at: index)
    history.insert(e, at: 0)
    if history.count > 3 { history.removeLast() }
  }

  /// DDIM's step without noise.
  private func advanced(_ x: Latent, along e: Latent, at index: Int) -> Latent {
    let previous = timesteps.previousAlphas[index]
    var next = timesteps.image(x, e, at: index)
    next.scale(by: previous.squareRoot(), adding: (1 - previous).squareRoot(), e)
    return next
  }
}
