import Networks
import Sampling
import Settings

/// A checkpoint, as samplers use it.
protocol Denoiser: GuidedModel where Failure == EngineError {
  /// Whether an image can be resumed at this call, because nothing from here on depends on earlier calls.
  func isResumable(atCall call: Int) -> Bool

  /// The state of earlier calls that later calls need.
  var history: DenoiserHistory { get }

  /// Continues with the saved history of an image.
  func resume(_ history: DenoiserHistory)
}

/// The state of a denoiser's earlier calls that later calls need. It is saved with the image.
struct DenoiserHistory: Hashable {
  /// The network's features, if later ones are forecast from them.
  var features = ForecastFeatures()
  /// The guidance of the calls so far, if it has momentum; see `ProjectedGuidance`.
  var guidance: Latent?
}

/// Classifier-free guidance applied to the network's outputs (Ho & Salimans 2022, arXiv:2207.12598).
struct GuidedDenoiser<Context: NetworkContext>: Denoiser {
  /// Computes the network's outputs.
  let evaluator: any Evaluator<Context>
  /// The noise levels that the network was trained on.
  let training: TrainingSchedule
  /// What the network's output means.
  let prediction: Prediction
  let conditioning: Conditioning<Context>
  /// The guidance scale for networks that take it as an input: `cfg_scale` or `distilled_cfg_scale`; 0 for others.
  let guidance: Float
  /// The settings of the image that change the network.
  let options: NetworkOptions
  /// Decides which calls leave out the negative prompt.
  let skips: GuidanceSkips
  /// The changes to guidance; nil for plain guidance.
  let changes: GuidanceChanges?

  func denoised(_ x: Latent, sigma: Float, timestep: Float?, call: Int) throws(EngineError) -> Latent {
    let isSkipped = skips.skips(call: call, level: sigma)
    let input = prediction.networkInput(x, sigma: sigma)
    let timestep = timestep ?? training.networkTimestep(forSigma: sigma)
    func denoised(_ outputs: [Latent]) -> [Latent] {
      outputs.map { prediction.denoised(x, output: $0, sigma: sigma) }
    }
    let outputs = denoised(try outputs(input, timestep: timestep, call: call, isSkipped: isSkipped))
    guard let changes else { return conditioning.combine(outputs, isSkipped: isSkipped) }
    return changes.guided(
      outputs, withoutLayers: try outputsWithoutLayers(input, timestep: timestep, call: call).map(denoised),
      conditioning, isSkipped: isSkipped, origin: prediction.velocityOrigin(x, sigma: sigma))
  }

  func noise(_ x: Latent, timestep: Float, call: Int) throws(EngineError) -> GuidedNoise {
    let isSkipped = skips.skips(call: call, level: timestep)
    let alpha = training.alphaCumprod(atTimestep: timestep)
    func noises(_ outputs: [Latent]) -> [Latent] {
      outputs.map { prediction.noise(x, output: $0, alphaCumprod: alpha) }
    }
    let found = noises(try outputs(x, timestep: timestep, call: call, isSkipped: isSkipped))
    let hasNegative = conditioning.negative != nil && !isSkipped
    let unconditional = found[hasNegative ? found.count - 1 : 0]
    guard let changes else {
      return GuidedNoise(guided: conditioning.combine(found, isSkipped: isSkipped), unconditional: unconditional)
    }
    // The same latent is √ᾱ · image + √(1 − ᾱ) · noise.
    let (image, noise) = (alpha.squareRoot(), (1 - alpha).squareRoot())
    func denoised(_ noises: [Latent]) -> [Latent] {
      noises.map { one in
        var denoised = x
        denoised.scale(by: 1 / image, adding: -noise / image, one)
        return denoised
      }
    }
    let withoutLayers = try outputsWithoutLayers(x, timestep: timestep, call: call).map { denoised(noises($0)) }
    var origin = x
    origin.scale(by: image)
    let result = changes.guided(
      denoised(found), withoutLayers: withoutLayers, conditioning, isSkipped: isSkipped, origin: origin)
    var guided = x
    guided.scale(by: 1 / noise, adding: -image / noise, result)
    return GuidedNoise(guided: guided, unconditional: unconditional)
  }

  func isResumable(atCall call: Int) -> Bool { evaluator.isResumable(atCall: call) }

  var history: DenoiserHistory {
    DenoiserHistory(features: evaluator.features, guidance: changes?.projection?.average)
  }

  func resume(_ history: DenoiserHistory) {
    evaluator.resume(history.features)
    changes?.projection?.average = history.guidance
  }

  private func outputs(
    _ input: Latent, timestep: Float, call: Int, isSkipped: Bool
  ) throws(EngineError) -> [Latent] {
    try evaluator.outputs(
      Evaluation(
        input: input, timestep: timestep, call: call, guidance: guidance, options: options,
        contexts: conditioning.contexts(atCall: call, isSkipped: isSkipped)))
  }

  /// The outputs for the parts of the prompt with skipped layers; nil in calls that do not need them.
  private func outputsWithoutLayers(
    _ input: Latent, timestep: Float, call: Int
  ) throws(EngineError) -> [Latent]? {
    guard let skipped = changes?.skippedLayers, skipped.applies(atCall: call) else { return nil }
    var options = options
    options.skippedLayers = Set(skipped.layers.numbers)
    return try evaluator.outputs(
      Evaluation(
        input: input, timestep: timestep, call: call, guidance: guidance, options: options,
        contexts: conditioning.contextsWithoutLayers(atCall: call)))
  }
}
