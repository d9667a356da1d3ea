import Foundation
import Imaging
import Networks
import Sampling
import Settings
import TensorFiles
import Tensors
import Tokenization

/// Makes images: settings in, pixels out.
///
/// It holds the weights of one checkpoint at a time and of its refiner, so jobs of one model should follow each other. Only one
/// thread may use it; the arithmetic has threads of its own.
public final class Engine {
  /// Increased whenever the same input may give different pixels than before.
  public static let numerics = 2

  /// Increased whenever jobs in int8 may give different pixels than before, and others not: since 1, attention's scores are
  /// products of bytes.
  private static let int8Numerics = 1

  /// The same for jobs with a transformer: since 1, the first blocks are not quantised.
  private static let int8TransformerNumerics = 1

  /// The version that is part of the identity of a job.
  ///
  /// - Parameters:
  ///   - passes: Its passes.
  ///   - precision: What its networks run in.
  /// - Returns: The version.
  private static func numerics(of passes: ImagePasses, in precision: Precision) -> Int {
    let all = passes.all.flatMap(\.all)
    var version = numerics
    if precision == .int8 {
      version += int8Numerics
      if all.contains(where: { $0.traits.flow != nil }) { version += int8TransformerNumerics }
    }
    return version
  }

  /// This engine, as the manifest describes it; its precision is what `auto` means here.
  public let description: EngineDescription

  let compute: Compute
  let catalog: ModelCatalog
  let models: LoadedModels
  /// Nil if no work is saved.
  let evaluationMemory: EvaluationMemory?
  /// Whether work that images have in common is done once.
  let savesWork: Bool
  /// What `changes(in:)` found last in each pass.
  var lastChanges = (first: LastChanges(), second: LastChanges())
  private var plans: [MemoryPlan.Key: MemoryPlan] = [:]
  /// What users should know, and was not returned yet.
  private var notes: [String] = []
  private var isSlownessNoted = false
  private var familiesWithNotedBrackets: Set<FamilyID> = []
  /// Shown while images are made; nil for none.
  public var previews: Previews?
  /// Asked within evaluations of large networks; nil if nobody stops the engine.
  var isStopping: (() -> Bool)?
  /// What restored the last faces, if it was kept, and its files.
  var faceRestorer: (restorer: FaceRestorer, files: [ModelIdentity])?

  /// An engine for this machine.
  ///
  /// - Parameters:
  ///   - version: Of the program.
  ///   - threads: How many to compute with.
  ///   - executable: The path of the running program, near which the demo model is.
  ///   - environment: `XDG_CACHE_HOME`, `XDG_DATA_HOME` and `HOME` are read.
  ///   - savesWork: Whether work that images have in common is done once. The images are the same either way.
  ///   - smallNetworkBytes: Networks smaller than this stay in memory. Others are released after their part of an image, if
  ///     memory is short. The images are the same either way.
  /// - Throws: `TensorError` when `SDBATCH_ISA` names an instruction set that this machine lacks; `EngineError.cacheLimit`.
  public init(
    version: String, threads: Int, executable: String, environment: [String: String], savesWork: Bool = true,
    smallNetworkBytes: Int? = nil
  ) throws {
    self.savesWork = savesWork
    evaluationMemory = savesWork ? EvaluationMemory() : nil
    let checked = try Kernels.checked(
      rememberingIn: DigestCache(environment: environment).cacheFolder, version: version)
    compute = Compute(kernels: checked.kernels, threadCount: threads)
    notes = checked.notes
    catalog = ModelCatalog(executable: executable, environment: environment)
    models = LoadedModels(
      catalog, compute: compute, smallBytes: smallNetworkBytes ?? SmallNetwork.defaultBytes)
    compute.machine.packedCopies = try Self.packedCopies(environment)
    description = EngineDescription(
      version: version, numerics: Self.numerics, isa: compute.kernels.name,
      precision: compute.kernels.fastestElementType.rawValue,
      threads: compute.pool.threadCount)
  }

  deinit { compute.machine.packedCopies?.wait() }

  /// Copies of packed weights in the user's cache folder; nil if there is none, or if they are turned off.
  private static func packedCopies(_ environment: [String: String]) throws(EngineError) -> PackedCopies? {
    let limit = try CacheLimit.bytes(environment)
    guard let folder = DigestCache(environment: environment).cacheFolder else { return nil }
    return limit > 0 ? PackedCopies(folder: folder + "/packed", limit: limit) : nil
  }

  /// The evaluations of the network so far; not counted if no work is saved.
  public var evaluations: NetworkEvaluations { evaluationMemory?.evaluations ?? NetworkEvaluations() }

  /// Counts the time of each layer, once it is turned on.
  public var profiler: Profiler { compute.profiler }

