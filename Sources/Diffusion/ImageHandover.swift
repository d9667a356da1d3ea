import Imaging
import Networks
import Sampling
import Settings
import Tensors

/// What lies between the passes where an upscaler enlarges images: the first pass's latent is decoded to 8 bits, enlarged,
/// and encoded again.
///
/// Source: `StableDiffusionProcessingTxt2Img.sample_hr_pass` of stable-diffusion-webui 1.10.1.
struct ImageHandover {
  let plan: MemoryPlan
  /// The file of a network; nothing for filters.
  let upscaler: ModelCatalog.Upscaler?
  /// What convolutions of the VAE see beyond the edges.
  let padding: ConvolutionPadding
  let compute: Compute

  /// The latent of the enlarged image, before anything is cut off.
  ///
  /// - Parameters:
  ///   - latent: The first pass's.
  ///   - second: The second pass.
  ///   - decoder: Whose VAE decodes.
  ///   - encoder: Gives whose VAE encodes; called when everything else is done.
  ///   - progress: Called before each part of the work, with the pieces of the image that a network has enlarged, and of how
  ///     many; what it throws ends the work.
  /// - Returns: A latent of an eighth of the size that the image is enlarged to, rounded down.
  /// - Throws: What `progress` throws, `EngineError` or `WeightError`.
  func enlarged(
    _ latent: Latent, for second: SecondPass, decodingWith decoder: LoadedModel,
    encodingWith encoder: () throws -> LoadedModel, progress: (_ piece: Int, _ of: Int) throws -> Void
  ) throws -> Latent {
    try progress(0, 0)
    // The UNet works in buffers of its own, which would only add to the peak.
    compute.workspace.trim()
    defer { compute.workspace.trim() }
    let image = try decoded(latent, decoder)
    let large = try upscaled(image, for: second, progress)
    try progress(0, 0)
    return try encoded(large, try encoder())
  }

  private func decoded(_ latent: Latent, _ networks: LoadedModel) throws -> RGBImage {
    defer {
      compute.workspace.trim()
      if !plan.keepsVAE { networks.vae.release() }
    }
    return try ImageDecoder(
      decoder: try networks.vae.get(), scalingFactor: networks.scalingFactor, padding: padding, compute: compute
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

  private func encoded(_ image: RGBImage, _ networks: LoadedModel) throws -> Latent {
    guard let encoder = networks.encoder else { throw EngineError.noVAEEncoder(path: networks.name, fault: nil) }
    let memory = encoder.configuration.leastMemory(
      width: image.width, height: image.height, elementType: networks.precision.elementType)
    guard compute.workspace.hasRoom(for: memory) else {
      throw EngineError.outOfMemory(bytes: memory, width: image.width, height: image.height)
    }
    defer { encoder.network.release() }
    return try ImageEncoder(
      encoder: try encoder.network.get(), scalingFactor: encoder.scalingFactor, padding: padding, compute: compute
    )
    .encode(image)
  }
}

extension ModelCatalog.Upscaler {
  /// Reads the network.
  ///
  /// Throws `WeightError`, also where the file is no longer the one that was hashed.
  func network(_ compute: Compute) throws -> Upscaler {
    try archive.requireUnchanged()
    let fresh = Result { try Networks.Upscaler(archive, compute: compute) }
    // A fault of a file that is being written is none of the network.
    try archive.requireUnchanged()
    return try fresh.get()
  }
}
