import Networks
import Sampling
import Settings
import Tensors

/// A checkpoint's text encoders and denoising network; each is read when it is first needed.
protocol SamplingNetworks: AnyObject {
  /// Sets the library of embeddings that prompts may name; nil for none.
  func use(_ library: EmbeddingLibrary?)

  /// Forgets everything that was computed from the weights, because they have changed.
  func forgetPrompts()

  /// The denoiser of an image.
  ///
  /// - Parameters:
  ///   - job: The settings of the pass.
  ///   - training: The noise levels that the checkpoint was trained on.
  ///   - callsBefore: The calls of the first pass if this is the second; nil for the first.
  ///   - memory: Outputs of earlier images; nil to compute everything, with the same result.
  ///   - remaining: The calls that the pass probably still makes.
  /// - Returns: A denoiser, with its prompts encoded.
  /// - Throws: `PromptError`, `EngineError` for a clip skip that is too large, or what reading a network throws.
  func denoiser(
    _ job: PassSettings, training: TrainingSchedule, callsBefore: Int?, memory: EvaluationMemory?,
    remaining: RemainingCalls
  ) throws -> any Denoiser

  /// Releases the memory of the denoising network.
  func releaseDenoiser()
}

/// The calls that a pass still makes, if its sampler makes one a step. Others make more, at noise levels of their own.
struct RemainingCalls {
  /// The number of each call, and its noise level.
  let calls: [(call: Int, sigma: Float)]
}

extension RemainingCalls {
  /// The calls from an image's next step on; none for samplers that go by timesteps.
  init(_ loop: SamplingLoop) {
    calls = loop.sigmas.dropFirst(loop.stepIndex).filter { $0 > 0 }.enumerated().map {
      (loop.callCount + $0.offset, $0.element)
    }
  }
}

/// The networks of any family, by its prompt encoding.
final class PagedSamplingNetworks<Encoding: PromptEncoding>: SamplingNetworks {
  let prompts: PromptEncoder<Encoding>
  let network: PagedNetwork<Encoding.Network>
  private let trainedPrediction: Prediction
  private let compute: Compute

  /// Creates the networks of a checkpoint.
  ///
  /// - Parameters:
  ///   - encoding: The text encoders.
  ///   - network: The denoising network.
  ///   - readsGuidance: Whether the guidance scale is an input of the network.
  ///   - trainedPrediction: What the network's output means, unless the job overrides it.
  ///   - compute: The machine and numerics to use.
  init(
    _ encoding: Encoding, _ network: PagedNetwork<Encoding.Network>, readsGuidance: Bool,
    trainedPrediction: Prediction, compute: Compute
  ) {
    prompts = PromptEncoder(encoding, for: network, readsGuidance: readsGuidance)
    self.network = network
    self.trainedPrediction = trainedPrediction
    self.compute = compute
  }

  func use(_ library: EmbeddingLibrary?) { prompts.use(library) }

  func forgetPrompts() { prompts.forget() }

  func denoiser(
    _ job: PassSettings, training: TrainingSchedule, callsBefore: Int?, memory: EvaluationMemory?,
    remaining: RemainingCalls
  ) throws -> any Denoiser {
    let conditioning = try prompts.conditioning(job, callsBefore: callsBefore)
    let network = try network.get()
    if job.skipsLayers, let last = job.skipLayers.numbers.last, last >= network.skippableLayers {
      throw EngineError.skippedLayerMissing(last, layers: network.skippableLayers)
    }
    // Other networks always get the same number, so that the memory finds their outputs.
    let guidance =
      network.readsGuidance ? job.cfgScale : job.traits.readsDistilledGuidance ? job.effectiveDistilledCFGScale : 0
    let skips = GuidanceSkips(job)
    let calls = remaining.calls.flatMap { call, sigma in
      conditioning.contexts(atCall: call, isSkipped: skips.skips(call: call, level: sigma)).map {
        ExpectedCall(timestep: training.networkTimestep(forSigma: sigma), context: $0.context)
      }
    }
    network.expect(calls, guidance: Float(guidance))
    return GuidedDenoiser(
      evaluator: evaluator(network, job, training, conditioning, memory), training: training,
      prediction: prediction(job.predictionType), conditioning: conditioning, guidance: Float(guidance),
      options: NetworkOptions(job), skips: skips, changes: GuidanceChanges(job))
  }

  func releaseDenoiser() { network.release() }

  /// The evaluator for the settings of a job.
  private func evaluator(
    _ network: Encoding.Network, _ job: PassSettings, _ training: TrainingSchedule,
    _ conditioning: Conditioning<Encoding.Network.Context>, _ memory: EvaluationMemory?
  ) -> any Evaluator<Encoding.Network.Context> {
    let schedule = ForecastSchedule(job)
    func forecasting(_ base: some Evaluator<Encoding.Network.Context>) -> any Evaluator<Encoding.Network.Context> {
      guard let schedule else { return base }
      return ForecastingEvaluator(
        base, network, schedule, training: training, conditioning: conditioning, memory: memory, compute: compute)
    }
    if let cache = FeatureCache<Encoding.Network.Features>(interval: job.featureCache) {
      return forecasting(FeatureReusingEvaluator(network: network, cache: cache, compute: compute))
    }
    if schedule != nil {
      // The memory has outputs, but no features.
      return forecasting(NetworkEvaluator(network: network, sharesLatent: memory != nil, compute: compute))
    }
    guard let memory, !network.readsGuidance else {
      return NetworkEvaluator(network: network, sharesLatent: false, compute: compute)
    }
    return RememberingEvaluator(
      base: NetworkEvaluator(network: network, sharesLatent: true, compute: compute), memory: memory)
  }

  private func prediction(_ choice: PredictionChoice) -> Prediction {
    switch choice {
    case _ where trainedPrediction == .flow: .flow
    case .epsilon: .epsilon
    case .vPrediction: .vPrediction
    case .auto: trainedPrediction
    }
  }
}

extension NetworkOptions {
  /// The network options in a job's settings.
  init(_ job: PassSettings) {
    self.init(padding: job.tiling ? .circular : .zeros, tokenMergingRatio: job.tokenMergingRatio)
  }
}