  /// What decides the pixels of a job besides its settings. Reads no weights, and is cheap after the first call for a model.
  ///
  /// - Parameter settings: The settings of a job.
  /// - Returns: The models by digest, and the arithmetic that will run.
  /// - Throws: `EngineError`, `WeightError` or `TokenizationError` if the model or a LoRA of the prompt cannot be used;
  ///   `PromptError` for a tag that cannot be parsed.
  public func ingredients(for settings: ImageSettings) throws -> JobIngredients {
    let refusals = settings.familyRefusals
    guard refusals.isEmpty else { throw EngineError.notForFamily(refusals) }
    try SecondPass.check(settings)
    noteBrackets(settings)
    let vae = try catalog.models(for: settings.base).vae
    let upscaler = try catalog.upscaler(for: settings)
    let precision = compute.precision(settings.precision)
    if precision == .int8, !compute.kernels.isFastInInt8, !isSlownessNoted {
      isSlownessNoted = true
      notes.append(
        "precision: int8 saves memory here, not time: \(description.isa) has no instructions for products of 8-bit numbers"
      )
    }
    let passes = try catalog.passes(of: settings)
    var vocabularies: [String] = []
    var embeddings: [EmbeddingIdentity] = []
    var textRepairs: [Int] = []
    if let previews {
      for part in passes.all.flatMap(\.all) { previews.prepare(for: try catalog.models(for: part).model.files) }
    }
    for (pass, callsBefore) in zip(passes.all, [nil, settings.sampler.plannedCalls(steps: settings.steps)]) {
      for part in pass.all {
        vocabularies.append(try catalog.vocabularySHA256(part, callsBefore: callsBefore))
        _ = try catalog.loras(for: part)
        // Some embeddings may be for only one of the checkpoints.
        let used = try catalog.library(for: part)?.used(by: part, callsBefore: callsBefore) ?? []
        embeddings += used.filter { !embeddings.contains($0) }
        if let repair = try catalog.textRepair(of: part, callsBefore: callsBefore) { textRepairs.append(repair) }
      }
    }
    func loras(_ pass: ImagePass?) throws -> [LoRAIdentity]? {
      try pass.flatMap { try catalog.loras(for: $0.begun)?.map(\.identity) }
    }
    let (all, hires) = (try loras(passes.first), try loras(passes.second))
    let refined = passes.all.compactMap(\.finished).first
    let later = [refined, passes.second?.begun].compactMap { $0 }.filter { $0.model != settings.model }
    let otherVAEs = try later.compactMap { try catalog.otherVAE(of: $0) }
    return JobIngredients(
      model: try catalog.identity(of: settings.base), vae: vae?.identity,
      textEncoder: try catalog.textEncoder(of: settings.base),
      textEncoders: try catalog.textEncoders(of: settings.base), otherVAEs: otherVAEs.isEmpty ? nil : otherVAEs,
      refiner: try refined.map { try catalog.identity(of: $0) },
      hiresModel: try settings.hires?.checkpoint.flatMap { _ in
        try passes.second.map { try catalog.identity(of: $0.begun) }
      },
      loras: all, hiresLoRAs: hires == all ? nil : hires, upscaler: upscaler?.identity,
      faces: try catalog.faces(for: settings.base)?.identities, embeddings: embeddings,
      textRepair: textRepairs.max(),
      vocabularySHA256: ModelCatalog.vocabularySHA256(vocabularies), precision: precision.rawValue,
      isa: description.isa,
      numerics: Self.numerics(of: passes, in: precision),
      weightPacking: try memoryPlan(for: settings).packing.identity,
      upsampling: try cropsMaps(settings, passes) ? "cropped" : nil)
  }

  /// Notes that weights are not read, once for each family.
  private func noteBrackets(_ settings: ImageSettings) {
    let prompts = [settings.prompt, settings.negativePrompt, settings.hires?.prompt ?? ""]
    let family = settings.model.family
    guard !family.traits.prompts.readsWeights, !familiesWithNotedBrackets.contains(family),
      prompts.contains(where: { $0.utf8.contains { "([".utf8.contains($0) } })
    else { return }
    familiesWithNotedBrackets.insert(family)
    notes.append("prompt: brackets are plain text for \(family.traits.title), whose prompts have no weights")
  }

  /// Whether a network of the job halves maps of odd sizes.
  private func cropsMaps(_ settings: ImageSettings, _ passes: ImagePasses) throws -> Bool {
    func crops(_ pass: ImagePass, width: Int, height: Int) throws -> Bool {
      try pass.all.contains { part in
        let files = try catalog.models(for: part).model.files
        let step = files.denoiser.latentStep * files.latents.pixelsPerPlace
        return !(width.isMultiple(of: step) && height.isMultiple(of: step))
      }
    }
    if try crops(passes.first, width: settings.width, height: settings.height) { return true }
    // Without noise, the second pass takes no steps.
    guard let second = passes.second, (settings.hires?.denoisingStrength ?? 0) > 0 else { return false }
    return try crops(second, width: settings.finalWidth, height: settings.finalHeight)
  }

