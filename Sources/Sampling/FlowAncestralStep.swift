/// A step of flow matching split in two, which together reach the next level: down along the ODE to `down`; then the image's
/// part shrinks by `scale`, and noise of deviation `up` is added.
///
/// Source: `sample_euler_ancestral_RF` of ComfyUI, which Forge follows for Flux.
struct FlowAncestralStep {
  let down: Float
  let scale: Float
  let up: Float

  /// The split that reaches the noise level `next` from `sigma`; with an eta of 0 there is no noise.
  init(from sigma: Float, to next: Float, eta: Double) {
    let ratio = 1 + (next / sigma - 1) * Float(eta)
    let down = next * ratio
    guard eta != 0, down < 1 else {
      (self.down, scale, up) = (eta == 0 ? next : down, 1, 0)
      return
    }
    self.down = down
    scale = (1 - next) / (1 - down)
    up = max(next * next - (down * scale) * (down * scale), 0).squareRoot()
  }
}
