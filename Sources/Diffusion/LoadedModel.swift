import Jobs
import Models
import Sampling
import Tensors

/// A checkpoint's networks with their weights in memory.
struct LoadedModel {
  /// What was loaded.
  let key: ModelCatalog.Key
  /// What the UNet and the VAE compute in; the text encoders, a hundredth of the work, stay in `fp32`.
  let elementType: ElementType
  let unet: UNet
  let prompts: PromptEncoder
  let latentChannels: Int
  private let filePrediction: ModelArchive.PredictionType?
  private(set) var vae: VAEDecoder
  private(set) var scalingFactor: Float

  /// Reads all weights.
  ///
  /// Throws `WeightError` or `EngineError`.
  init(_ model: ModelCatalog.Model, vae: ModelCatalog.VAE?, key: ModelCatalog.Key, compute: Compute) throws {
    let archive = model.archive
    self.key = key
    elementType = compute.elementType
    let precise = compute.with(.fp32)
    unet = try UNet(archive.unet.weights, configuration: archive.unet.configuration, compute: compute)
    let encoders = try zip(archive.family.textEncoders, archive.textEncoders).map { role, network in
      TextEncoder(
        role: role,
        model: try CLIPTextModel(network.weights, configuration: network.configuration, compute: precise),
        compute: precise)
    }
    prompts = PromptEncoder(tokenizer: model.tokenizer, encoders: encoders, unet: unet, compute: precise)
    latentChannels = archive.unet.configuration.inChannels
    filePrediction = archive.predictionType
    (self.vae, scalingFactor) = try Self.decoder(model, vae: vae, compute: compute)
  }

  private init(_ other: LoadedModel, key: ModelCatalog.Key, vae: VAEDecoder, scalingFactor: Float) {
    self.key = key
    elementType = other.elementType
    unet = other.unet
    prompts = other.prompts
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
  ) throws -> (VAEDecoder, Float) {
    guard let network = vae?.archive.vae ?? model.archive.vae else {
      throw EngineError.noVAE(path: model.archive.path)
    }
    let decoder = try VAEDecoder(network.weights, configuration: network.configuration, compute: compute)
    return (decoder, network.configuration.scalingFactor)
  }
}
