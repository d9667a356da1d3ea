import Networks
import Tensors

/// A VAE's encoder, whose weights are in memory only while it encodes.
struct LoadedEncoder {
  let network: PagedNetwork<any LatentEncoder>
  let configuration: any LatentEncoderConfiguration
  /// The scale of the encoder's latents.
  let scale: LatentScale

  /// Finds the encoder in the files, see `ModelCatalog.Model.encoder(_:)`; nil if there is none.
  init?(_ model: ModelCatalog.Model, vae: ModelCatalog.VAE?, compute: Compute, smallBytes: Int) {
    guard let files = model.encoder(vae).files else { return nil }
    let compute = compute.unquantized
    configuration = files.configuration
    scale = files.scale ?? model.files.latents.scale
    network = PagedNetwork(
      bytes: files.configuration.parameterCount * compute.elementType.size, smallBytes: smallBytes,
      profiler: compute.profiler, requireUnchanged: files.requireUnchanged
    ) { try files.read(compute) }
  }
}

extension ModelCatalog.Model {
  /// The decoder of the model's latents: that of the separate VAE, if there is one.
  ///
  /// Throws `EngineError.noVAE`.
  func decoder(_ vae: ModelCatalog.VAE?) throws(EngineError) -> DecoderFiles {
    guard let decoder = vae?.archive.decoderFiles ?? files.decoder else { throw .noVAE(path: files.path) }
    return decoder
  }

  /// The encoder for the model's latents: that of the separate VAE, if there is one. If the separate VAE is a TAESD, the
  /// checkpoint's own encoder is used, as in the webui.
  ///
  /// - Parameter vae: The VAE that replaces the checkpoint's own.
  /// - Returns: The encoder, or nil if there is none; and the file that contains it, or should contain it.
  func encoder(_ vae: ModelCatalog.VAE?) -> (files: EncoderFiles?, path: String) {
    if let vae, !vae.archive.isTiny { return (vae.archive.encoderFiles, vae.archive.path) }
    return (files.encoder, files.path)
  }

  /// Throws `EngineError.noVAEEncoder` unless images can be encoded.
  func requireEncoder(_ vae: ModelCatalog.VAE?) throws(EngineError) {
    let (encoder, path) = encoder(vae)
    guard let encoder else { throw .noVAEEncoder(path: path, fault: nil) }
    if let finding = encoder.audit().findings.first { throw .noVAEEncoder(path: path, fault: "\(finding)") }
  }
}
