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
  public static let numerics = 1

  /// What this engine is, for the manifest.
  public let engine: EngineDescription

  private let compute: Compute
  private let catalog: ModelCatalog
  private var loaded: LoadedModel?

  /// An engine for this machine.
  ///
  /// - Parameters:
  ///   - version: Of the program.
  ///   - threads: How many to compute with.
  ///   - executable: The path of the running program, near which the demo model is.
  ///   - environment: `XDG_CACHE_HOME`, `XDG_DATA_HOME` and `HOME` are read.
  /// - Throws: `TensorError` when `SDBATCH_ISA` names an instruction set that this machine lacks.
  public init(version: String, threads: Int, executable: String, environment: [String: String]) throws {
    compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: threads)
    catalog = ModelCatalog(executable: executable, environment: environment)
    engine = EngineDescription(
      version: version, numerics: Self.numerics, isa: compute.kernels.name, precision: "fp32",
      threads: compute.pool.threadCount)
  }

  /// What besides its settings decides the pixels of a job; reads no weights, and is cheap after a model's first time.
  ///
  /// - Parameter parameters: The settings of a job.
  /// - Returns: The models by digest and the arithmetic that will run.
  /// - Throws: `EngineError`, `WeightError` or `TokenizationError` when the model is not usable.
  public func ingredients(for parameters: JobParameters) throws -> JobIngredients {
    let (model, vae) = try catalog.models(for: parameters)
    return JobIngredients(
      model: model.identity, vae: vae?.identity,
      vocabularySHA256: model.vocabularySHA256, precision: engine.precision, isa: engine.isa, numerics: engine.numerics)
  }

  /// Makes one image.
  ///
  /// - Parameters:
  ///   - parameters: The settings of the job.
  ///   - progress: Called before each stage and after each sampling step; what it throws ends the image at once.
  /// - Returns: An image of the size that the settings ask for.
  /// - Throws: What `progress` throws, `EngineError`, `WeightError`, `PromptError` or `TokenizationError`.
  public func generate(
    _ parameters: JobParameters, progress: (GenerationProgress) throws -> Void
  ) throws -> RGBImage {
    let model = try load(parameters, progress: progress)

    try progress(.encoding)
    let training = TrainingSchedule(parameters)
    let denoiser = GuidedDenoiser(
      unet: model.unet, training: training, prediction: model.prediction(parameters.predictionType),
      conditioning: try model.prompts.conditioning(parameters), skips: GuidanceSkips(parameters), compute: compute)
    var loop = SamplingLoop(settings: SamplingSettings(parameters, channels: model.latentChannels), training: training)
    while !loop.isFinished {
      try progress(.sampling(step: loop.stepIndex, of: loop.stepCount))
      loop.step(model: denoiser)
    }
    try progress(.sampling(step: loop.stepIndex, of: loop.stepCount))
    guard loop.latent.values.allSatisfy(\.isFinite) else { throw EngineError.notFinite(stage: "latent") }

    try progress(.decoding)
    // Decoding needs large buffers of its own; what the UNet worked in would only add to the peak.
    compute.workspace.trim()
    defer { compute.workspace.trim() }
    return try ImageDecoder(decoder: model.vae, scalingFactor: model.scalingFactor, compute: compute)
      .decode(loop.latent)
  }

  private func load(
    _ parameters: JobParameters, progress: (GenerationProgress) throws -> Void
  ) throws -> LoadedModel {
    let (model, vae) = try catalog.models(for: parameters)
    let key = ModelCatalog.Key(model: parameters.model, vae: parameters.vae)
    if let loaded, loaded.key == key { return loaded }
    let fresh: LoadedModel
    if let present = loaded, present.key.model == parameters.model {
      try progress(.loading(vae?.identity.name ?? model.identity.name))
      fresh = try present.replacingVAE(model, vae: vae, key: key, compute: compute)
    } else {
      try progress(.loading(model.identity.name))
      // The old weights go first: two full-size models need not fit at once.
      loaded = nil
      fresh = try LoadedModel(model, vae: vae, key: key, compute: compute)
    }
    loaded = fresh
    return fresh
  }
}
