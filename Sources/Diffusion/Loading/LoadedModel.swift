import Networks
import Settings
import Tensors

/// A checkpoint's networks; each is read when it is first needed.
struct LoadedModel {
  /// The key of the loaded models.
  let key: ModelCatalog.Key
  /// The name of the model for messages.
  let name: String
  /// The precision of the denoising network. The VAE is never quantised, because it runs once for each image and its errors go
  /// directly into the pixels.
  let precision: Precision
  /// How weights are packed.
  let packing: WeightPacking
  /// The text encoders and the denoising network.
  let networks: any SamplingNetworks
  /// The LoRAs that are applied to the weights.
  let adapters: AdapterSet
  /// Turns latents into images.
  let decoder: PagedNetwork<any LatentDecoder>
  /// The scale of the decoder's latents.
  let scale: LatentScale
  /// Turns images into latents; nil if the files have no encoder.
  let encoder: LoadedEncoder?
  private let smallBytes: Int

  /// Finds the networks in the files; networks smaller than `smallBytes` stay in memory after they are read.
  ///
  /// Throws `WeightError` or `EngineError`.
  init(
    _ model: ModelCatalog.Model, vae: ModelCatalog.VAE?, key: ModelCatalog.Key, compute: Compute,
    smallBytes: Int = SmallNetwork.defaultBytes
  ) throws {
    self.key = key
    name = model.identity.name
    precision = compute.precision
    packing = compute.packing
    self.smallBytes = smallBytes
    // Do this before layers are created: they must have the weights of the files, whatever LoRAs an earlier load had applied.
    adapters = try AdapterSet(model.files.adaptedStores)
    networks = try model.files.networks(compute, smallBytes: smallBytes)
    (decoder, scale) = try Self.decoder(model, vae: vae, compute: compute, smallBytes)
    encoder = LoadedEncoder(model, vae: vae, compute: compute, smallBytes: smallBytes)
  }

  private init(
    _ other: LoadedModel, key: ModelCatalog.Key, decoder: PagedNetwork<any LatentDecoder>, scale: LatentScale,
    encoder: LoadedEncoder?
  ) {
    self.key = key
    name = other.name
    precision = other.precision
    packing = other.packing
    networks = other.networks
    adapters = other.adapters
    self.decoder = decoder
    self.scale = scale
    self.encoder = encoder
    smallBytes = other.smallBytes
  }

  /// The same networks with another VAE.
  func replacingVAE(_ model: ModelCatalog.Model, vae: ModelCatalog.VAE?, key: ModelCatalog.Key, compute: Compute) throws
    -> LoadedModel
  {
    let (decoder, scale) = try Self.decoder(model, vae: vae, compute: compute, smallBytes)
    return LoadedModel(
      self, key: key, decoder: decoder, scale: scale,
      encoder: LoadedEncoder(model, vae: vae, compute: compute, smallBytes: smallBytes))
  }

  private static func decoder(
    _ model: ModelCatalog.Model, vae: ModelCatalog.VAE?, compute: Compute, _ smallBytes: Int
  ) throws -> (PagedNetwork<any LatentDecoder>, LatentScale) {
    let compute = compute.unquantized
    let files = try model.decoder(vae)
    let decoder = PagedNetwork(
      bytes: files.configuration.parameterCount * compute.elementType.size, smallBytes: smallBytes,
      profiler: compute.profiler, requireUnchanged: vae?.archive.requireUnchanged ?? model.files.requireUnchanged
    ) { try files.read(compute) }
    return (decoder, files.scale ?? model.files.latents.scale)
  }
}
