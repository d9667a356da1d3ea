import Foundation
import Imaging
import Jobs
import Models
import Sampling
import Tensors

/// Makes images: settings in, pixels out, through the four stages in order.
///
/// Holds the weights of one checkpoint at a time and of its refiner, so jobs of one model should follow each other. Used by
/// one thread; the arithmetic spreads over its own.
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
  /// The checkpoints that are known: one, or two where one of them refines the other's images.
  private var loaded: [LoadedModel] = []
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
    let (model, vae) = try catalog.models(for: parameters)
    let precision = precision(parameters.precision)
    if precision == .int8, !compute.kernels.isFastInInt8, !isSlownessNoted {
      isSlownessNoted = true
      notes.append(
        "precision: int8 is slow here, for \(engine.isa) has no instructions for products of 8-bit numbers; it still saves "
          + "memory, and fp32 is the faster choice")
    }
    var embeddings = try catalog.library(for: parameters)?.used(by: parameters) ?? []
    var refiner: ModelCatalog.Model?
    if let refined = try catalog.refined(parameters) {
      refiner = try catalog.models(for: refined).model
      _ = try catalog.loras(for: refined)
      // There are embeddings that only the refiner takes.
      let more = try catalog.library(for: refined)?.used(by: refined) ?? []
      embeddings += more.filter { !embeddings.contains($0) }
    }
    return JobIngredients(
      model: model.identity, vae: vae?.identity, refiner: refiner?.identity,
      loras: try catalog.loras(for: parameters)?.map(\.identity), embeddings: embeddings,
      vocabularySHA256: model.vocabularySHA256(with: refiner), precision: precision.rawValue, isa: engine.isa,
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
    let earlier = try state.map { try ImageState(bytes: $0, continuing: settings) }
    let refined = try catalog.refined(parameters)
    let profiler = compute.profiler
    profiler.begin("loading")
    defer { profiler.begin(nil) }
    let plan = try memoryPlan(for: parameters)
    var image = earlier ?? ImageState(loop: SamplingLoop(settings: settings, training: training))
    /// The settings with the checkpoint that runs at the time.
    var running: JobParameters { image.isRefining ? refined ?? parameters : parameters }
    /// A checkpoint of the image; those of other images go before one is read.
    func networks(of job: JobParameters) throws -> LoadedModel {
      try load(job, plan.packing, keeping: [parameters.model, refined?.model]) { try progress($0, nil) }
    }
    let precision = try networks(of: running).precision
    let memory = try model.decoderConfiguration(vae).leastMemory(
      width: parameters.width, height: parameters.height, elementType: precision.elementType)
    guard compute.workspace.hasRoom(for: memory) else {
      throw EngineError.outOfMemory(bytes: memory, width: parameters.width, height: parameters.height)
    }

    if !image.loop.isFinished {
      func denoiser(_ job: JobParameters) throws -> GuidedDenoiser {
        profiler.begin("loading")
        return try self.denoiser(job, try networks(of: job)) { try progress($0, nil) }
      }
      let denoiser = RefinedDenoiser(
        try denoiser(running),
        refinement: image.isRefining
          ? nil
          : try refined.map {
            RefinedDenoiser.Refinement(
              denoiser: try denoiser($0), switchAt: Float(parameters.refinerSwitchAt), training: training,
              sampler: parameters.sampler)
          })
      profiler.begin("sampling")
      // With a feature cache there is only going on from where everything is computed.
      let featureCache = FeatureCache(interval: parameters.featureCache)
      var state = image.generationState
      while !image.loop.isFinished {
        if featureCache?.isRenewed(atCall: image.loop.callCount) ?? true { state = image.generationState }
        try progress(.sampling(step: image.loop.stepIndex, of: image.loop.stepCount), state)
        try step(&image.loop, denoiser, training)
        if denoiser.hasSwitched { image.isRefining = true }
      }
    }
    let (loop, state) = (image.loop, image.generationState)
    try progress(.sampling(step: loop.stepIndex, of: loop.stepCount), state)
    guard loop.latent.values.allSatisfy(\.isFinite) else { throw EngineError.notFinite(stage: "latent") }

    // Whichever ran last decodes, as in the webui.
    let networks = try networks(of: running)
    try progress(.decoding, state)
    profiler.begin("decoding")
    // Decoding needs large buffers of its own; what the UNet worked in would only add to the peak.
    compute.workspace.trim()
    if !plan.keepsUNet { for networks in loaded { networks.unet.release() } }
    defer {
      compute.workspace.trim()
      if !plan.keepsVAE { networks.vae.release() }
    }
    return try ImageDecoder(
      decoder: try networks.vae.get(), scalingFactor: networks.scalingFactor,
      padding: UNetOptions(parameters).padding, compute: compute
    )
    .decode(loop.latent)
  }

  /// Takes one step, and shows what comes of it where that is asked for.
  private func step(_ loop: inout SamplingLoop, _ denoiser: RefinedDenoiser, _ training: TrainingSchedule) throws {
    guard let previews, (loop.stepIndex + 1).isMultiple(of: previews.interval) else {
      return try loop.step(model: denoiser)
    }
    let watched = WatchedModel(denoiser, training: training)
    try loop.step(model: watched)
    if previewDecoder == nil { previewDecoder = try previews.load(compute) }
    if let guess = watched.guess, let previewDecoder { previews.show(guess, previewDecoder, compute) }
  }

  /// The denoiser of a job's own checkpoint, with its LoRAs and embeddings.
  private func denoiser(
    _ parameters: JobParameters, _ networks: LoadedModel, progress: (GenerationProgress) throws -> Void
  ) throws -> GuidedDenoiser {
    networks.prompts.use(try catalog.library(for: parameters))
    try adapt(networks, to: try catalog.loras(for: parameters) ?? [], progress: progress)
    try progress(.encoding)
    compute.profiler.begin("encoding")
    let conditioning = try networks.prompts.conditioning(parameters)
    return GuidedDenoiser(
      unet: try networks.unet.get(),
      training: TrainingSchedule(parameters, try catalog.models(for: parameters).model.archive),
      prediction: networks.prediction(parameters.predictionType), conditioning: conditioning,
      guidance: Float(parameters.cfgScale), options: UNetOptions(parameters), skips: GuidanceSkips(parameters),
      memory: evaluationMemory, featureCache: FeatureCache(interval: parameters.featureCache), compute: compute)
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
      loaded.removeAll { $0.key == networks.key }
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
    let refiner = try catalog.refined(parameters).map { try catalog.models(for: $0).model.archive }
    let plan = try MemoryPlan(model.archive, refiner: refiner, vae: try model.decoderConfiguration(vae), key)
    plans[key] = plan
    return plan
  }

  /// The checkpoint of a job.
  ///
  /// - Parameters:
  ///   - parameters: The settings of the job.
  ///   - packing: What weights are packed for.
  ///   - crew: The checkpoints that the image needs; others go before anything is read.
  ///   - progress: Called where the checkpoint is a new one.
  /// - Returns: Networks that are read when they are first needed.
  /// - Throws: `WeightError` or `EngineError`, and what `progress` throws.
  private func load(
    _ parameters: JobParameters, _ packing: WeightPacking, keeping crew: [ModelReference?],
    progress: (GenerationProgress) throws -> Void
  ) throws -> LoadedModel {
    let (model, vae) = try catalog.models(for: parameters)
    let key = ModelCatalog.Key(model: parameters.model, vae: parameters.vae)
    let precision = precision(parameters.precision)
    func isOfKind(_ other: LoadedModel) -> Bool { other.precision == precision && other.packing == packing }
    if let present = loaded.first(where: { $0.key == key && isOfKind($0) }) { return present }
    self.compute.packing = packing
    let compute = compute.with(precision: precision)
    let networks: LoadedModel
    if let present = loaded.first(where: { $0.key.model == key.model && isOfKind($0) }) {
      try progress(.loading(vae?.identity.name ?? model.identity.name))
      networks = try present.replacingVAE(model, vae: vae, key: key, compute: compute)
    } else {
      try progress(.loading(model.identity.name))
      // The old weights go first: they and the new ones need not fit at once.
      loaded.removeAll { !crew.contains($0.key.model) || $0.key.model == key.model || !isOfKind($0) }
      networks = try LoadedModel(model, vae: vae, key: key, compute: compute, smallBytes: smallNetworkBytes)
    }
    loaded.removeAll { $0.key.model == key.model }
    loaded.append(networks)
    return networks
  }
}

extension UNetOptions {
  /// What a job's settings ask for.
  init(_ parameters: JobParameters) {
    self.init(padding: parameters.tiling ? .circular : .zeros, tokenMergingRatio: parameters.tokenMergingRatio)
  }
}