  /// What users should know about the files that `ingredients(for:)` opened, such as embeddings for another kind of model; each
  /// note is returned once.
  public func takeNotes() -> [String] {
    defer { notes = [] }
    return catalog.takeNotes() + notes + (previews?.takeNotes() ?? [])
  }

  /// Gives the engine a question to ask between the blocks of large networks, whose evaluations take minutes. If the answer is
  /// true, `progress` is called with the state before the sampling step; if that throws, the step is given up.
  public func askWithin(_ isStopping: @escaping () -> Bool) { self.isStopping = isStopping }

  /// Makes one image; see ``generate(_:resuming:progress:)``. If faces are restored, the result also says how many, and has the
  /// image before.
  public func make(
    _ settings: ImageSettings, resuming state: [UInt8]?,
    progress: (GenerationProgress, GenerationState?) throws -> Void
  ) throws -> FinishedPicture {
    var last: GenerationState?
    let image = try sampled(settings, resuming: state) {
      last = $1 ?? last
      try progress($0, $1)
    }
    return try restoringFaces(image, settings) { try progress($0, last) }
  }

  /// Makes one image.
  ///
  /// - Parameters:
  ///   - settings: The settings of the job.
  ///   - state: Where to continue, as an earlier call for the same image passed it to `progress`; nil for the start. The
  ///     image is the same, bit for bit.
  ///   - progress: Called before each stage and after each sampling step, with the state once sampling has begun; what it
  ///     throws ends the image at once.
  /// - Returns: An image of the size that the settings ask for.
  /// - Throws: What `progress` throws, `UnusableState` before the first call of `progress`, `EngineError`, `WeightError`,
  ///   `PromptError` or `TokenizationError`.
  public func generate(
    _ settings: ImageSettings, resuming state: [UInt8]?,
    progress: (GenerationProgress, GenerationState?) throws -> Void
  ) throws -> RGBImage {
    try make(settings, resuming: state, progress: progress).image
  }

  /// The image before its faces are restored.
  private func sampled(
    _ settings: ImageSettings, resuming state: [UInt8]?,
    progress: (GenerationProgress, GenerationState?) throws -> Void
  ) throws -> RGBImage {
    let passes = try catalog.passes(of: settings)
    let sampling = SamplingSettings(passes.first.begun, channels: try catalog.channels(passes.first.begun))
    let second = try passes.second.flatMap { pass in
      try SecondPass(
        settings, pass: pass, channels: try catalog.channels(pass.begun), training: try catalog.training(pass.begun))
    }
    try Self.requireFiniteLevels(sampling, passes.first.begun, try catalog.training(passes.first.begun))
    if let second, second.stepCount > 0, let pass = passes.second {
      try Self.requireFiniteLevels(second.settings, pass.begun, try catalog.training(pass.begun))
    }
    let earlier = try state.map {
      try ImageState(bytes: $0, continuing: [sampling] + (second.map { [$0.settings] } ?? []))
    }
    let profiler = compute.profiler
    profiler.begin("loading")
    defer { profiler.begin(nil) }
    let plan = try memoryPlan(for: settings)
    // A thread that writes copies would keep released networks in memory.
    compute.machine.packedCopies?.writesInBackground = plan.limit == nil
    try requireRoom(toDecode: settings, passes.last)

    let start = SamplingLoop(settings: sampling, training: try catalog.training(passes.first.begun))
    var image = earlier ?? ImageState(loop: start)
    var latent: Latent?
    if !image.loop.isSecondPass {
      try sample(&image, passes.first, plan, laterSteps: second?.stepCount ?? 0, progress)
      if let second {
        let enlarged = try enlarged(image, settings, passes, second, plan, progress)
        if second.stepCount > 0 {
          image = ImageState(loop: second.start(over: enlarged, after: image.loop.stepIndex))
        } else {
          latent = enlarged
        }
      }
    }
    if let second, let pass = passes.second, image.loop.isSecondPass {
      // From here on the networks work at another size.
      compute.workspace.trim()
      try sample(&image, pass, plan, callsBefore: second.callsBefore, laterSteps: 0, progress)
    }

    // The last checkpoint that ran decodes, as in the webui. A second pass with zero steps counts as its first checkpoint.
    let isRefined = latent == nil && image.isRefining
    let model = try models.get(passes.last.settings(isRefining: isRefined), plan, for: passes.last) {
      try progress($0, nil)
    }
    try progress(.decoding, image.generationState)
    profiler.begin("decoding")
    // Decoding needs large buffers of its own; those of the denoising network would only raise the peak.
    compute.workspace.trim()
    if !plan.keepsDenoiser { models.releaseDenoisers() }
    defer {
      compute.workspace.trim()
      if !plan.keepsVAE { model.decoder.release() }
    }
    return try ImageDecoder(
      decoder: try model.decoder.get(), scale: model.scale, padding: NetworkOptions(settings.base).padding,
      compute: compute
    )
    .decode(latent ?? image.loop.latent)
  }

