import Imaging
import Networks
import Sampling
import Settings
import Tensors

/// The way from the first pass to the second if an upscaler enlarges images: the first pass's latent is decoded to 8 bits,
/// enlarged, and encoded again.
///
/// Source: `StableDiffusionProcessingTxt2Img.sample_hr_pass` of stable-diffusion-webui 1.10.1.
struct ImageHandover {
  let plan: MemoryPlan
  /// The network that enlarges; nil for filters.
  let upscaler: ModelCatalog.Upscaler?
  /// The values beyond the edges in the VAE's convolutions.
  let padding: ConvolutionPadding
  let compute: Compute

  /// The latent of the enlarged image, before it is cropped.
  ///
  /// - Parameters:
  ///   - latent: The first pass's latent.
  ///   - second: The second pass.
  ///   - decoder: The model whose VAE decodes.
  ///   - encoder: Returns the model whose VAE encodes; called last, so that it need not be in memory before.
  ///   - progress: Called before each part of the work, with the number of pieces that a network has enlarged and their total;
  ///     an error from it ends the work.
  /// - Returns: A latent; its sides are an eighth of the enlarged image's, rounded down.
  /// - Throws: The error of `progress`, `EngineError` or `WeightError`.
  func enlarged(
    _ latent: Latent, for second: SecondPass, decodingWith decoder: LoadedModel,
    encodingWith encoder: () throws -> LoadedModel, progress: (_ piece: Int, _ of: Int) throws -> Void
  ) throws -> Latent {
    try progress(0, 0)
    // Keeping the denoising network's buffers would only raise the peak.
    compute.workspace.trim()
    defer { compute.workspace.trim() }
    let image = try decoded(latent, decoder)
    let large = try upscaled(image, for: second, progress)
    try progress(0, 0)
    return try encoded(large, try encoder())
  }

  private func decoded(_ latent: Latent, _ model: LoadedModel) throws -> RGBImage {
    defer {
      compute.workspace.trim()
      if !plan.keepsVAE { model.decoder.release() }
    }
    return try ImageDecoder(
      decoder: try model.decoder.get(), scale: model.scale, padding: padding, compute: compute
    )
    .decode(latent)
  }

  private func upscaled(
    _ image: RGBImage, for second: SecondPass, _ progress: (Int, Int) throws -> Void
  ) throws -> RGBImage {
    let (width, height) = (second.enlargedWidth, second.enlargedHeight)
    if let upscaler {
      return try ImageUpscaler(try upscaler.network(compute), compute: compute)
        .upscaled(image, width: width, height: height, progress: progress)
    }
    switch second.pixelFilter {
    case .lanczos: return try ImageUpscaler(.lanczos, compute: compute).upscaled(image, width: width, height: height)
    case .nearest: return try ImageUpscaler(.nearest, compute: compute).upscaled(image, width: width, height: height)
    case .none?, nil: return image.resized(width: width, height: height, filter: .lanczos)
    }
  }

  private func encoded(_ image: RGBImage, _ model: LoadedModel) throws -> Latent {
    guard let encoder = model.encoder else { throw EngineError.noVAEEncoder(path: model.name, fault: nil) }
    let memory = encoder.configuration.leastMemory(
      width: image.width, height: image.height, elementType: model.precision.elementType)
    guard compute.workspace.hasRoom(for: memory) else {
      throw EngineError.outOfMemory(bytes: memory, width: image.width, height: image.height)
    }
    defer { encoder.network.release() }
    return try ImageEncoder(
      encoder: try encoder.network.get(), scale: encoder.scale, padding: padding, compute: compute
    )
    .encode(image)
  }
}

extension ModelCatalog.Upscaler {
  /// Reads the network.
  ///
  /// Throws `WeightError`, also if the file has changed since it was hashed.
  func network(_ compute: Compute) throws -> any UpscalingNetwork {
    try archive.requireUnchanged()
    let fresh = Result { try archive.read(compute) }
    // If the file changed while loading, report that instead of the parse error.
    try archive.requireUnchanged()
    return try fresh.get()
  }
}
