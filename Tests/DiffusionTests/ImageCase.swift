import Diffusion
import Foundation
import Imaging
import Settings
import Testing
import TestSupport

/// One image that PyTorch made with the webui's arithmetic, and its settings.
struct ImageCase: Decodable, Sendable, CustomTestStringConvertible {
  let prompt: String
  let negative_prompt: String
  let seed: Int64
  let steps: Int
  let cfg_scale: Double
  let width: Int
  let height: Int
  let rng: NoiseSourceID
  let clip_skip: Int
  let sampler_name: SamplerID
  let scheduler: ScheduleID?
  let emphasis: EmphasisChoice?
  let use_old_scheduling: Bool?
  let sd_noise_schedule: TrainingNoiseChoice?
  let prediction_type: PredictionChoice?
  let s_min_uncond: Double?
  let s_min_uncond_all: Bool?
  let skip_early_cond: Double?
  let guidance_interval: [Double]?
  let cfg_rescale: Double?
  let apg_eta: Double?
  let apg_norm_threshold: Double?
  let apg_momentum: Double?
  let feature_forecast: Int?
  /// How often the network was called, and how often it was computed.
  let evaluations: Int?
  let evaluations_computed: Int?
  let tiling: Bool?
  let token_merging_ratio: Double?
  let enable_hr: Bool?
  let hr_scale: Double?
  let hr_resize_x: Int?
  let hr_resize_y: Int?
  let hr_upscaler: String?
  let hr_second_pass_steps: Int?
  let denoising_strength: Double?
  let img2img_extra_noise: Double?
  let hr_sampler_name: SamplerID?
  let hr_scheduler: ScheduleID?
  let hr_prompt: String?
  let hr_negative_prompt: String?
  let hr_checkpoint_name: String?
  let hires_fix_refiner_pass: RefinerPass?
  let refiner_checkpoint: String?
  let refiner_switch_at: Double?
  /// Nil for the small model of SD 1.x, `folder` for the one that comes with the program, otherwise the name of another
  /// random model.
  let model: String?
  /// A random model whose VAE all checkpoints use; nil for their own.
  let vae: String?
  let file: String

  var testDescription: String {
    "\(file): \(sampler_name.rawValue), \(rng.rawValue), \(width)x\(height), \(prompt.prefix(40))"
  }

  var settings: ImageSettings {
    var settings = ImageSettings()
    switch model {
    case nil: settings.model = Self.model("model.safetensors")
    case "folder": settings.model = ModelReference(name: "demo", path: RandomModels.demo)
    case let family?: settings.model = Self.model(family)
    }
    settings.vae = vae.map { Self.model($0) }
    settings.refiner = refiner_checkpoint.map { Self.model($0) }
    // Without this setting, the webui switches at once.
    settings.refinerSwitchAt = refiner_switch_at ?? 0
    settings.prompt = prompt
    settings.negativePrompt = negative_prompt
    settings.emphasis = emphasis ?? .original
    settings.timelines = use_old_scheduling == true ? .old : .current
    settings.seed = seed
    settings.steps = steps
    settings.cfgScale = cfg_scale
    settings.width = width
    settings.height = height
    settings.rng = rng
    settings.clipSkip = clip_skip
    settings.precision = .fp32
    settings.sampler = sampler_name
    settings.scheduler = scheduler ?? .automatic
    settings.sdNoiseSchedule = sd_noise_schedule ?? .standard
    settings.predictionType = prediction_type ?? .auto
    settings.sMinUncond = s_min_uncond ?? 0
    settings.sMinUncondAll = s_min_uncond_all ?? false
    settings.skipEarlyCond = skip_early_cond ?? 0
    settings.guidanceInterval = guidance_interval.flatMap { PassInterval($0[0], $0[1]) } ?? .whole
    settings.cfgRescale = cfg_rescale ?? 0
    settings.apgEta = apg_eta ?? 1
    settings.apgNormThreshold = apg_norm_threshold ?? 0
    settings.apgMomentum = apg_momentum ?? 0
    settings.featureForecast = feature_forecast ?? 1
    settings.tiling = tiling ?? false
    settings.tokenMergingRatio = token_merging_ratio ?? 0
    if enable_hr == true { settings.hires = hires }
    return settings
  }

  private static func model(_ name: String) -> ModelReference {
    ModelReference(name: name, path: RandomModels.path(name))
  }

  private var hires: HiresSettings {
    var hires = HiresSettings()
    hires.scale = hr_scale ?? hires.scale
    hires.resizeX = hr_resize_x ?? 0
    hires.resizeY = hr_resize_y ?? 0
    hires.upscaler = hr_upscaler.map { name in
      // Files of networks have an extension, names of filters have none.
      UpscalerReference(name: name, path: name.contains(".") ? Fixtures.path("Upscalers/" + name) : nil)
    }
    hires.steps = hr_second_pass_steps ?? 0
    hires.denoisingStrength = denoising_strength ?? hires.denoisingStrength
    hires.extraNoise = img2img_extra_noise ?? 0
    hires.sampler = hr_sampler_name
    hires.scheduler = hr_scheduler
    hires.prompt = hr_prompt ?? ""
    hires.negativePrompt = hr_negative_prompt ?? ""
    hires.checkpoint = hr_checkpoint_name.map { Self.model($0) }
    hires.refinerPass = hires_fix_refiner_pass ?? .second
    return hires
  }

  /// The image that PyTorch made.
  func expectedImage() throws -> RGBImage { try PNGFile(decoding: [UInt8](Fixtures.data("Engine/" + file))).image }

  /// Makes the image and compares it with PyTorch's; see `expectAgreement(_:_:)`.
  func expectAgreement(_ engine: Engine) throws { try expectAgreement(engine, settings) }

  /// Makes an image with other settings and compares: no value may differ by more than 1, and fewer than a tenth by 1.
  ///
  /// Values close to the edge between two 8-bit values may round either way. DPM2 a with few steps has more of them,
  /// because sigma_down is a small difference of large numbers, in which the last bit of float32 matters.
  ///
  /// - Parameters:
  ///   - engine: Makes the image.
  ///   - settings: The settings.
  /// - Throws: An error if the image cannot be made or the fixture cannot be read.
  func expectAgreement(_ engine: Engine, _ settings: ImageSettings) throws {
    let image = try engine.generate(settings) { _ in }
    let expected = try expectedImage()
    #expect((image.width, image.height) == (expected.width, expected.height))
    let differences = zip(image.pixels, expected.pixels).map { abs(Int($0) - Int($1)) }
    let count = differences.count { $0 > 0 }
    let worst = differences.max() ?? 0
    #expect(
      worst <= 1 && Double(count) < 0.1 * Double(differences.count),
      "\(file): \(count) values differ, at most by \(worst)")
  }

  /// The cases of a file under `Tests/Fixtures/Engine`; empty, with a failure, if it cannot be read.
  static func cases(in name: String) -> [ImageCase] {
    do {
      return try Fixtures.decode([ImageCase].self, from: "Engine/" + name)
    } catch {
      Issue.record("Engine/\(name): \(error)")
      return []
    }
  }
}

extension Engine {
  /// An engine without demo model, caches or the user's vocabulary.
  static func forTests(threads: Int = 2) throws -> Engine {
    try Engine(version: "0.0.0", threads: threads, executable: "/nonexistent/sdbatch", environment: [:])
  }
}
