import Networks
import Sampling
import Settings

/// A checkpoint as samplers see it.
protocol Denoiser: GuidedModel where Failure == EngineError {
  /// Whether an image can be resumed at this call, because nothing from here on depends on earlier calls.
  func isResumable(atCall call: Int) -> Bool

  /// The features of earlier calls that later ones are forecast from.
  var features: ForecastFeatures { get }

  /// Continues with the features of an image that was stopped.
  func resume(_ features: ForecastFeatures)
}

/// Classifier-free guidance over the network's outputs (Ho & Salimans 2022, arXiv:2207.12598).
struct GuidedDenoiser<Context: NetworkContext>: Denoiser {
  /// Gives the network's outputs.
  let evaluator: any Evaluator<Context>
  /// The noise levels that the network was trained on.
  let training: TrainingSchedule
  /// What the network's output means.
  let prediction: Prediction
  let conditioning: Conditioning<Context>
  /// What networks read that read a guidance: `cfg_scale`, or `distilled_cfg_scale`; 0 for others.
  let guidance: Float
  /// How the image changes the network.
  let options: NetworkOptions
  /// Which calls leave out the negative prompt.
  let skips: GuidanceSkips

  func denoised(_ x: Latent, sigma: Float, timestep: Float?, call: Int) throws(EngineError) -> Latent {
    let isSkipped = skips.skips(call: call, level: sigma)
    let outputs = try outputs(
      prediction.networkInput(x, sigma: sigma), timestep: timestep ?? training.networkTimestep(forSigma: sigma),
      call: call,
      isSkipped: isSkipped)
    return conditioning.combine(
      outputs.map { prediction.denoised(x, output: $0, sigma: sigma) }, isSkipped: isSkipped)
  }

  func noise(_ x: Latent, timestep: Float, call: Int) throws(EngineError) -> GuidedNoise {
    let isSkipped = skips.skips(call: call, level: timestep)
    let alpha = training.alphaCumprod(atTimestep: timestep)
    let noises = try outputs(x, timestep: timestep, call: call, isSkipped: isSkipped)
      .map { prediction.noise(x, output: $0, alphaCumprod: alpha) }
    let hasNegative = conditioning.negative != nil && !isSkipped
    return GuidedNoise(
      guided: conditioning.combine(noises, isSkipped: isSkipped),
      unconditional: noises[hasNegative ? noises.count - 1 : 0])
  }

  func isResumable(atCall call: Int) -> Bool { evaluator.isResumable(atCall: call) }

  var features: ForecastFeatures { evaluator.features }

  func resume(_ features: ForecastFeatures) { evaluator.resume(features) }

  private func outputs(
    _ input: Latent, timestep: Float, call: Int, isSkipped: Bool
  ) throws(EngineError) -> [Latent] {
    try evaluator.outputs(
      Evaluation(
        input: input, timestep: timestep, call: call, guidance: guidance, options: options,
        contexts: conditioning.contexts(atCall: call, isSkipped: isSkipped)))
  }
}
