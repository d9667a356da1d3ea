import Networks
import Settings
import Tensors

/// A checkpoint's networks, each read when it is first needed.
struct LoadedModel {
  /// What was loaded.
  let key: ModelCatalog.Key
  /// What people call the model.
  let name: String
  /// The precision of the denoising network. The VAE is never quantised, because it runs once per image and its errors go
  /// straight into the pixels.
  let precision: Precision
  /// What weights are packed for.
  let packing: WeightPacking
  /// The text encoders and the denoising network.
  let networks: any SamplingNetworks
  /// The LoRAs that the weights have.
  let adapters: AdapterSet
  /// Makes images of latents.
  let decoder: PagedNetwork<any LatentDecoder>
  /// The scale of the decoder's latents.
  let scale: LatentScale
  /// Makes latents of images; nil if the files have no encoder.
  let encoder: LoadedEncoder?
  private let smallBytes: Int

  /// Finds the networks in the files; networks smaller than `smallBytes` stay in memory once they are read.
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
    // Before layers are made: they must have the weights of the files, whatever LoRAs an earlier load of them had.
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
