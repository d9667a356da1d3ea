import Networks
import Settings
import Tensors

/// Which networks are in memory at the same time while an image is made, and what is released to stay below a limit.
///
/// It depends on the sizes of model and image, the precision and the limit, but never on the machine, because the packing of
/// weights affects the last digits of an image.
public struct MemoryPlan: Hashable, Sendable {
  /// How weights are packed; the only choice that affects pixels.
  public let packing: WeightPacking
  /// Whether the denoising network's weights stay in memory while the VAE decodes. Otherwise they are read again for the next
  /// image.
  public let keepsDenoiser: Bool
  /// Whether the VAE's weights stay in memory while the image is sampled.
  public let keepsVAE: Bool
  /// The limit in bytes; nil if there is none.
  public let limit: Int64?
  /// An estimate of the process's largest memory use, in bytes.
  public let peak: Int64
  /// The name of the denoising networks for messages.
  private let denoisers: String

  /// What a plan depends on.
  struct Key: Hashable {
    let models: [ModelReference?]
    let sides: [Int]
    let precision: Precision
    let packing: WeightPackingChoice
    let limit: Int64
    /// For each pass, whether features are forecast.
    let forecasts: [Bool]
    /// The upscaler between the passes; nil if latents are enlarged.
    let upscaler: UpscalerReference?
    /// The size after the upscaler; empty if latents are enlarged.
    let enlarged: [Int]
    /// The network that restores faces, and the folders of its files; nil if faces are not restored.
    let faces: FaceRestorationModel?
    let faceFolders: [String]
    /// The LoRAs that affect how much memory weights take, for each pass.
    var loras: [[String]] = []

    init(_ settings: ImageSettings, _ precision: Precision) {
      let passes = [settings.firstPass, settings.secondPass]
      models =
        [settings.vae, settings.textEncoder] + settings.textEncoders.map { $0 }
        + passes.flatMap { [$0?.model, $0?.refiner] }
      sides = [settings.width, settings.height, settings.finalWidth, settings.finalHeight]
      self.precision = precision
      (packing, limit) = (settings.weightPacking, settings.memoryLimit)
      forecasts = passes.compactMap { $0?.forecastMatters }
      let size = settings.hires?.enlargesImages == true ? settings.hiresSize : nil
      upscaler = size == nil ? nil : settings.hires?.effectiveUpscaler
      enlarged = size.map { [$0.width, $0.height] } ?? []
      faces = settings.restoreFaces ? settings.faceRestorationModel : nil
      faceFolders = settings.faceFolders
    }
  }

  /// What is in memory at the same time while one pass samples.
  struct Pass {
    /// The checkpoints. All their denoising networks are in memory from the start, because all prompts are prepared before the
    /// first step.
    let models: [any DiffusionModel]
    /// The width in pixels.
    let width: Int
    let height: Int
    /// The tensors of the denoising networks that LoRAs change.
    var adapted: Set<String> = []
  }

  /// The networks that are in memory between the passes, one after the other, if the decoded image is enlarged there.
  struct Handover {
    /// The encoder for the enlarged image; nil if there is none, and then the job fails elsewhere.
    let encoder: (any LatentEncoderConfiguration)?
    /// The network that enlarges; nil for filters.
    let upscaler: UpscalerArchive?
    /// The width of the enlarged image, in pixels.
    let width: Int
    /// The height of the enlarged image, in pixels.
    let height: Int
  }

  /// The program itself, its vocabulary, and the part of a file that is being read.
  private static let programBytes = 160 << 20
  /// If decoding or encoding takes more than this, the denoising network is released first, even without a limit: such an image
  /// takes minutes, and reading the network again takes a second or two.
  private static let largeDecoding = 1 << 30

