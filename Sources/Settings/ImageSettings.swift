/// Every setting of one image, resolved: nothing is left to a default or to chance.
///
/// The coding keys are the recipe's keys, which are the webui's request fields.
public struct ImageSettings: Codable, Hashable, Sendable {
  /// The checkpoint to use.
  public var model: ModelReference
  /// A VAE file or folder that replaces the checkpoint's own.
  public var vae: ModelReference?
  /// The checkpoint that finishes the picture; nothing for one checkpoint all through.
  public var refiner: ModelReference?
  /// How much of the noise is gone when the refiner takes over, 0 to 1.
  public var refinerSwitchAt: Double
  /// What the image shows, in the webui's syntax.
  public var prompt: String
  /// What guidance steers away from.
  public var negativePrompt: String
  /// The folders in whose `lora/`, `Lora/` and `embeddings/` the prompts' networks are looked for, best first; empty where
  /// the prompts have none.
  public var adapterPlaces: [String]
  /// What the weights of both prompts do.
  public var emphasis: EmphasisChoice
  /// How the numbers of prompt editing are read.
  public var timelines: PromptTimelines
  /// Seeds the noise of this image; never -1.
  public var seed: Int64
  /// Sampling steps.
  public var steps: Int
  /// The strength of classifier-free guidance; 1 is none.
  public var cfgScale: Double
  /// How the steps are taken.
  public var sampler: SamplerID
  /// The schedule asked for; `automatic` stands for the sampler's own.
  public var scheduler: ScheduleID
  /// In pixels; a multiple of 8.
  public var width: Int
  /// In pixels; a multiple of 8.
  public var height: Int
  /// Whose random numbers the noise uses.
  public var rng: NoiseSourceID
  /// 1 takes the text encoder's last layer, 2 the one before it.
  public var clipSkip: Int
  /// How much of an ancestral or SDE sampler's noise is used, 0 to 1.
  public var eta: Double
  /// How much noise Euler, Heun and DPM2 add and remove again.
  public var sChurn: Double
  /// The smallest sigma that is churned.
  public var sTmin: Double
  /// The largest sigma that is churned; nothing means no limit.
  public var sTmax: Double?
  /// Scales the noise that samplers add.
  public var sNoise: Double
  /// The arithmetic asked for.
  public var precision: PrecisionChoice
  /// What the network's output means.
  public var predictionType: PredictionChoice

  // MARK: Noise

  /// Seeds the noise that is mixed into the first one; -1 where no strength asks for it.
  public var subseed: Int64
  /// How much of the subseed's noise is mixed in, 0 to 1.
  public var subseedStrength: Double
  /// The width in pixels of the picture whose noise is put into this one's middle; 0 or less for none.
  public var seedResizeFromW: Int
  /// The height that goes with `seedResizeFromW`.
  public var seedResizeFromH: Int
  /// Added to the seed for all noise but the first.
  public var etaNoiseSeedDelta: Int64

  // MARK: Samplers

  /// What eta is for DDIM.
  public var etaDDIM: Double
  /// The form of UniPC's coefficients.
  public var uniPCVariant: UniPCVariant
  /// How UniPC spaces its steps.
  public var uniPCSkipType: UniPCSkipType
  /// UniPC's order, from 1 on.
  public var uniPCOrder: Int
  /// Whether UniPC goes down in order towards the end.
  public var uniPCLowerOrderFinal: Bool

  // MARK: Schedule

  /// Whether the schedule's last value but one is dropped with every sampler.
  public var alwaysDiscardNextToLastSigma: Bool
  /// Whether the first noise is scaled by √(1 + σ²) rather than by σ.
  public var sgmNoiseMultiplier: Bool
  /// The schedule's smallest sigma; 0 for the model's.
  public var sigmaMin: Double
  /// The schedule's largest sigma; 0 for the model's.
  public var sigmaMax: Double
  /// The exponent of the Karras and polyexponential schedules; 0 for their own.
  public var rho: Double
  /// The first parameter of the beta schedule's distribution.
  public var betaDistAlpha: Double
  /// The second parameter of the beta schedule's distribution.
  public var betaDistBeta: Double
  /// Whether schedules run from 10 to 0.1, as in the webui's first versions.
  public var useOldKarrasSchedulerSigmas: Bool
  /// The noise levels that the model is taken to be trained on.
  public var sdNoiseSchedule: TrainingNoiseChoice
  /// Whether the training's noise levels are rounded to half precision.
  public var useDowncastedAlphaBar: Bool
  /// Whether the network is only told of whole timesteps, the nearest to each sigma.
  public var enableQuantization: Bool

  // MARK: Guidance

