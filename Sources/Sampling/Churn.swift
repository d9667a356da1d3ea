/// Noise that is added before a step, and that a deterministic sampler then removes.
///
/// Source: Karras et al. 2022, arXiv:2206.00364, algorithm 2.
struct Churn: Codable, Hashable, Sendable {
  let amount: Double
  let sigmaMin: Double
  let sigmaMax: Double?
  let sNoise: Double

  /// The churn for these options.
  init(_ options: SamplerOptions) {
    amount = options.sChurn
    sigmaMin = options.sTmin
    sigmaMax = options.sTmax
    sNoise = options.sNoise
  }

  /// Adds noise to `x` at `sigmas[i]`. Returns the new noise level; without churn it is the same.
  func raise(_ x: inout Latent, _ i: Int, sigmas: [Float], noise: inout any NoiseSampler) -> Float {
    let sigma = sigmas[i]
    // Draw in every step, even if the draw is not used, because later noise follows it in the stream.
    let draw = noise.noise(from: sigma, to: sigmas[i + 1])
    let isInRange = Float(sigmaMin) <= sigma && sigma <= Float(sigmaMax ?? .infinity)
    let gamma = isInRange ? min(amount / Double(sigmas.count - 1), 2.squareRoot() - 1) : 0
    guard gamma > 0 else { return sigma * Float(gamma + 1) }
    let raised = sigma * Float(gamma + 1)
    x.add(Float(sNoise) * (raised * raised - sigma * sigma).squareRoot(), draw)
    return raised
  }
}
