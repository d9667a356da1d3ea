import Networks
import Sampling
import Settings

/// How one image goes through its passes. One checkpoint begins each pass, and a refiner may finish it.
extension Engine {
  /// Takes all remaining steps of a pass.
  ///
  /// - Parameters:
  ///   - image: The image so far.
  ///   - pass: The settings, with the checkpoints that take part; these get the LoRAs of the prompt.
  ///   - plan: How the networks share the memory.
  ///   - callsBefore: The calls of the first pass if this is the second, see `PromptSchedule`; nil for the first.
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
      func denoiser(_ settings: PassSettings) throws -> any Denoiser {
        compute.profiler.begin("loading")
        let model = try models.get(settings, plan, for: pass) { try progress($0, nil) }
        return try self.denoiser(settings, model, callsBefore: callsBefore) { try progress($0, nil) }
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
      first.resume(image.history)
      compute.profiler.begin("sampling")
      // With a feature cache, an image can only be resumed at calls that compute everything.
      var state = image.generationState
      while !image.loop.isFinished {
        if first.isResumable(atCall: image.loop.callCount) { state = image.generationState }
        try progress(stage(image.loop), state)
        try interruptible(at: stage(image.loop), state, progress) { try step(&image.loop, model, pass, training) }
        if model.hasSwitched { image.isRefining = true }
        image.history = model.history
      }
    }
    try progress(stage(image.loop), image.generationState)
    guard image.loop.latent.values.allSatisfy(\.isFinite) else { throw EngineError.notFinite(stage: "latent") }
  }

  /// Takes a step. If the engine should stop, it calls `progress` before the step is done, and ends with what that throws.
  private func interruptible(
    at stage: GenerationProgress, _ state: GenerationState?,
    _ progress: (GenerationProgress, GenerationState?) throws -> Void, _ step: () throws -> Void
  ) throws {
    guard let isStopping else { return try step() }
    try withoutActuallyEscaping(progress) { progress in
      let interruption = compute.machine.interruption
      interruption.handler = { if isStopping() { try progress(stage, state) } }
      defer { interruption.handler = nil }
      do { try step() } catch EngineError.evaluation(let error) { throw error }
    }
  }

  /// The first pass's latent at the size of the second.
  ///
  /// - Parameters:
  ///   - image: The first pass, finished.
  ///   - settings: The settings of the job.
  ///   - passes: Its passes.
  ///   - second: The second of them.
  ///   - plan: How the networks share the memory.
  ///   - progress: See `generate(_:resuming:progress:)`.
  /// - Returns: The latent that the second pass begins with.
  /// - Throws: What `generate(_:resuming:progress:)` throws.
  func enlarged(
    _ image: ImageState, _ settings: ImageSettings, _ passes: ImagePasses, _ second: SecondPass, _ plan: MemoryPlan,
    _ progress: (GenerationProgress, GenerationState?) throws -> Void
  ) throws -> Latent {
    compute.profiler.begin("upscaling")
    let handover = ImageHandover(
      plan: plan, upscaler: try catalog.upscaler(for: settings), padding: NetworkOptions(settings.base).padding,
      compute: compute.with(plan.packing))
    return try second.enlarged(image.loop.latent) { latent in
      // As in the webui, the last checkpoint that ran decodes, and the one that begins the second pass encodes.
      func model(_ settings: PassSettings, _ pass: ImagePass) throws -> LoadedModel {
        let model = try models.get(settings, plan, for: pass) { try progress($0, image.generationState) }
        if !plan.keepsDenoiser { models.releaseDenoisers() }
        return model
      }
      return try handover.enlarged(
        latent, for: second,
        decodingWith: try model(passes.first.settings(isRefining: image.isRefining), passes.first),
        encodingWith: { try model(passes.last.begun, passes.last) },
        progress: { try progress(.upscaling(piece: $0, of: $1), image.generationState) })
    }
  }

  /// Takes one step, and shows a preview if one is due.
  private func step(
    _ loop: inout SamplingLoop, _ model: RefinedDenoiser, _ pass: ImagePass, _ training: TrainingSchedule
  ) throws {
    guard let previews, (loop.stepIndex + 1).isMultiple(of: previews.interval) else {
      return try loop.step(model: model)
    }
    let watched = WatchedModel(model, training: training)
    try loop.step(model: watched)
    if let guess = watched.guess {
      previews.show(guess, of: try catalog.models(for: pass.begun).model.files, compute)
    }
  }

  /// The denoiser of one checkpoint, with the LoRAs and embeddings of its prompts.
  private func denoiser(
    _ settings: PassSettings, _ model: LoadedModel, callsBefore: Int?,
    progress: (GenerationProgress) throws -> Void
  ) throws -> any Denoiser {
    model.networks.use(try catalog.library(for: settings))
    try models.adapt(model, to: try catalog.loras(for: settings) ?? [], progress: progress)
    try progress(.encoding)
    compute.profiler.begin("encoding")
    return try model.networks.denoiser(
      settings, training: try catalog.training(settings), callsBefore: callsBefore, memory: evaluationMemory)
  }
}
