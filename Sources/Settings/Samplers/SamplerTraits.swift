/// What tells one sampler from another, apart from how it steps.
public struct SamplerTraits: Hashable, Sendable {
  /// How often a sampler calls the model in a step.
  public enum CallsPerStep: Int, Hashable, Sendable {
    case one = 1
    case two
  }

  /// Where a sampler's noise comes from, the first noise apart.
  public enum Noise: Hashable, Sendable {
    /// It adds none.
    case none
    /// `s_churn` adds some, as in Karras et al. (2022); by default it adds none.
    case churn
    /// `eta` adds some in every step.
    case ancestral
    /// `eta` adds some in every step, from a Brownian tree that grows from the seed itself.
    case brownian
    /// `eta_ddim` adds some in every step; by default it adds none.
    case ddim
    /// It goes back to a higher noise level, if there are at least 20 steps.
    case restart
    /// It adds noise in every step.
    case everyStep
  }

  /// Traits that a sampler has or has not.
  public struct Flags: OptionSet, Hashable, Sendable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// It reads `s_noise`.
    public static let readsNoiseScale = Flags(rawValue: 1 << 0)
    /// Its schedule is made one value longer, and the last value but one removed.
    public static let discardsPenultimateSigma = Flags(rawValue: 1 << 1)
    /// It goes from timestep to timestep of the training and has no schedule of sigmas.
    public static let usesTimesteps = Flags(rawValue: 1 << 2)
    /// It rounds to whole timesteps by itself.
    public static let quantizesTimesteps = Flags(rawValue: 1 << 3)
    /// It reads the network's output without the prompt, besides guidance. The webui divides its `cfg_scale` by 12.5, so that
    /// people can keep the usual range.
    public static let readsUnconditional = Flags(rawValue: 1 << 4)
    /// It reads the options `uni_pc_*`.
    public static let readsUniPCOptions = Flags(rawValue: 1 << 5)
  }

  /// Other names in the webui's API; before 1.9 those of combined names ended in `_ka` or `_exp`.
  public let aliases: [String]
  /// The schedule that `automatic` means (webui 1.10); `automatic` if the sampler has none of its own.
  public let schedule: ScheduleID
  /// How often it calls the model in a step.
  public let calls: CallsPerStep
  /// Where its noise comes from.
  public let noise: Noise
  /// What else is true of it.
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

  /// Whether the schedule is made one value longer and its last value but one removed.
  public var discardsPenultimateSigma: Bool { traits.flags.contains(.discardsPenultimateSigma) }

  /// Whether the sampler goes from timestep to timestep of the training and has no schedule of sigmas.
  public var usesTimesteps: Bool { traits.flags.contains(.usesTimesteps) }

  /// Whether the sampler reads the network's output without the prompt, besides guidance.
  public var readsUnconditional: Bool { traits.flags.contains(.readsUnconditional) }

  /// What `cfg_scale` is multiplied by.
  public var guidanceFactor: Double { readsUnconditional ? 1 / 12.5 : 1 }

  /// Whether the sampler calls the model twice a step.
  public var isSecondOrder: Bool { traits.calls == .two }

  /// Model calls of an image as the webui counts them beforehand; prompt editing and guidance intervals use this count.
  public func plannedCalls(steps: Int) -> Int { traits.calls.rawValue * steps }

  /// Whether the sampler reads `eta`.
  public var usesEta: Bool { traits.noise == .ancestral || traits.noise == .brownian }

  /// Whether the sampler reads `eta_ddim`.
  public var usesEtaDDIM: Bool { traits.noise == .ddim }

  /// Whether the sampler reads `s_churn`, `s_tmin` and `s_tmax`, and `s_noise` for what it churns.
  public var usesChurn: Bool { traits.noise == .churn }

  /// Whether the sampler reads `s_noise`.
  public var usesNoiseScale: Bool { traits.flags.contains(.readsNoiseScale) }
}
