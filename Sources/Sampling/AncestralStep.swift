/// A step split in two: down along the ODE to `down`, then up again by adding noise of deviation `up`.
///
/// Source: k-diffusion's `get_ancestral_step`.
struct AncestralStep {
  let down: Float
  let up: Float

  /// The split that reaches the noise level `next` from `sigma`; with an eta of 0 there is no noise.
  init(from sigma: Float, to next: Float, eta: Double) {
    guard eta != 0 else {
      down = next
      up = 0
      return
    }
    let variance = next * next * (sigma * sigma - next * next) / (sigma * sigma)
    up = min(next, Float(eta) * variance.squareRoot())
    down = (next * next - up * up).squareRoot()
  }
}