  /// Below this sigma every other call leaves out the negative prompt.
  public var sMinUncond: Double
  /// Whether `sMinUncond` acts on every call.
  public var sMinUncondAll: Bool
  /// The first part of all calls that leaves out the negative prompt, 0 to 1.
  public var skipEarlyCond: Double

  // MARK: What is changed in the networks

  /// Whether the picture continues itself beyond its edges, so that copies of it tile a plane.
  public var tiling: Bool
  /// The part of all tokens that is merged in self-attention at the latent's own resolution, 0 to 0.9: an approximation.
  public var tokenMergingRatio: Double

  /// Calls of the network from one that computes all of it to the next; 1 computes all of it always. In between, only its
  /// shallow layers are computed, on what the deep ones said last.
  public var featureCache: Int

  /// The second pass; nothing without one.
  public var hires: HiresSettings?

  // MARK: Memory

  /// The most bytes that the process may hold while it makes the image; 0 for no limit.
  public var memoryLimit: Int64
  /// How much memory weights may take.
  public var weightPacking: WeightPackingChoice

  enum CodingKeys: String, CodingKey {
    case model, vae, prompt
    case refiner = "refiner_checkpoint"
    case refinerSwitchAt = "refiner_switch_at"
    case negativePrompt = "negative_prompt"
    case adapterPlaces = "adapter_places"
    case emphasis
    case timelines = "use_old_scheduling"
    case seed, steps
    case cfgScale = "cfg_scale"
    case sampler = "sampler_name"
    case scheduler, width, height, rng
    case clipSkip = "clip_skip"
    case eta
    case sChurn = "s_churn"
    case sTmin = "s_tmin"
    case sTmax = "s_tmax"
    case sNoise = "s_noise"
    case precision
    case predictionType = "prediction_type"
    case subseed
    case subseedStrength = "subseed_strength"
    case seedResizeFromW = "seed_resize_from_w"
    case seedResizeFromH = "seed_resize_from_h"
    case etaNoiseSeedDelta = "eta_noise_seed_delta"
    case etaDDIM = "eta_ddim"
    case uniPCVariant = "uni_pc_variant"
    case uniPCSkipType = "uni_pc_skip_type"
    case uniPCOrder = "uni_pc_order"
    case uniPCLowerOrderFinal = "uni_pc_lower_order_final"
    case alwaysDiscardNextToLastSigma = "always_discard_next_to_last_sigma"
    case sgmNoiseMultiplier = "sgm_noise_multiplier"
    case sigmaMin = "sigma_min"
    case sigmaMax = "sigma_max"
    case rho
    case betaDistAlpha = "beta_dist_alpha"
    case betaDistBeta = "beta_dist_beta"
    case useOldKarrasSchedulerSigmas = "use_old_karras_scheduler_sigmas"
    case sdNoiseSchedule = "sd_noise_schedule"
    case useDowncastedAlphaBar = "use_downcasted_alpha_bar"
    case enableQuantization = "enable_quantization"
    case sMinUncond = "s_min_uncond"
    case sMinUncondAll = "s_min_uncond_all"
    case skipEarlyCond = "skip_early_cond"
    case tiling
    case tokenMergingRatio = "token_merging_ratio"
    case featureCache = "feature_cache"
    case hires
    case memoryLimit = "memory_limit"
    case weightPacking = "weight_packing"
  }

  /// The defaults of a recipe, with a seed that still has to be set.
  public init() {
    model = .demo
    refinerSwitchAt = 0.8
    prompt = ""
    negativePrompt = ""
    adapterPlaces = []
    emphasis = .original
    timelines = .current
    seed = 0
    steps = 20
    cfgScale = 7
    sampler = .dpmPP2M
    scheduler = .automatic
    width = 512
    height = 512
    rng = .nv
    clipSkip = 1
    eta = 1
    sChurn = 0
    sTmin = 0
    sNoise = 1
    precision = .auto
    predictionType = .auto
    subseed = -1
    subseedStrength = 0
    seedResizeFromW = -1
    seedResizeFromH = -1
    etaNoiseSeedDelta = 0
    etaDDIM = 0
    uniPCVariant = .bh1
    uniPCSkipType = .timeUniform
    uniPCOrder = 3
    uniPCLowerOrderFinal = true
    alwaysDiscardNextToLastSigma = false
    sgmNoiseMultiplier = false
    sigmaMin = 0
    sigmaMax = 0
    rho = 0
    betaDistAlpha = 0.6
    betaDistBeta = 0.6
    useOldKarrasSchedulerSigmas = false
    sdNoiseSchedule = .standard
    useDowncastedAlphaBar = false
    enableQuantization = false
    sMinUncond = 0
    sMinUncondAll = false
    skipEarlyCond = 0
    tiling = false
    tokenMergingRatio = 0
    featureCache = 1
    memoryLimit = 0
    weightPacking = .auto
  }

