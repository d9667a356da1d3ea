import Networks
import Settings
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
    let models: [ModelReference?]
    let sides: [Int]
    let precision: Precision
    let packing: WeightPackingChoice
    let limit: Int64
    /// What the image is enlarged by between its passes, and to what; nothing where latents are enlarged.
    let upscaler: UpscalerReference?
    let enlarged: [Int]

    init(_ settings: ImageSettings, _ precision: Precision) {
      let passes = [settings.firstPass, settings.secondPass]
      models = [settings.vae] + passes.flatMap { [$0?.model, $0?.refiner] }
      sides = [settings.width, settings.height, settings.finalWidth, settings.finalHeight]
      self.precision = precision
      (packing, limit) = (settings.weightPacking, settings.memoryLimit)
      let size = settings.hires?.enlargesImages == true ? settings.hiresSize : nil
      upscaler = size == nil ? nil : settings.hires?.effectiveUpscaler
      enlarged = size.map { [$0.width, $0.height] } ?? []
    }
  }

  /// What is in memory together while one pass samples.
  struct Pass {
    /// The checkpoints; all of their UNets are there from the start, for their prompts are encoded before the first step.
    let models: [ModelArchive]
    /// In pixels.
    let width: Int
    let height: Int
  }

  /// What is in memory between the passes, one after the other, where the decoded image is enlarged there.
  struct Handover {
    /// Nothing where there is none, so that the job will not run.
    let encoder: VAEEncoderConfiguration?
    /// The network that enlarges; nothing for filters.
    let upscaler: UpscalerArchive?
    /// In pixels, of the enlarged image.
    let width: Int
    /// Likewise.
    let height: Int
  }

  /// The program itself, its vocabulary, and what is read of a file at a time.
  private static let programBytes = 160 << 20
  /// Decoding or encoding that takes more than this without a limit is reason enough to read the UNet again afterwards:
  /// such an image takes minutes, reading a second or two.
  private static let largeDecoding = 1 << 30

  /// The fastest plan that keeps to the limit. Reading a UNet again costs an image a second or two, small weights a third
  /// of its time: so the first goes before the second.
  ///
  /// - Parameters:
  ///   - passes: At least one; the last one's size is the image's, and its UNets may stay while that is decoded.
  ///   - vae: What decodes.
  ///   - handover: What is between the passes.
  ///   - key: What is asked for.
  /// - Throws: `EngineError.memoryLimit` if there is none.
  init(_ passes: [Pass], vae: any LatentDecoderConfiguration, handover: Handover?, _ key: Key) throws {
    let elementType = key.precision.elementType
    func unets(_ pass: Pass) -> [UNetConfiguration] { pass.models.map(\.unet.configuration) }
    func weights(_ pass: Pass, _ packing: WeightPacking) -> Int {
      unets(pass).reduce(0) { $0 + $1.weightBytes(key.precision, packing) }
    }
    func most(_ bytes: [Int]) -> Int { bytes.max() ?? 0 }
    let texts = most(
      passes.flatMap(\.models).map { archive in
        archive.textEncoders.reduce(0) { $0 + $1.configuration.parameterCount * ElementType.fp32.size }
      })
    let contexts = most(passes.flatMap(unets).map { 2 * $0.contextBytes(tokens: 77, elementType: elementType) })
    func sampling(_ pass: Pass) -> Int {
      most(
        unets(pass).map {
          $0.activationBytes(height: pass.height / 8, width: pass.width / 8, images: 2, elementType: elementType)
        })
    }
    let last = passes[passes.count - 1]
    func decoding(_ pass: Pass) -> Int {
      vae.activationBytes(height: pass.height, width: pass.width, elementType: elementType)
    }
    let encoding =
      handover.flatMap { handover in
        handover.encoder?.activationBytes(height: handover.height, width: handover.width, elementType: elementType)
      } ?? 0
    func peak(_ packing: WeightPacking, keepsUNet: Bool, keepsVAE: Bool) -> Int {
      let decoder = vae.weightBytes(Precision(elementType), packing)
      let kept = keepsVAE ? decoder : 0
      func besides(_ pass: Pass, _ bytes: Int) -> Int { (keepsUNet ? weights(pass, packing) : 0) + bytes }
      var between = 0
      if let handover {
        let encoder = handover.encoder?.weightBytes(Precision(elementType), packing) ?? 0
        let upscaler = handover.upscaler.map {
          $0.weightBytes(packing) + $0.activationBytes(side: ImageUpscaler.tileSize)
        }
        between = most(
          [decoder + decoding(passes[0]), kept + (upscaler ?? 0)].map { besides(passes[0], $0) }
            + [besides(last, kept + encoder + encoding)])
      }
      return Self.programBytes + contexts
        + max(
          most(passes.map { weights($0, packing) + max(texts, sampling($0)) }) + kept,
          besides(last, decoder + decoding(last)), between)
    }
    let packings: [WeightPacking] =
      switch key.packing {
      case .auto: key.limit > 0 ? [.fast, .small] : [.fast]
      case .fast: [.fast]
      case .small: [.small]
      }
    guard key.limit > 0 else {
      let keepsUNet = max(decoding(last), encoding) <= Self.largeDecoding
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
    throw EngineError.memoryLimit(key.limit, needed: Int64(least), width: last.width, height: last.height)
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
