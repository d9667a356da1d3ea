/// Single steps of DPM-Solver of first to third order in t = −log σ, which `DPMFast` and `DPMAdaptive` share.
///
/// Source: Lu et al. 2022, "DPM-Solver", arXiv:2206.00927; k-diffusion's `DPMSolver`.
enum DPMSolver {
  /// The noise level at `t`.
  static func sigma(_ t: Float) -> Float { .exp(-t) }

  /// −log σ
  static func t(_ sigma: Float) -> Float { -.log(sigma) }

  /// The end of a step that is followed by noise of deviation `up`, which together reach `next`.
  static func ancestral(from t: Float, to next: Float, end: Float, eta: Double) -> (t: Float, up: Float) {
    guard eta != 0 else { return (next, 0) }
    let target = min(end, Self.t(AncestralStep(from: sigma(t), to: sigma(next), eta: eta).down))
    let high = sigma(next)
    let low = sigma(target)
    return (target, max(high * high - low * low, 0).squareRoot())
  }

  /// The noise in `x` at `t`.
  static func noise<Model: GuidedModel>(
    _ x: Latent, at t: Float, model: inout CountedModel<Model>
  ) throws(Model.Failure) -> Latent {
    let level = sigma(t)
    return x.derivative(at: level, denoised: try model.denoised(x, sigma: level))
  }

  /// A first-order step, with the noise `e` at its start.
  static func first(_ x: Latent, from t: Float, to next: Float, _ e: Latent) -> Latent {
    var result = x
    result.add(-(sigma(next) * .expm1(next - t)), e)
    return result
  }

  /// A second-order step, given the noise at its start and at the fraction `r` of it.
  static func second(
    _ x: Latent, from t: Float, to next: Float, _ e: Latent, _ inner: Latent, r: Double
  ) -> Latent {
    var result = first(x, from: t, to: next, e)
    result.add(-(sigma(next) / Float(2 * r) * .expm1(next - t)), inner.difference(from: e))
    return result
  }

  /// The point of a step's second evaluation: at the fraction `r` of it.
  static func middle(_ x: Latent, from t: Float, to next: Float, _ e: Latent, r: Double) -> (x: Latent, t: Float) {
    let rh = Float(r) * (next - t)
    let s = t + rh
    var u = x
    u.add(-(sigma(s) * .expm1(rh)), e)
    return (u, s)
  }

  /// A third-order step with evaluations at its start, at a third and at two thirds of it; the first two are given.
  static func third<Model: GuidedModel>(
    _ x: Latent, from t: Float, to next: Float, _ e: Latent, _ inner: Latent, model: inout CountedModel<Model>
  ) throws(Model.Failure) -> Latent {
    let r1 = 1.0 / 3
    let r2 = 2.0 / 3
    let h = next - t
    let rh = Float(r2) * h
    let s = t + rh
    var u = x
    u.add(-(sigma(s) * .expm1(rh)), e)
    u.add(-(sigma(s) * Float(r2 / r1) * (.expm1(rh) / rh - 1)), inner.difference(from: e))
    let last = try noise(u, at: s, model: &model)
    var result = first(x, from: t, to: next, e)
    result.add(-(sigma(next) / Float(r2) * (.expm1(h) / h - 1)), last.difference(from: e))
    return result
  }
}
