/// A third-order solver for the extended reverse-time SDE (ER-SDE-Solver-3); the step to 0 takes the denoised latent.
///
/// It works in λ = σ / α: σ itself, or σ / (1 − σ) for models trained by flow matching.
///
/// Source: Cui et al. 2023, "Elucidating the solution space of extended reverse-time SDE for diffusion models",
/// arXiv:2309.06169, with the noise scale of ComfyUI's `sample_er_sde`.
struct ERSDE: Sampler {
  let sNoise: Double
  /// For models trained by flow matching, the level that replaces 1, whose λ is infinite; nil for others.
  let highestLevel: Float?
  private var previousDenoised: Latent?
  /// The denoised latent's slope in λ in the previous step.
  private var previousSlope: Latent?

  /// Creates a sampler before its first step.
  init(sNoise: Double, highestLevel: Float? = nil) {
    self.sNoise = sNoise
    self.highestLevel = highestLevel
  }

  mutating func step<Model: GuidedModel>(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, model: inout CountedModel<Model>
  ) throws(Model.Failure) {
    let (sigma, next) = (level(sigmas, i), level(sigmas, i + 1))
    let denoised = try model.denoised(x, sigma: sigma)
    defer { previousDenoised = denoised }
    guard next > 0 else {
      x = denoised
      return
    }
    let (from, to) = (lambda(sigma), lambda(next))
    let (alphaFrom, alphaTo) = (sigma / from, next / to)
    let ratio = Self.scale(to) / Self.scale(from)
    x.scale(by: alphaTo / alphaFrom * ratio, adding: alphaTo * (1 - ratio), denoised)
    addHigherOrders(to: &x, i, sigmas, denoised, from: from, to: to, alpha: alphaTo)
    if sNoise > 0 {
      let variance = to * to - from * from * ratio * ratio
      x.add(alphaTo * Float(sNoise) * max(0, variance).squareRoot(), noise.noise(from: sigma, to: next))
    }
  }

  private func level(_ sigmas: [Float], _ i: Int) -> Float {
    highestLevel.map { min($0, sigmas[i]) } ?? sigmas[i]
  }

  private func lambda(_ sigma: Float) -> Float { highestLevel == nil ? sigma : sigma / (1 - sigma) }

  /// The scale of the noise, which decides how much of it each step replaces.
  private static func scale(_ lambda: Float) -> Float { lambda * (.exp(Float.pow(lambda, 0.3)) + 10) }

  /// Adds the terms of the denoised latent's slope and curvature in λ, as far as earlier steps allow.
  private mutating func addHigherOrders(
    to x: inout Latent, _ i: Int, _ sigmas: [Float], _ denoised: Latent, from: Float, to: Float, alpha: Float
  ) {
    guard let previousDenoised else { return }
    // The integrals of 1 / scale and (λ − from) / scale over the step, as sums over 200 points.
    let points = 200
    let step = (from - to) / Float(points)
    var (sum, weighted): (Float, Float) = (0, 0)
    for point in 0..<points {
      let position = to + Float(point) * step
      let scaled = Self.scale(position)
      sum += 1 / scaled
      weighted += (position - from) / scaled
    }
    let change = to - from
    // Schedules may repeat a level.
    let before = from - lambda(level(sigmas, i - 1))
    guard before != 0 else { return }
    let slope = denoised.difference(from: previousDenoised, dividedBy: before)
    x.add(alpha * (change + sum * step * Self.scale(to)), slope)
    if let previousSlope {
      let curvature = slope.difference(
        from: previousSlope, dividedBy: (from - lambda(level(sigmas, i - 2))) / 2)
      x.add(alpha * (change * change / 2 + weighted * step * Self.scale(to)), curvature)
    }
    previousSlope = slope
  }
}
