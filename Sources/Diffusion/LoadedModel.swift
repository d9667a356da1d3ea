import Jobs
import Models
import Sampling
import Tensors

/// A checkpoint's networks with their weights in memory.
struct LoadedModel {
  /// What was loaded.
  let key: ModelCatalog.Key
  /// What the UNet computes in, and the VAE but for what is quantised: it runs once an image, and errs into the pixels. The
  /// text encoders, a hundredth of the work, stay in `fp32`.
  let precision: Precision
  let unet: UNet
  let prompts: PromptEncoder
  /// What the weights are changed by.
  let adapters: AdapterSet
  /// What people call the model.
  let name: String
  let latentChannels: Int
  private let filePrediction: ModelArchive.PredictionType?
  private(set) var vae: any LatentDecoder
  private(set) var scalingFactor: Float

  /// Reads all weights.
  ///
  /// Throws `WeightError` or `EngineError`.
  init(_ model: ModelCatalog.Model, vae: ModelCatalog.VAE?, key: ModelCatalog.Key, compute: Compute) throws {
    let archive = model.archive
    self.key = key
    name = model.identity.name
    // Before there are layers: these are to have the files' own weights, whatever an earlier load of them had.
    adapters = try AdapterSet(archive)
    precision = compute.precision
    let precise = compute.with(.fp32)
    unet = try UNet(archive.unet.weights, configuration: archive.unet.configuration, compute: compute)
    let encoders = try zip(archive.family.textEncoders, archive.textEncoders).map { role, network in
      TextEncoder(
        role: role,
        model: try CLIPTextModel(network.weights, configuration: network.configuration, compute: precise),
        endID: model.tokenizer.vocabulary.endID, compute: precise)
    }
    prompts = PromptEncoder(
      family: archive.family, tokenizer: model.tokenizer, encoders: encoders, unet: unet,
      numberWidth: archive.vectorNumberWidth, compute: precise)
    latentChannels = archive.unet.configuration.inChannels
    filePrediction =
      archive.predictionType
      ?? (archive.family.isPredictionProbed && unet.predictsVelocity(compute) ? .vPrediction : nil)
    (self.vae, scalingFactor) = try Self.decoder(model, vae: vae, compute: compute)
  }

  private init(_ other: LoadedModel, key: ModelCatalog.Key, vae: any LatentDecoder, scalingFactor: Float) {
    self.key = key
    precision = other.precision
    unet = other.unet
    prompts = other.prompts
    adapters = other.adapters
    name = other.name
    latentChannels = other.latentChannels
    filePrediction = other.filePrediction
    self.vae = vae
    self.scalingFactor = scalingFactor
  }

  /// The same networks with another VAE.
  func replacingVAE(_ model: ModelCatalog.Model, vae: ModelCatalog.VAE?, key: ModelCatalog.Key, compute: Compute) throws
    -> LoadedModel
  {
    let (decoder, scalingFactor) = try Self.decoder(model, vae: vae, compute: compute)
    return LoadedModel(self, key: key, vae: decoder, scalingFactor: scalingFactor)
  }

  /// What the UNet's output means: what the recipe says, else what the files say, else the noise.
  func prediction(_ choice: PredictionChoice) -> Prediction {
    switch choice {
    case .epsilon: .epsilon
    case .vPrediction: .vPrediction
    case .auto: filePrediction == .vPrediction ? .vPrediction : .epsilon
    }
  }

  private static func decoder(
    _ model: ModelCatalog.Model, vae: ModelCatalog.VAE?, compute: Compute
  ) throws -> (any LatentDecoder, Float) {
    let compute = compute.unquantized
    var network = model.archive.vae
    switch vae?.archive.decoder {
    case .tiny(let tiny):
      // TAESD takes latents as the UNet has them.
      return (try TinyDecoder(tiny.weights, configuration: tiny.configuration, compute: compute), 1)
    case .full(let separate): network = separate
    case nil: break
    }
    guard let network else { throw EngineError.noVAE(path: model.archive.path) }
    let decoder = try VAEDecoder(network.weights, configuration: network.configuration, compute: compute)
    return (decoder, network.configuration.scalingFactor ?? model.archive.family.latentScale)
  }
}

extension TrainingSchedule {
  /// The noise levels of a job's model, or those that the job takes it to be trained on.
  init(_ job: JobParameters, _ archive: ModelArchive) {
    self.init(
      job, noise: archive.hasZeroTerminalSNR ? .zeroTerminalSNR : .standard, alignedSteps: archive.family.alignedSteps)
  }
}