  /// The schedule that runs, after `automatic` is resolved; `uniform` where the sampler has none of its own.
  public var effectiveSchedule: ScheduleID {
    let schedule = scheduler == .automatic ? sampler.defaultSchedule : scheduler
    return schedule == .automatic ? .uniform : schedule
  }
}

extension ImageSettings {
  /// Reads settings; those that older plans do not know have their defaults.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    self.init()
    model = try container.decode(ModelReference.self, forKey: .model)
    vae = try container.decodeIfPresent(ModelReference.self, forKey: .vae)
    refiner = try container.decodeIfPresent(ModelReference.self, forKey: .refiner)
    refinerSwitchAt = try container.decodeIfPresent(Double.self, forKey: .refinerSwitchAt) ?? refinerSwitchAt
    prompt = try container.decode(String.self, forKey: .prompt)
    negativePrompt = try container.decode(String.self, forKey: .negativePrompt)
    adapterPlaces = try container.decodeIfPresent([String].self, forKey: .adapterPlaces) ?? adapterPlaces
    emphasis = try container.decodeIfPresent(EmphasisChoice.self, forKey: .emphasis) ?? emphasis
    timelines = try container.decodeIfPresent(PromptTimelines.self, forKey: .timelines) ?? timelines
    seed = try container.decode(Int64.self, forKey: .seed)
    steps = try container.decode(Int.self, forKey: .steps)
    cfgScale = try container.decode(Double.self, forKey: .cfgScale)
    sampler = try container.decode(SamplerID.self, forKey: .sampler)
    scheduler = try container.decode(ScheduleID.self, forKey: .scheduler)
    width = try container.decode(Int.self, forKey: .width)
    height = try container.decode(Int.self, forKey: .height)
    rng = try container.decode(NoiseSourceID.self, forKey: .rng)
    clipSkip = try container.decode(Int.self, forKey: .clipSkip)
    eta = try container.decode(Double.self, forKey: .eta)
    sChurn = try container.decode(Double.self, forKey: .sChurn)
    sTmin = try container.decode(Double.self, forKey: .sTmin)
    sTmax = try container.decodeIfPresent(Double.self, forKey: .sTmax)
    sNoise = try container.decode(Double.self, forKey: .sNoise)
    precision = try container.decode(PrecisionChoice.self, forKey: .precision)
    predictionType = try container.decode(PredictionChoice.self, forKey: .predictionType)
    subseed = try container.decodeIfPresent(Int64.self, forKey: .subseed) ?? subseed
    subseedStrength = try container.decodeIfPresent(Double.self, forKey: .subseedStrength) ?? subseedStrength
    seedResizeFromW = try container.decodeIfPresent(Int.self, forKey: .seedResizeFromW) ?? seedResizeFromW
    seedResizeFromH = try container.decodeIfPresent(Int.self, forKey: .seedResizeFromH) ?? seedResizeFromH
    etaNoiseSeedDelta = try container.decodeIfPresent(Int64.self, forKey: .etaNoiseSeedDelta) ?? etaNoiseSeedDelta
    etaDDIM = try container.decodeIfPresent(Double.self, forKey: .etaDDIM) ?? etaDDIM
    uniPCVariant = try container.decodeIfPresent(UniPCVariant.self, forKey: .uniPCVariant) ?? uniPCVariant
    uniPCSkipType = try container.decodeIfPresent(UniPCSkipType.self, forKey: .uniPCSkipType) ?? uniPCSkipType
    uniPCOrder = try container.decodeIfPresent(Int.self, forKey: .uniPCOrder) ?? uniPCOrder
    uniPCLowerOrderFinal =
      try container.decodeIfPresent(Bool.self, forKey: .uniPCLowerOrderFinal) ?? uniPCLowerOrderFinal
    alwaysDiscardNextToLastSigma =
      try container.decodeIfPresent(Bool.self, forKey: .alwaysDiscardNextToLastSigma) ?? alwaysDiscardNextToLastSigma
    sgmNoiseMultiplier = try container.decodeIfPresent(Bool.self, forKey: .sgmNoiseMultiplier) ?? sgmNoiseMultiplier
    sigmaMin = try container.decodeIfPresent(Double.self, forKey: .sigmaMin) ?? sigmaMin
    sigmaMax = try container.decodeIfPresent(Double.self, forKey: .sigmaMax) ?? sigmaMax
    rho = try container.decodeIfPresent(Double.self, forKey: .rho) ?? rho
    betaDistAlpha = try container.decodeIfPresent(Double.self, forKey: .betaDistAlpha) ?? betaDistAlpha
    betaDistBeta = try container.decodeIfPresent(Double.self, forKey: .betaDistBeta) ?? betaDistBeta
    useOldKarrasSchedulerSigmas =
      try container.decodeIfPresent(Bool.self, forKey: .useOldKarrasSchedulerSigmas) ?? useOldKarrasSchedulerSigmas
    sdNoiseSchedule =
      try container.decodeIfPresent(TrainingNoiseChoice.self, forKey: .sdNoiseSchedule) ?? sdNoiseSchedule
    useDowncastedAlphaBar =
      try container.decodeIfPresent(Bool.self, forKey: .useDowncastedAlphaBar) ?? useDowncastedAlphaBar
    enableQuantization = try container.decodeIfPresent(Bool.self, forKey: .enableQuantization) ?? enableQuantization
    sMinUncond = try container.decodeIfPresent(Double.self, forKey: .sMinUncond) ?? sMinUncond
    sMinUncondAll = try container.decodeIfPresent(Bool.self, forKey: .sMinUncondAll) ?? sMinUncondAll
    skipEarlyCond = try container.decodeIfPresent(Double.self, forKey: .skipEarlyCond) ?? skipEarlyCond
    tiling = try container.decodeIfPresent(Bool.self, forKey: .tiling) ?? tiling
    tokenMergingRatio = try container.decodeIfPresent(Double.self, forKey: .tokenMergingRatio) ?? tokenMergingRatio
    featureCache = try container.decodeIfPresent(Int.self, forKey: .featureCache) ?? featureCache
    hires = try container.decodeIfPresent(HiresSettings.self, forKey: .hires)
    memoryLimit = try container.decodeIfPresent(Int64.self, forKey: .memoryLimit) ?? memoryLimit
    weightPacking =
      try container.decodeIfPresent(WeightPackingChoice.self, forKey: .weightPacking) ?? weightPacking
  }
}

