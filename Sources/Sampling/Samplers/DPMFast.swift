/// DPM-Solver-fast: third-order steps evenly spaced in log sigma, with as many model calls as the settings have steps.
///
/// It runs from the training's largest sigma to its smallest, whatever the schedule.
/// Source: Lu et al. 2022, "DPM-Solver", arXiv:2206.00927; k-diffusion's `sample_dpm_fast`.
struct DPMFast: Sampler {
  let eta: Double
  let sNoise: Double
  /// −log σ at the start and at the end of each step.
  private let times: [Float]
  private let orders: [Int]

  /// Creates a sampler before its first step.
  init(eta: Double, sNoise: Double, calls: Int, sigmaMin: Float, sigmaMax: Float) {
    self.eta = eta
    self.sNoise = sNoise
    let count = calls / 3 + 1
    times = SigmaSchedule.linspace(DPMSolver.t(sigmaMax), DPMSolver.t(sigmaMin), count + 1)
    orders =
      calls % 3 == 0
      ? [Int](repeating: 3, count: count - 2) + [2, 1] : [Int](repeating: 3, count: count - 1) + [calls % 3]
  }

  func stepCount(sigmas: [Float]) -> Int { orders.count }

  mutating func step<Model: GuidedModel>(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, model: inout CountedModel<Model>
  ) throws(Model.Failure) {
    let t = times[i]
    let next = times[i + 1]
    let (target, up) = DPMSolver.ancestral(from: t, to: next, end: times[times.count - 1], eta: eta)
    let e = try DPMSolver.noise(x, at: t, model: &model)
    if orders[i] == 1 {
      x = DPMSolver.first(x, from: t, to: target, e)
    } else {
      let r = orders[i] == 2 ? 1.0 / 2 : 1.0 / 3
      let middle = DPMSolver.middle(x, from: t, to: target, e, r: r)
      let inner = try DPMSolver.noise(middle.x, at: middle.t, model: &model)
      x =
        orders[i] == 2
        ? DPMSolver.second(x, from: t, to: target, e, inner, r: r)
        : try DPMSolver.third(x, from: t, to: target, e, inner, model: &model)
    }
    // Draw in every step, even if the draw is not used, because later noise follows it in the stream.
    let draw = noise.noise(from: DPMSolver.sigma(t), to: DPMSolver.sigma(next))
    if up > 0 { x.add(up * Float(sNoise), draw) }
  }
}
