/// How samplers differ, apart from their steps.
public struct SamplerTraits: Hashable, Sendable {
  /// How many times a sampler calls the model in a step.
  public enum CallsPerStep: Int, Hashable, Sendable {
    case one = 1
    case two
  }

  /// Where a sampler's noise comes from, apart from the initial noise.
  public enum Noise: Hashable, Sendable {
    /// The sampler adds none.
    case none
    /// `s_churn` controls it, as in Karras et al. (2022); none by default.
    case churn
    /// `eta` controls it, in every step.
    case ancestral
    /// `eta` controls it, in every step; it comes from a Brownian tree that uses the seed itself.
    case brownian
    /// `eta_ddim` controls it, in every step; none by default.
    case ddim
    /// It returns to a higher noise level, if there are at least 20 steps.
    case restart
    /// It adds noise in every step.
    case everyStep
  }

  /// Flags of a sampler.
  public struct Flags: OptionSet, Hashable, Sendable {
    /// One bit for each flag.
    public let rawValue: Int

    /// Creates flags from their bits.
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// It reads `s_noise`.
    public static let readsNoiseScale = Flags(rawValue: 1 << 0)
    /// The schedule is made one value longer, and its second-to-last value is removed.
    public static let discardsPenultimateSigma = Flags(rawValue: 1 << 1)
    /// It steps through training timesteps and has no schedule of sigmas.
    public static let usesTimesteps = Flags(rawValue: 1 << 2)
    /// It rounds to whole timesteps itself.
    public static let quantizesTimesteps = Flags(rawValue: 1 << 3)
    /// It also uses the network's unconditional output. The webui divides its `cfg_scale` by 12.5, so that the common range of
    /// values still works.
    public static let readsUnconditional = Flags(rawValue: 1 << 4)
    /// It reads the options `uni_pc_*`.
    public static let readsUniPCOptions = Flags(rawValue: 1 << 5)
    /// It chooses the noise levels for its calls of the model itself.
    public static let choosesNoiseLevels = Flags(rawValue: 1 << 6)
    /// It is correct for models that were trained by flow matching, either as it is or in a variant.
    public static let runsInFlow = Flags(rawValue: 1 << 7)
  }

  /// Other names in the webui's API. Before 1.9, aliases with a schedule ended in `_ka` or `_exp`.
  public let aliases: [String]
  /// The schedule that `automatic` means (webui 1.10); `automatic` if the sampler has no default of its own.
  public let schedule: ScheduleID
  /// How many times it calls the model in a step.
  public let calls: CallsPerStep
  /// Where its noise comes from.
  public let noise: Noise
  /// Its flags.
  public let flags: Flags

  init(aliases: [String], schedule: ScheduleID, calls: CallsPerStep, noise: Noise, flags: Flags) {
    self.aliases = aliases
    self.schedule = schedule
    self.calls = calls
    self.noise = noise
    self.flags = flags
  }
}

extension SamplerID {
  /// The schedule that `automatic` means with this sampler.
  public var defaultSchedule: ScheduleID { traits.schedule }

  /// Whether the schedule is made one value longer and its second-to-last value removed.
  public var discardsPenultimateSigma: Bool { traits.flags.contains(.discardsPenultimateSigma) }

  /// Whether the sampler steps through training timesteps and has no schedule of sigmas.
  public var usesTimesteps: Bool { traits.flags.contains(.usesTimesteps) }

  /// Whether the sampler calls the model at the schedule's sigmas and between them, step by step.
  public var stepsThroughSigmas: Bool { !usesTimesteps && !traits.flags.contains(.choosesNoiseLevels) }

  /// Whether the sampler is correct for models that were trained by flow matching.
  public var runsInFlow: Bool { traits.flags.contains(.runsInFlow) }

  /// Whether the sampler also uses the network's unconditional output.
  public var readsUnconditional: Bool { traits.flags.contains(.readsUnconditional) }

  /// The factor that `cfg_scale` is multiplied by.
  public var guidanceFactor: Double { readsUnconditional ? 1 / 12.5 : 1 }

  /// Whether the sampler calls the model twice a step.
  public var isSecondOrder: Bool { traits.calls == .two }

  /// The webui's estimate of an image's model calls, which prompt editing and guidance intervals are based on.
  public func plannedCalls(steps: Int) -> Int { traits.calls.rawValue * steps }

  /// Whether the sampler reads `eta`.
  public var usesEta: Bool { traits.noise == .ancestral || traits.noise == .brownian }

  /// Whether the sampler reads `eta_ddim`.
  public var usesEtaDDIM: Bool { traits.noise == .ddim }

  /// Whether the sampler reads `s_churn`, `s_tmin` and `s_tmax`, and `s_noise` for the churned noise.
  public var usesChurn: Bool { traits.noise == .churn }

  /// Whether the sampler reads `s_noise`.
  public var usesNoiseScale: Bool { traits.flags.contains(.readsNoiseScale) }
}
