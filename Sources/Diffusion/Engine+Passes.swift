import Networks
import Sampling
import Settings

/// The way of one image through its passes, each of which one checkpoint begins and another may finish.
extension Engine {
  /// Takes all steps of a pass that are left.
  ///
  /// - Parameters:
  ///   - image: Where the image is.
  ///   - pass: Its settings, and the checkpoints that take part; these are given the LoRAs of its prompt.
  ///   - plan: How the networks share the memory.
  ///   - callsBefore: Calls of the network by the pass before this one, as prompts reckon; nothing for the first.
  ///   - laterSteps: Steps of the passes after this one.
  ///   - progress: See `generate(_:resuming:progress:)`.
  /// - Throws: What `generate(_:resuming:progress:)` throws.
  func sample(
    _ image: inout ImageState, _ pass: ImagePass, _ plan: MemoryPlan, callsBefore: Int? = nil, laterSteps: Int,
    _ progress: (GenerationProgress, GenerationState?) throws -> Void
  ) throws {
    func stage(_ loop: SamplingLoop) -> GenerationProgress {
      .sampling(step: loop.earlierSteps + loop.stepIndex, of: loop.earlierSteps + loop.stepCount + laterSteps)
    }
    if !image.loop.isFinished {
      let training = try catalog.training(pass.begun)
      func denoiser(_ settings: ImageSettings) throws -> GuidedDenoiser {
        compute.profiler.begin("loading")
        let networks = try models.get(settings, plan, for: pass) { try progress($0, nil) }
        return try self.denoiser(settings, networks, callsBefore: callsBefore) { try progress($0, nil) }
      }
      let first = try denoiser(pass.settings(isRefining: image.isRefining))
      let refined = image.isRefining ? nil : pass.finished
      let model = RefinedDenoiser(
        first,
        refinement: try refined.map { settings in
          RefinedDenoiser.Refinement(
            denoiser: try denoiser(settings), switchAt: Float(settings.refinerSwitchAt), training: training,
            sampler: settings.sampler)
        })
      compute.profiler.begin("sampling")
      // With a feature cache there is only going on from where everything is computed.
      var state = image.generationState
      while !image.loop.isFinished {
        if first.featureCache?.isRenewed(atCall: image.loop.callCount) ?? true { state = image.generationState }
        try progress(stage(image.loop), state)
        try step(&image.loop, model, training)
        if model.hasSwitched { image.isRefining = true }
      }
    }
    try progress(stage(image.loop), image.generationState)
    guard image.loop.latent.values.allSatisfy(\.isFinite) else { throw EngineError.notFinite(stage: "latent") }
  }

  /// The first pass's latent at the size of the second.
  ///
  /// - Parameters:
  ///   - image: The first pass, finished.
  ///   - parameters: The settings of the job.
  ///   - passes: Its passes.
  ///   - second: The second of them.
  ///   - plan: How the networks share the memory.
  ///   - progress: See `generate(_:resuming:progress:)`.
  /// - Returns: What the second pass begins with.
  /// - Throws: What `generate(_:resuming:progress:)` throws.
  func enlarged(
    _ image: ImageState, _ parameters: ImageSettings, _ passes: ImagePasses, _ second: SecondPass, _ plan: MemoryPlan,
    _ progress: (GenerationProgress, GenerationState?) throws -> Void
  ) throws -> Latent {
    compute.profiler.begin("upscaling")
    let handover = ImageHandover(
      plan: plan, upscaler: try catalog.upscaler(for: parameters), padding: UNetOptions(parameters).padding,
      compute: compute.with(plan.packing))
    return try second.enlarged(image.loop.latent) { latent in
      // Whichever ran last decodes, and whichever begins the second pass encodes, as in the webui.
      func networks(_ settings: ImageSettings, _ pass: ImagePass) throws -> LoadedModel {
        let networks = try models.get(settings, plan, for: pass) { try progress($0, image.generationState) }
        if !plan.keepsUNet { models.releaseUNets() }
        return networks
      }
      return try handover.enlarged(
        latent, for: second,
        decodingWith: try networks(passes.first.settings(isRefining: image.isRefining), passes.first),
        encodingWith: { try networks(passes.last.begun, passes.last) },
        progress: { try progress(.upscaling(piece: $0, of: $1), image.generationState) })
    }
  }

  /// Takes one step, and shows what comes of it where that is asked for.
  private func step(_ loop: inout SamplingLoop, _ model: RefinedDenoiser, _ training: TrainingSchedule) throws {
    guard let previews, (loop.stepIndex + 1).isMultiple(of: previews.interval) else {
      return try loop.step(model: model)
    }
    let watched = WatchedModel(model, training: training)
    try loop.step(model: watched)
    if previewDecoder == nil { previewDecoder = try previews.load(compute) }
    if let guess = watched.guess, let previewDecoder { previews.show(guess, previewDecoder, compute) }
  }

  /// The denoiser of one checkpoint, with the LoRAs and embeddings of its prompts.
  private func denoiser(
    _ settings: ImageSettings, _ networks: LoadedModel, callsBefore: Int?,
    progress: (GenerationProgress) throws -> Void
  ) throws -> GuidedDenoiser {
    networks.prompts.use(try catalog.library(for: settings))
    try models.adapt(networks, to: try catalog.loras(for: settings) ?? [], progress: progress)
    try progress(.encoding)
    compute.profiler.begin("encoding")
    let conditioning = try networks.prompts.conditioning(settings, callsBefore: callsBefore)
    return GuidedDenoiser(
      unet: try networks.unet.get(), training: try catalog.training(settings),
      prediction: networks.prediction(settings.predictionType), conditioning: conditioning,
      guidance: Float(settings.cfgScale), options: UNetOptions(settings), skips: GuidanceSkips(settings),
      memory: evaluationMemory, featureCache: FeatureCache(interval: settings.featureCache), compute: compute)
  }
}
