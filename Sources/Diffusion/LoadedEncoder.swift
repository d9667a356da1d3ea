import Networks
import Tensors

/// A VAE's encoder, with its weights in memory only while it encodes.
struct LoadedEncoder {
  let network: PagedNetwork<VAEEncoder>
  let configuration: VAEEncoderConfiguration
  /// What latents were multiplied with in training.
  let scalingFactor: Float

  /// Finds the encoder in the files that `ModelCatalog.Model.encoder(_:)` says; nothing where there is none.
  init?(_ model: ModelCatalog.Model, vae: ModelCatalog.VAE?, compute: Compute, smallBytes: Int) {
    guard let encoder = model.encoder(vae).network else { return nil }
    let compute = compute.unquantized
    configuration = encoder.configuration
    scalingFactor = encoder.configuration.vae.scalingFactor ?? model.archive.family.latentScale
    network = PagedNetwork(
      bytes: encoder.configuration.parameterCount * compute.elementType.size, smallBytes: smallBytes,
      profiler: compute.profiler, requireUnchanged: encoder.weights.store.requireUnchanged
    ) { try VAEEncoder(encoder.weights, configuration: encoder.configuration, compute: compute) }
  }
}

extension ModelCatalog.Model {
  /// What encodes images to the model's latents: the encoder of the separate VAE, if there is one; beside a TAESD the
  /// checkpoint's own, as in the webui.
  ///
  /// - Parameter vae: The VAE that replaces the checkpoint's own.
  /// - Returns: The encoder, nothing where there is none; and the file that has it, or should have.
  func encoder(
    _ vae: ModelCatalog.VAE?
  ) -> (network: ModelArchive.Network<VAEEncoderConfiguration>?, path: String) {
    if let vae, case .full = vae.archive.decoder { return (vae.archive.encoder, vae.archive.path) }
    return (archive.vaeEncoder, archive.path)
  }

  /// Throws `EngineError.noVAEEncoder` unless images can be encoded.
  func requireEncoder(_ vae: ModelCatalog.VAE?) throws(EngineError) {
    let (network, path) = encoder(vae)
    guard let network else { throw .noVAEEncoder(path: path, fault: nil) }
    if let finding = network.audit().findings.first { throw .noVAEEncoder(path: path, fault: "\(finding)") }
  }
}