  /// Throws `EngineError.notFiniteLevels` if a pass would go through noise levels that are NaN or infinite.
  private static func requireFiniteLevels(
    _ sampling: SamplingSettings, _ pass: PassSettings, _ training: TrainingSchedule
  ) throws(EngineError) {
    guard !SamplingLoop.hasFiniteLevels(sampling, training: training) else { return }
    let settings = ImageSettings(pass)
    let causes = ["sigma_min", "sigma_max", "rho", "sd_noise_schedule", "use_downcasted_alpha_bar", "scheduler"]
      .filter { key in SettingRow.named(key).map { $0.value(of: settings) != $0.defaultValue } ?? false }
    throw .notFiniteLevels(settings: causes)
  }

  /// Throws `EngineError.outOfMemory` if there is not enough memory to decode a job's image.
  private func requireRoom(toDecode settings: ImageSettings, _ pass: ImagePass) throws {
    let (model, vae) = try catalog.models(for: pass.settings(isRefining: true))
    let (width, height) = (settings.finalWidth, settings.finalHeight)
    let memory = try model.decoder(vae).configuration.leastMemory(
      width: width, height: height, elementType: compute.precision(settings.precision).elementType)
    guard compute.workspace.hasRoom(for: memory) else {
      throw EngineError.outOfMemory(bytes: memory, width: width, height: height)
    }
  }

  /// What must be in memory between the passes; nil if latents are enlarged.
  private func handover(for settings: ImageSettings, _ passes: ImagePasses) throws -> MemoryPlan.Handover? {
    guard settings.hires?.enlargesImages == true, let size = settings.hiresSize else { return nil }
    let (model, vae) = try catalog.models(for: passes.last.begun)
    return MemoryPlan.Handover(
      encoder: model.encoder(vae).files?.configuration, upscaler: try catalog.upscaler(for: settings)?.archive,
      width: size.width, height: size.height)
  }

  /// Makes one image from its start; see `generate(_:resuming:progress:)`.
  public func generate(
    _ settings: ImageSettings, progress: (GenerationProgress) throws -> Void
  ) throws -> RGBImage {
    try generate(settings, resuming: nil) { stage, _ in try progress(stage) }
  }

  /// How the networks of a job share the memory.
  ///
  /// - Parameter settings: The settings of a job.
  /// - Returns: The plan, which gives something up if the job has a `memory_limit`.
  /// - Throws: `EngineError.memoryLimit` if no plan stays below the limit, or an error if the model cannot be used.
  public func memoryPlan(for settings: ImageSettings) throws -> MemoryPlan {
    var key = MemoryPlan.Key(settings, compute.precision(settings.precision))
    // Other networks take the same memory with LoRAs as without them.
    let hasTransformer = [settings.firstPass, settings.secondPass].contains { $0?.traits.flow != nil }
    let known = hasTransformer ? try catalog.passes(of: settings) : nil
    func loras(_ pass: ImagePass) throws -> [AdapterCatalog.MatchedLoRA] {
      pass.begun.traits.flow == nil ? [] : try catalog.loras(for: pass.begun) ?? []
    }
    key.loras = try known?.all.map { try loras($0).map(\.identity.path) } ?? []
    if let plan = plans[key] { return plan }
    let passes = try known ?? catalog.passes(of: settings)
    func plan(_ pass: ImagePass, width: Int, height: Int) throws -> MemoryPlan.Pass {
      let models = try pass.all.map { try catalog.models(for: $0).model.files }
      let adapted = try loras(pass).reduce(into: Set()) { $0.formUnion($1.match.weights(ofNetwork: 0)) }
      return MemoryPlan.Pass(models: models, width: width, height: height, adapted: adapted)
    }
    var planned = [try plan(passes.first, width: settings.width, height: settings.height)]
    if let second = passes.second {
      planned.append(try plan(second, width: settings.finalWidth, height: settings.finalHeight))
    }
    let (model, vae) = try catalog.models(for: passes.last.settings(isRefining: true))
    let result = try MemoryPlan(
      planned, vae: try model.decoder(vae).configuration, handover: try handover(for: settings, passes),
      faces: try catalog.faces(for: settings.base)?.files, key)
    plans[key] = result
    return result
  }
}