  /// Finds the fastest plan that stays below the limit. Reading the denoising network again costs a second or two for each
  /// image, and small weights cost a third of the time, so reading again is tried first.
  ///
  /// - Parameters:
  ///   - passes: The passes, at least one. The last one has the image's size, and its denoising networks may stay in memory
  ///     while the image is decoded.
  ///   - vae: The decoder.
  ///   - handover: The networks between the passes; nil if latents are enlarged.
  ///   - faces: The networks for face restoration; nil without it.
  ///   - key: The settings.
  /// - Throws: `EngineError.memoryLimit` if no plan stays below the limit.
  init(
    _ passes: [Pass], vae: any LatentDecoderConfiguration, handover: Handover?, faces: FaceRestorerFiles? = nil,
    _ key: Key
  )
    throws
  {
    let elementType = key.precision.elementType
    func weights(_ pass: Pass, _ packing: WeightPacking) -> Int {
      pass.models.reduce(0) { $0 + $1.denoiserBytes(key.precision, packing, adapted: pass.adapted) }
    }
    func most(_ bytes: [Int]) -> Int { bytes.max() ?? 0 }
    let titles = Set(passes.flatMap(\.models).map(\.denoiserTitle)).sorted()
    let denoisers = titles.map { "the \($0)" }.joined(separator: " and ")
    let texts = most(passes.flatMap(\.models).map(\.textEncoderBytes))
    let contexts = most(passes.flatMap(\.models).map { 2 * $0.denoiser.contextBytes(elementType: elementType) })
    func sampling(_ pass: Pass) -> Int {
      most(
        pass.models.map {
          let (height, width) = (pass.height / $0.latents.pixelsPerPlace, pass.width / $0.latents.pixelsPerPlace)
          // For both halves, and once more in the state that is kept for a checkpoint.
          let features = 2 * 2 * FeatureSeries.terms * $0.denoiser.lateFeatureBytes(height: height, width: width)
          return $0.denoiser.activationBytes(height: height, width: width, images: 2, elementType: elementType)
            + (key.forecasts.contains(true) ? features : 0)
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
    func peak(_ packing: WeightPacking, keepsDenoiser: Bool, keepsVAE: Bool) -> Int {
      let decoder = vae.weightBytes(Precision(elementType), packing)
      let kept = keepsVAE ? decoder : 0
      func besides(_ pass: Pass, _ bytes: Int) -> Int { (keepsDenoiser ? weights(pass, packing) : 0) + bytes }
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
      // Without a limit, the networks that restore faces stay in memory for the next image.
      let restorer = faces?.weightBytes ?? 0
      let restoring = faces == nil ? 0 : besides(last, kept + restorer + FaceRestorerFiles.activationBytes)
      return Self.programBytes + contexts
        + max(
          most(passes.map { weights($0, packing) + max(texts, sampling($0)) }) + kept
            + (key.limit == 0 ? restorer : 0),
          besides(last, decoder + decoding(last)), between, restoring)
    }
    let packings: [WeightPacking] =
      switch key.packing {
      case .auto: key.limit > 0 ? [.fast, .small] : [.fast]
      case .fast: [.fast]
      case .small: [.small]
      }
    guard key.limit > 0 else {
      let keepsDenoiser = max(decoding(last), encoding) <= Self.largeDecoding
      self.init(
        packing: packings[0], keepsDenoiser: keepsDenoiser, keepsVAE: true, limit: nil,
        peak: peak(packings[0], keepsDenoiser: keepsDenoiser, keepsVAE: true), denoisers: denoisers)
      return
    }
    var least = Int.max
    for packing in packings {
      for (keepsDenoiser, keepsVAE) in [(true, true), (true, false), (false, false)] {
        let bytes = peak(packing, keepsDenoiser: keepsDenoiser, keepsVAE: keepsVAE)
        least = min(least, bytes)
        if bytes <= key.limit {
          self.init(
            packing: packing, keepsDenoiser: keepsDenoiser, keepsVAE: keepsVAE, limit: key.limit, peak: bytes,
            denoisers: denoisers)
          return
        }
      }
    }
    throw EngineError.memoryLimit(key.limit, needed: Int64(least), width: last.width, height: last.height)
  }

  private init(
    packing: WeightPacking, keepsDenoiser: Bool, keepsVAE: Bool, limit: Int64?, peak: Int, denoisers: String
  ) {
    self.packing = packing
    self.keepsDenoiser = keepsDenoiser
    self.keepsVAE = keepsVAE
    self.limit = limit
    self.peak = Int64(peak)
    self.denoisers = denoisers
  }

  /// One line for the user about what the limit costs; nil without a limit.
  public var summary: String? {
    guard let limit else { return nil }
    var parts: [String] = []
    if packing == .small {
      parts.append("weights are packed small: convolutions are slower and the last digits differ")
    }
    if !keepsVAE { parts.append("the VAE is read again for each image") }
    if !keepsDenoiser {
      parts.append("\(denoisers) \(denoisers.contains(" and ") ? "are" : "is") read again for each image")
    }
    if parts.isEmpty { parts.append("nothing is turned off") }
    return "memory_limit \(limit >> 20) MiB: \(parts.joined(separator: "; ")); it needs about \(peak >> 20) MiB"
  }
}

extension WeightPacking {
  /// The name in a job's id; nil for the default.
  var identity: String? { self == .fast ? nil : rawValue }
}
