import Networks
import Sampling
import Settings
import Tensors

/// A checkpoint's networks, each with its weights in memory from the first time that it is needed.
struct LoadedModel {
  /// What was loaded.
  let key: ModelCatalog.Key
  /// What the UNet computes in, and the VAE but for what is quantised: it runs once an image, and errs into the pixels. The
  /// text encoders, a hundredth of the work, stay in `fp32`.
  let precision: Precision
  /// What weights are packed for.
  let packing: WeightPacking
  let unet: PagedNetwork<UNet>
  let prompts: PromptEncoder
  /// What the weights are changed by.
  let adapters: AdapterSet
  /// What people call the model.
  let name: String
  let latentChannels: Int
  private let filePrediction: ModelArchive.PredictionType?
  let vae: PagedNetwork<any LatentDecoder>
  /// What latents were multiplied with in training.
  let scalingFactor: Float
  /// Makes latents of images; nothing where the files have none.
  let encoder: LoadedEncoder?
  private let smallBytes: Int

  /// Finds the networks in the files; networks of less than `smallBytes` stay in memory once they are read.
  ///
  /// Throws `WeightError` or `EngineError`.
  init(
    _ model: ModelCatalog.Model, vae: ModelCatalog.VAE?, key: ModelCatalog.Key, compute: Compute,
    smallBytes: Int = PagedNetwork<UNet>.usualSmallBytes
  ) throws {
    let archive = model.archive
    self.key = key
    name = model.identity.name
    // Before there are layers: these are to have the files' own weights, whatever an earlier load of them had.
    adapters = try AdapterSet(archive)
    precision = compute.precision
    packing = compute.packing
    self.smallBytes = smallBytes
    let precise = compute.with(.fp32)
    let configuration = archive.unet.configuration
    let unet = PagedNetwork(
      bytes: configuration.parameterCount * compute.elementType.size, smallBytes: smallBytes,
      profiler: compute.profiler, requireUnchanged: archive.requireUnchanged
    ) { try UNet(archive.unet.weights, configuration: configuration, compute: compute) }
    self.unet = unet
    let encoders = zip(archive.family.textEncoders, archive.textEncoders).map { role, network in
      let encoder = PagedNetwork(
        bytes: network.configuration.parameterCount * precise.elementType.size, smallBytes: smallBytes,
        profiler: compute.profiler, requireUnchanged: archive.requireUnchanged
      ) { try CLIPTextModel(network.weights, configuration: network.configuration, compute: precise) }
      return TextEncoder(
        role: role, model: encoder,
        configuration: network.configuration, endID: model.tokenizer.vocabulary.endID, compute: precise)
    }
    prompts = PromptEncoder(
      family: archive.family, tokenizer: model.tokenizer, encoders: encoders, unet: unet,
      readsGuidance: configuration.guidanceWidth != nil, numberWidth: archive.vectorNumberWidth, compute: precise)
    latentChannels = configuration.inChannels
    let isProbed = archive.predictionType == nil && archive.family.isPredictionProbed
    filePrediction =
      try archive.predictionType ?? (isProbed && unet.get().predictsVelocity(compute) ? .vPrediction : nil)
    (self.vae, scalingFactor) = try Self.decoder(model, vae: vae, compute: compute, smallBytes)
    encoder = LoadedEncoder(model, vae: vae, compute: compute, smallBytes: smallBytes)
  }

  private init(
    _ other: LoadedModel, key: ModelCatalog.Key, vae: PagedNetwork<any LatentDecoder>, scalingFactor: Float,
    encoder: LoadedEncoder?
  ) {
    self.key = key
    precision = other.precision
    packing = other.packing
    smallBytes = other.smallBytes
    unet = other.unet
    prompts = other.prompts
    adapters = other.adapters
    name = other.name
    latentChannels = other.latentChannels
    filePrediction = other.filePrediction
    self.vae = vae
    self.scalingFactor = scalingFactor
    self.encoder = encoder
  }

  /// The same networks with another VAE.
  func replacingVAE(_ model: ModelCatalog.Model, vae: ModelCatalog.VAE?, key: ModelCatalog.Key, compute: Compute) throws
    -> LoadedModel
  {
    let (decoder, scalingFactor) = try Self.decoder(model, vae: vae, compute: compute, smallBytes)
    return LoadedModel(
      self, key: key, vae: decoder, scalingFactor: scalingFactor,
      encoder: LoadedEncoder(model, vae: vae, compute: compute, smallBytes: smallBytes))
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
    _ model: ModelCatalog.Model, vae: ModelCatalog.VAE?, compute: Compute, _ smallBytes: Int
  ) throws -> (PagedNetwork<any LatentDecoder>, Float) {
    let compute = compute.unquantized
    func paged(
      _ configuration: any LatentDecoderConfiguration, read: @escaping () throws -> any LatentDecoder
    ) -> PagedNetwork<any LatentDecoder> {
      PagedNetwork(
        bytes: configuration.parameterCount * compute.elementType.size, smallBytes: smallBytes,
        profiler: compute.profiler, requireUnchanged: vae?.archive.requireUnchanged ?? model.archive.requireUnchanged,
        read: read)
    }
    var network = model.archive.vae
    switch vae?.archive.decoder {
    case .tiny(let tiny):
      let decoder = paged(tiny.configuration) {
        try TinyDecoder(tiny.weights, configuration: tiny.configuration, compute: compute)
      }
      // TAESD takes latents as the UNet has them.
      return (decoder, 1)
    case .full(let separate): network = separate
    case nil: break
    }
    guard let network else { throw EngineError.noVAE(path: model.archive.path) }
    let decoder = paged(network.configuration) {
      try VAEDecoder(network.weights, configuration: network.configuration, compute: compute)
    }
    return (decoder, network.configuration.scalingFactor ?? model.archive.family.latentScale)
  }
}

extension ModelCatalog.Model {
  /// The sizes of what decodes the model's latents: of the separate VAE, if there is one.
  ///
  /// Throws `EngineError.noVAE`.
  func decoderConfiguration(_ vae: ModelCatalog.VAE?) throws -> any LatentDecoderConfiguration {
    switch vae?.archive.decoder {
    case .tiny(let tiny): return tiny.configuration
    case .full(let separate): return separate.configuration
    case nil: break
    }
    guard let own = archive.vae else { throw EngineError.noVAE(path: archive.path) }
    return own.configuration
  }
}

extension TrainingSchedule {
  /// The noise levels of a job's model, or those that the job takes it to be trained on.
  init(_ job: ImageSettings, _ archive: ModelArchive) {
    self.init(
      job, noise: archive.hasZeroTerminalSNR ? .zeroTerminalSNR : .standard, alignedSteps: archive.family.alignedSteps)
  }
}
