import Foundation
import Imaging
import Jobs
import Models
import Sampling
import Tensors

/// Makes images: settings in, pixels out, through the four stages in order.
///
/// Holds one checkpoint's weights at a time, so jobs of one model should follow each other. Used by one thread; the
/// arithmetic spreads over its own.
public final class Engine {
  /// Raised whenever the same input may give other pixels than before.
  public static let numerics = 2

  /// What this engine is, for the manifest; its precision is what `auto` means here.
  public let engine: EngineDescription

  private let compute: Compute
  private let catalog: ModelCatalog
  private let evaluationMemory: EvaluationMemory?
  private let smallNetworkBytes: Int
  private var plans: [MemoryPlan.Key: MemoryPlan] = [:]
  private var loaded: LoadedModel?
  /// What is still to be told.
  private var notes: [String] = []
  private var isSlownessNoted = false
  /// Shown while images are made; nothing for none.
  public var previews: Previews? { didSet { previewDecoder = nil } }
  private var previewDecoder: TinyDecoder?

  /// An engine for this machine.
  ///
  /// - Parameters:
  ///   - version: Of the program.
  ///   - threads: How many to compute with.
  ///   - executable: The path of the running program, near which the demo model is.
  ///   - environment: `XDG_CACHE_HOME`, `XDG_DATA_HOME` and `HOME` are read.
  ///   - savesWork: Whether work that images have in common is done once. The images are the same either way.
  ///   - smallNetworkBytes: Networks of less stay in memory; others leave it when their work for an image is done and it
  ///     is short. The images are the same either way.
  /// - Throws: `TensorError` when `SDBATCH_ISA` names an instruction set that this machine lacks.
  public init(
    version: String, threads: Int, executable: String, environment: [String: String], savesWork: Bool = true,
    smallNetworkBytes: Int? = nil
  ) throws {
    self.smallNetworkBytes = smallNetworkBytes ?? PagedNetwork<UNet>.usualSmallBytes
    evaluationMemory = savesWork ? EvaluationMemory() : nil
    compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: threads)
    catalog = ModelCatalog(executable: executable, environment: environment)
    engine = EngineDescription(
      version: version, numerics: Self.numerics, isa: compute.kernels.name,
      precision: compute.kernels.fastestElementType.rawValue,
      threads: compute.pool.threadCount)
  }

  /// How often images asked the network so far; none are counted where no work is saved.
  public var evaluations: NetworkEvaluations { evaluationMemory?.evaluations ?? NetworkEvaluations() }

  /// Counts what each layer takes, once it is turned on.
  public var profiler: Profiler { compute.profiler }

  /// What besides its settings decides the pixels of a job; reads no weights, and is cheap after a model's first time.
  ///
  /// - Parameter parameters: The settings of a job.
  /// - Returns: The models by digest and the arithmetic that will run.
  /// - Throws: `EngineError`, `WeightError` or `TokenizationError` when the model is not usable, or a LoRA of the prompt;
  ///   `PromptError` for a tag that cannot be read.
  public func ingredients(for parameters: JobParameters) throws -> JobIngredients {
    try SecondPass.check(parameters)
    let (model, vae) = try catalog.models(for: parameters)
    let second = parameters.hires?.prompt.isEmpty == false ? parameters.secondPass : nil
    let upscaler = try catalog.upscaler(for: parameters)
    let precision = precision(parameters.precision)
    if precision == .int8, !compute.kernels.isFastInInt8, !isSlownessNoted {
      isSlownessNoted = true
      notes.append(
        "precision: int8 saves memory here, not time: \(engine.isa) has no instructions for products of 8-bit numbers")
    }
    return JobIngredients(
      model: model.identity, vae: vae?.identity, loras: try catalog.loras(for: parameters)?.map(\.identity),
      hiresLoRAs: try second.flatMap { try catalog.loras(for: $0)?.map(\.identity) }, upscaler: upscaler?.identity,
      embeddings: try catalog.library(for: parameters)?.used(by: parameters) ?? [],
      vocabularySHA256: model.vocabularySHA256, precision: precision.rawValue, isa: engine.isa,
      numerics: engine.numerics, weightPacking: try memoryPlan(for: parameters).packing.identity)
  }

  /// What users should know of the files that `ingredients(for:)` looked at, such as embeddings for another kind of model;
  /// each is told once.
  public func takeNotes() -> [String] {
    defer { notes = [] }
    return catalog.takeNotes() + notes
  }

  /// Makes one image.
  ///
  /// - Parameters:
  ///   - parameters: The settings of the job.
  ///   - state: Where to go on, as an earlier call for the same image gave it to `progress`; nothing for the start. The
  ///     image is the same, bit for bit.
  ///   - progress: Called before each stage and after each sampling step, with the state from sampling on; what it throws
  ///     ends the image at once.
  /// - Returns: An image of the size that the settings ask for.
  /// - Throws: What `progress` throws, `UnusableState` before anything is told, `EngineError`, `WeightError`,
  ///   `PromptError` or `TokenizationError`.
  public func generate(
    _ parameters: JobParameters, resuming state: [UInt8]?,
    progress: (GenerationProgress, GenerationState?) throws -> Void
  ) throws -> RGBImage {
    let (model, vae) = try catalog.models(for: parameters)
    let settings = SamplingSettings(parameters, channels: model.archive.unet.configuration.inChannels)
    let training = TrainingSchedule(parameters, model.archive)
    let second = try SecondPass(parameters, channels: settings.shape.channels, training: training)
    let earlier = try state.map {
      try SamplingLoop(bytes: $0, continuing: [settings] + (second.map { [$0.settings] } ?? []))
    }
    let profiler = compute.profiler
    profiler.begin("loading")
    defer { profiler.begin(nil) }
    let plan = try memoryPlan(for: parameters)
    let networks = try load(parameters, plan.packing) { try progress($0, nil) }
    networks.prompts.use(try catalog.library(for: parameters))
    let (width, height) = (parameters.finalWidth, parameters.finalHeight)
    let memory = try model.decoderConfiguration(vae).leastMemory(
      width: width, height: height, elementType: networks.precision.elementType)
    guard compute.workspace.hasRoom(for: memory) else {
      throw EngineError.outOfMemory(bytes: memory, width: width, height: height)
    }

    var loop = earlier ?? SamplingLoop(settings: settings, training: training)
    if !loop.isSecondPass {
      try sample(&loop, parameters, networks, training, laterSteps: second?.stepCount ?? 0, progress)
    }
    var latent = loop.latent
    if let second {
      if !loop.isSecondPass {
        profiler.begin("upscaling")
        let handover = ImageHandover(
          networks: networks, plan: plan, upscaler: try catalog.upscaler(for: parameters),
          padding: UNetOptions(parameters).padding, compute: compute)
        latent = try second.enlarged(latent) { latent in
          try handover.enlarged(latent, for: second) { try progress(.upscaling(piece: $0, of: $1), loop.state) }
        }
        if second.stepCount > 0 { loop = second.start(over: latent, after: loop.stepIndex) }
      }
      if loop.isSecondPass {
        // The networks work at another size from here on.
        compute.workspace.trim()
        try sample(
          &loop, second.parameters, networks, training, callsBefore: second.callsBefore, laterSteps: 0, progress)
        latent = loop.latent
      }
    }

    try progress(.decoding, loop.state)
    profiler.begin("decoding")
    // Decoding needs large buffers of its own; what the UNet worked in would only add to the peak.
    compute.workspace.trim()
    if !plan.keepsUNet { networks.unet.release() }
    defer {
      compute.workspace.trim()
      if !plan.keepsVAE { networks.vae.release() }
    }
    return try ImageDecoder(
      decoder: try networks.vae.get(), scalingFactor: networks.scalingFactor,
      padding: UNetOptions(parameters).padding, compute: compute
    )
    .decode(latent)
  }

  /// Takes all steps of a pass that are left.
  ///
  /// - Parameters:
  ///   - loop: The pass.
  ///   - parameters: Its settings.
  ///   - networks: The networks; they are given the LoRAs of its prompt.
  ///   - training: The noise levels of the training.
  ///   - callsBefore: Calls of the network by the pass before this one, as prompts reckon; nothing for the first.
  ///   - laterSteps: Steps of the passes after this one.
  ///   - progress: See `generate(_:resuming:progress:)`.
  /// - Throws: What `generate(_:resuming:progress:)` throws.
  private func sample(
    _ loop: inout SamplingLoop, _ parameters: JobParameters, _ networks: LoadedModel, _ training: TrainingSchedule,
    callsBefore: Int? = nil, laterSteps: Int, _ progress: (GenerationProgress, GenerationState?) throws -> Void
  ) throws {
    let profiler = compute.profiler
    func stage(_ loop: SamplingLoop) -> GenerationProgress {
      .sampling(step: loop.earlierSteps + loop.stepIndex, of: loop.earlierSteps + loop.stepCount + laterSteps)
    }
    if !loop.isFinished {
      try adapt(networks, to: try catalog.loras(for: parameters) ?? []) { try progress($0, nil) }
      try progress(.encoding, nil)
      profiler.begin("encoding")
      let conditioning = try networks.prompts.conditioning(parameters, callsBefore: callsBefore)
      let featureCache = FeatureCache(interval: parameters.featureCache)
      let denoiser = GuidedDenoiser(
        unet: try networks.unet.get(), training: training,
        prediction: networks.prediction(parameters.predictionType), conditioning: conditioning,
        guidance: Float(parameters.cfgScale), options: UNetOptions(parameters), skips: GuidanceSkips(parameters),
        memory: evaluationMemory, featureCache: featureCache, compute: compute)
      profiler.begin("sampling")
      // With a feature cache there is only going on from where everything is computed.
      var state = loop.state
      while !loop.isFinished {
        if featureCache?.isRenewed(atCall: loop.callCount) ?? true { state = loop.state }
        try progress(stage(loop), state)
        try step(&loop, denoiser, training)
      }
    }
    try progress(stage(loop), loop.state)
    guard loop.latent.values.allSatisfy(\.isFinite) else { throw EngineError.notFinite(stage: "latent") }
  }

  /// Takes one step, and shows what comes of it where that is asked for.
  private func step(_ loop: inout SamplingLoop, _ denoiser: GuidedDenoiser, _ training: TrainingSchedule) throws {
    guard let previews, (loop.stepIndex + 1).isMultiple(of: previews.interval) else {
      return try loop.step(model: denoiser)
    }
    let watched = WatchedModel(denoiser, training: training)
    try loop.step(model: watched)
    if previewDecoder == nil { previewDecoder = try previews.load(compute) }
    if let guess = watched.guess, let previewDecoder { previews.show(guess, previewDecoder, compute) }
  }

  /// Makes one image from its start; see `generate(_:resuming:progress:)`.
  public func generate(
    _ parameters: JobParameters, progress: (GenerationProgress) throws -> Void
  ) throws -> RGBImage {
    try generate(parameters, resuming: nil) { stage, _ in try progress(stage) }
  }

  /// Gives the networks the LoRAs of a job, and takes away what an earlier job had.
  private func adapt(
    _ networks: LoadedModel, to loras: [AdapterCatalog.PlacedLoRA], progress: (GenerationProgress) throws -> Void
  ) throws {
    guard !networks.adapters.has(loras) else { return }
    try progress(.loading(loras.isEmpty ? networks.name : loras.map(\.identity.name).joined(separator: ", ")))
    do {
      try networks.adapters.set(loras)
      networks.prompts.forget()
    } catch {
      // Some layers may have the new weights and some the old.
      loaded = nil
      throw error
    }
  }

  /// What a choice of precision comes to with these kernels.
  private func precision(_ choice: PrecisionChoice) -> Precision {
    switch choice {
    case .auto: Precision(compute.kernels.fastestElementType)
    case .fp32: .fp32
    case .bf16: .bf16
    case .int8: .int8
    }
  }

  /// How the networks of a job share the memory.
  ///
  /// - Parameter parameters: The settings of a job.
  /// - Returns: What is given up for the job's `memory_limit`, if there is one.
  /// - Throws: `EngineError.memoryLimit` for a limit that no plan keeps, or what makes the model unusable.
  public func memoryPlan(for parameters: JobParameters) throws -> MemoryPlan {
    let (model, vae) = try catalog.models(for: parameters)
    let key = MemoryPlan.Key(parameters, precision(parameters.precision))
    if let plan = plans[key] { return plan }
    let encodes = parameters.hires?.enlargesImages == true
    let plan = try MemoryPlan(
      model.archive, vae: try model.decoderConfiguration(vae),
      encoder: encodes ? model.encoder(vae).network?.configuration : nil,
      upscaler: try catalog.upscaler(for: parameters)?.archive, key)
    plans[key] = plan
    return plan
  }

  private func load(
    _ parameters: JobParameters, _ packing: WeightPacking, progress: (GenerationProgress) throws -> Void
  ) throws -> LoadedModel {
    let (model, vae) = try catalog.models(for: parameters)
    let key = ModelCatalog.Key(model: parameters.model, vae: parameters.vae)
    let precision = precision(parameters.precision)
    if let loaded, loaded.key == key, loaded.precision == precision, loaded.packing == packing { return loaded }
    self.compute.packing = packing
    let compute = compute.with(precision: precision)
    if let present = loaded, present.key.model == parameters.model, present.precision == precision,
      present.packing == packing
    {
      try progress(.loading(vae?.identity.name ?? model.identity.name))
      let networks = try present.replacingVAE(model, vae: vae, key: key, compute: compute)
      loaded = networks
      return networks
    }
    try progress(.loading(model.identity.name))
    // The old weights go first: two full-size models need not fit at once.
    loaded = nil
    let networks = try LoadedModel(model, vae: vae, key: key, compute: compute, smallBytes: smallNetworkBytes)
    loaded = networks
    return networks
  }
}

extension UNetOptions {
  /// What a job's settings ask for.
  init(_ parameters: JobParameters) {
    self.init(padding: parameters.tiling ? .circular : .zeros, tokenMergingRatio: parameters.tokenMergingRatio)
  }
}