/// A model as the recipe names it, and where it was found.
public struct ModelReference: Codable, Hashable, Sendable {
  /// What the recipe says.
  public var name: String
  /// The absolute path of the file or folder; nothing for the model inside the package.
  public var path: String?

  /// A model at a place.
  public init(name: String, path: String?) {
    self.name = name
    self.path = path
  }

  /// The model inside the package.
  public static let demo = ModelReference(name: "demo", path: nil)
}

/// Whose random numbers the noise uses.
public enum NoiseSourceID: String, CaseIterable, Codable, Hashable, Sendable {
  /// Philox, as the webui's NV source and its GPU.
  case nv
  /// Mersenne twister, as PyTorch on the CPU.
  case cpu
}

/// How much memory packed weights may take: those of fast convolutions take up to four times as much.
public enum WeightPackingChoice: String, CaseIterable, Codable, Hashable, Sendable {
  /// Fast, unless `memory_limit` leaves no room for it.
  case auto
  /// Fast.
  case fast
  /// As little as can be.
  case small
}

/// The arithmetic a recipe asks for.
public enum PrecisionChoice: String, CaseIterable, Codable, Hashable, Sendable {
  /// The fastest that keeps quality on this machine.
  case auto
  /// 32 bits throughout: the reference.
  case fp32
  /// Weights and activations in bfloat16, sums, norms and softmax in 32 bits.
  case bf16
  /// As `bf16`, with most of the UNet's weights, and the activations that meet them, in 8 bits. Never chosen by `auto`.
  case int8
}

/// What the network's output means.
public enum PredictionChoice: String, CaseIterable, Codable, Hashable, Sendable {
  /// What the model's files say; epsilon where they say nothing.
  case auto
  case epsilon
  case vPrediction = "v_prediction"
}

/// The noise levels that a model is taken to be trained on; the raw value is the webui's name.
public enum TrainingNoiseChoice: String, CaseIterable, Codable, Hashable, Sendable {
  /// Those of Stable Diffusion.
  case standard = "Default"
  /// Those of Stable Diffusion, stretched so that the last one is all noise.
  case zeroTerminalSNR = "Zero Terminal SNR"
}

/// The form of UniPC's coefficients; the raw value is the webui's name.
public enum UniPCVariant: String, CaseIterable, Codable, Hashable, Sendable {
  /// B(h) = h
  case bh1
  /// B(h) = eʰ − 1
  case bh2
  /// Coefficients that vary with the steps' lengths.
  case varyCoeff = "vary_coeff"
}

/// How UniPC spaces its steps; the raw value is the webui's name.
public enum UniPCSkipType: String, CaseIterable, Codable, Hashable, Sendable {
  /// Evenly in time.
  case timeUniform = "time_uniform"
  /// Evenly in the square root of time.
  case timeQuadratic = "time_quadratic"
  /// Evenly in the logarithm of the signal-to-noise ratio.
  case logSNR
}
