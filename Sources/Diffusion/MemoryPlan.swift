import Jobs
import Models
import Tensors

/// How the networks share the memory while an image is made, and what is given up to keep to a limit.
///
/// A function of the model's sizes, the image's size, the precision and the limit: never of the machine, for how weights
/// are packed decides the last digits of an image.
public struct MemoryPlan: Hashable, Sendable {
  /// What weights are packed for; the only choice that changes pixels.
  public let packing: WeightPacking
  /// Whether the UNet's weights stay while the VAE decodes; they are read again for the next image otherwise.
  public let keepsUNet: Bool
  /// Whether the VAE's weights stay while the UNet samples.
  public let keepsVAE: Bool
  /// The limit in bytes; nothing without one.
  public let limit: Int64?
  /// About the most that the process will hold, in bytes.
  public let peak: Int64

  /// What a plan depends on.
  struct Key: Hashable {
    let model: ModelReference
    let vae: ModelReference?
    let width: Int
    let height: Int
    let precision: Precision
    let packing: WeightPackingChoice
    let limit: Int64
    /// What the image is enlarged by between its passes, and to what; nothing where latents are enlarged.
    let upscaler: UpscalerReference?
    let enlargedWidth: Int
    let enlargedHeight: Int

    init(_ parameters: JobParameters, _ precision: Precision) {
      (model, vae) = (parameters.model, parameters.vae)
      // Of two passes the larger counts.
      width = max(parameters.width, parameters.finalWidth)
      height = max(parameters.height, parameters.finalHeight)
      self.precision = precision
      (packing, limit) = (parameters.weightPacking, parameters.memoryLimit)
      let size = parameters.hires?.enlargesImages == true ? parameters.hiresSize : nil
      upscaler = size == nil ? nil : parameters.hires?.effectiveUpscaler
      (enlargedWidth, enlargedHeight) = (size?.width ?? 0, size?.height ?? 0)
    }
  }

  /// The program itself, its vocabulary, and what is read of a file at a time.
  private static let programBytes = 160 << 20
  /// Decoding or encoding that takes more than this without a limit is reason enough to read the UNet again afterwards: such an image
  /// takes minutes, reading a second or two.
  private static let largeDecoding = 1 << 30

  /// The fastest plan that keeps to the limit. Reading a UNet again costs an image a second or two, small weights a third
  /// of its time: so the first goes before the second.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - vae: What decodes.
  ///   - encoder: What encodes between the passes, where images are enlarged there.
  ///   - upscaler: The network that enlarges them.
  ///   - key: What else the plan depends on.
  /// - Throws: `EngineError.memoryLimit` if there is none.
  init(
    _ model: ModelArchive, vae: any LatentDecoderConfiguration, encoder: VAEEncoderConfiguration? = nil,
    upscaler: UpscalerArchive? = nil, _ key: Key
  ) throws {
    let unet = model.unet.configuration
    let texts = model.textEncoders.map { $0.configuration.parameterCount * ElementType.fp32.size }
    let sampling = unet.activationBytes(
      height: key.height / 8, width: key.width / 8, images: 2, elementType: key.precision.elementType)
    let decoding = vae.activationBytes(height: key.height, width: key.width, elementType: key.precision.elementType)
    let encoding =
      encoder?.activationBytes(
        height: key.enlargedHeight, width: key.enlargedWidth, elementType: key.precision.elementType) ?? 0
    let contexts = 2 * unet.contextBytes(tokens: 77, elementType: key.precision.elementType)
    func peak(_ packing: WeightPacking, keepsUNet: Bool, keepsVAE: Bool) -> Int {
      let weights = unet.weightBytes(key.precision, packing)
      let floats = Precision(key.precision.elementType)
      let decoder = vae.weightBytes(floats, packing)
      let kept = keepsVAE ? decoder : 0
      // One after the other, neither of them kept.
      let between = max(
        encoder.map { $0.weightBytes(floats, packing) + encoding } ?? 0,
        upscaler.map { $0.weightBytes(packing) + $0.activationBytes(side: ImageUpscaler.tileSize) } ?? 0)
      return Self.programBytes + contexts
        + max(
          weights + kept + texts.reduce(0, +), weights + kept + sampling,
          (keepsUNet ? weights : 0) + decoder + decoding, (keepsUNet ? weights : 0) + kept + between
        )
    }
    let packings: [WeightPacking] =
      switch key.packing {
      case .auto: key.limit > 0 ? [.fast, .small] : [.fast]
      case .fast: [.fast]
      case .small: [.small]
      }
    guard key.limit > 0 else {
      let keepsUNet = max(decoding, encoding) <= Self.largeDecoding
      self.init(
        packing: packings[0], keepsUNet: keepsUNet, keepsVAE: true, limit: nil,
        peak: peak(packings[0], keepsUNet: keepsUNet, keepsVAE: true))
      return
    }
    var least = Int.max
    for packing in packings {
      for (keepsUNet, keepsVAE) in [(true, true), (true, false), (false, false)] {
        let bytes = peak(packing, keepsUNet: keepsUNet, keepsVAE: keepsVAE)
        least = min(least, bytes)
        if bytes <= key.limit {
          self.init(packing: packing, keepsUNet: keepsUNet, keepsVAE: keepsVAE, limit: key.limit, peak: bytes)
          return
        }
      }
    }
    throw EngineError.memoryLimit(key.limit, needed: Int64(least), width: key.width, height: key.height)
  }

  private init(packing: WeightPacking, keepsUNet: Bool, keepsVAE: Bool, limit: Int64?, peak: Int) {
    self.packing = packing
    self.keepsUNet = keepsUNet
    self.keepsVAE = keepsVAE
    self.limit = limit
    self.peak = Int64(peak)
  }

  /// What is given up for the limit, as one line for the user; nothing without a limit.
  public var summary: String? {
    guard let limit else { return nil }
    var parts: [String] = []
    if packing == .small {
      parts.append("weights are packed small, so convolutions are slower and the last digits others")
    }
    if !keepsVAE { parts.append("the VAE is read again for each image") }
    if !keepsUNet { parts.append("the UNet is read again for each image") }
    if parts.isEmpty { parts.append("nothing is given up") }
    return "memory_limit \(limit >> 20) MiB: \(parts.joined(separator: "; ")); about \(peak >> 20) MiB are taken"
  }
}

extension WeightPacking {
  /// What a job's identity says of it: nothing where it is the usual one.
  var identity: String? { self == .fast ? nil : rawValue }
}
