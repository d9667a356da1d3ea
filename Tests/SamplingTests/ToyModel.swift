import Sampling

/// A model that consists of two functions.
struct ToyModel<Failure: Error>: GuidedModel {
  var denoise: (_ x: Latent, _ sigma: Float, _ timestep: Float?) throws(Failure) -> Latent
  var predict: (_ x: Latent, _ timestep: Float) throws(Failure) -> GuidedNoise

  func denoised(_ x: Latent, sigma: Float, timestep: Float?, call: Int) throws(Failure) -> Latent {
    try denoise(x, sigma, timestep)
  }

  func noise(_ x: Latent, timestep: Float, call: Int) throws(Failure) -> GuidedNoise { try predict(x, timestep) }
}

extension SamplingLoop {
  /// Takes one step with the fake models of the fixtures. `onCall` gets the noise level of each call: a sigma, or a timestep
  /// for samplers without sigmas.
  mutating func step<Failure: Error>(onCall: @escaping (Float) throws(Failure) -> Void) throws(Failure) {
    let model = ToyModel<Failure>(
      denoise: { (x, sigma, _) throws(Failure) in
        try onCall(sigma)
        return toyDenoised(x, sigma)
      },
      predict: { (x, timestep) throws(Failure) in
        try onCall(timestep)
        return toyNoise(x, timestep)
      })
    try step(model: model)
  }

  /// Takes one step with the fake models.
  mutating func step() { step(onCall: { _ in }) }

  /// Takes all steps with the fake models.
  mutating func finish() { while !isFinished { step() } }
}

/// A fake network: nonlinear, and made of operations that IEEE 754 rounds in only one way.
func toyDenoised(_ x: Latent, _ sigma: Float) -> Latent {
  let scale = (1 + sigma * sigma).squareRoot()
  return Latent(
    shape: x.shape,
    values: x.values.map {
      let u = $0 / scale
      return 1.5 * u / (1 + u.magnitude)
    })
}

/// A fake network at a timestep; without the prompt it estimates half as much noise.
func toyNoise(_ x: Latent, _ timestep: Float) -> GuidedNoise {
  let guided = Latent(
    shape: x.shape,
    values: x.values.map { 1.5 * $0 / (1 + $0.magnitude) * (0.5 + timestep / 2000) })
  var unconditional = guided
  unconditional.scale(by: 0.5)
  return GuidedNoise(guided: guided, unconditional: unconditional)
}
