/// Every setting of one image, resolved: nothing is left to a default or to chance.
///
/// The coding keys are the recipe's keys, which are the webui's request fields.
public struct JobParameters: Codable, Hashable, Sendable {
  /// The checkpoint to use.
  public var model: ModelReference
  /// A VAE file or folder that replaces the checkpoint's own.
  public var vae: ModelReference?
  /// What the image shows, in the webui's syntax.
  public var prompt: String
  /// What guidance steers away from.
  public var negativePrompt: String
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

  enum CodingKeys: String, CodingKey {
    case model, vae, prompt
    case negativePrompt = "negative_prompt"
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
  }

  /// The defaults of a recipe, with a seed that still has to be set.
  public init() {
    model = .demo
    prompt = ""
    negativePrompt = ""
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
  }

  /// The schedule that runs, after `automatic` is resolved; `uniform` where the sampler has none of its own.
  public var effectiveSchedule: ScheduleID {
    let schedule = scheduler == .automatic ? sampler.defaultSchedule : scheduler
    return schedule == .automatic ? .uniform : schedule
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

/// The arithmetic a recipe asks for.
public enum PrecisionChoice: String, CaseIterable, Codable, Hashable, Sendable {
  /// The fastest that keeps quality on this machine.
  case auto
  case fp32
}

/// What the network's output means.
public enum PredictionChoice: String, CaseIterable, Codable, Hashable, Sendable {
  /// What the model's files say; epsilon where they say nothing.
  case auto
  case epsilon
  case vPrediction = "v_prediction"
}
