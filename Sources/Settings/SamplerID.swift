/// The samplers by the names that the webui gives them; the raw value is the name in recipes, infotext and manifest.
public enum SamplerID: String, CaseIterable, Codable, Hashable, Sendable {
  case dpmPP2M = "DPM++ 2M"
  case dpmPPSDE = "DPM++ SDE"
  case dpmPP2MSDE = "DPM++ 2M SDE"
  case dpmPP2MSDEHeun = "DPM++ 2M SDE Heun"
  case dpmPP2SAncestral = "DPM++ 2S a"
  case dpmPP3MSDE = "DPM++ 3M SDE"
  case eulerAncestral = "Euler a"
  case euler = "Euler"
  case lms = "LMS"
  case heun = "Heun"
  case dpm2 = "DPM2"
  case dpm2Ancestral = "DPM2 a"
  case dpmFast = "DPM fast"
  case dpmAdaptive = "DPM adaptive"
  case restart = "Restart"
  case ddim = "DDIM"
  case ddimCFGPP = "DDIM CFG++"
  case plms = "PLMS"
  case uniPC = "UniPC"
  case lcm = "LCM"

  /// The schedule that `automatic` stands for with this sampler (webui 1.10).
  public var defaultSchedule: ScheduleID {
    switch self {
    case .dpmPP2M, .dpmPPSDE, .dpmPP2SAncestral, .dpm2, .dpm2Ancestral, .restart: .karras
    case .dpmPP2MSDE, .dpmPP2MSDEHeun, .dpmPP3MSDE: .exponential
    default: .automatic
    }
  }

  /// Whether the schedule is made one value longer and its last value but one removed.
  public var discardsPenultimateSigma: Bool {
    switch self {
    case .dpm2, .dpm2Ancestral, .dpmPP3MSDE: true
    default: false
    }
  }

  /// Whether the sampler calls the model twice a step.
  public var isSecondOrder: Bool {
    switch self {
    case .dpmPPSDE, .dpmPP2SAncestral, .heun, .dpm2, .dpm2Ancestral, .restart: true
    default: false
    }
  }

  /// Whether the sampler reads `eta`.
  public var usesEta: Bool {
    switch self {
    case .dpmPPSDE, .dpmPP2MSDE, .dpmPP2MSDEHeun, .dpmPP3MSDE, .dpmPP2SAncestral, .eulerAncestral, .dpm2Ancestral,
      .dpmFast, .dpmAdaptive:
      true
    default: false
    }
  }

  /// Whether the sampler goes from timestep to timestep of the training and has no schedule of sigmas.
  public var usesTimesteps: Bool {
    switch self {
    case .ddim, .ddimCFGPP, .plms, .uniPC: true
    default: false
    }
  }

  /// Whether the sampler reads what the network says without the prompt, besides guidance.
  public var readsUnconditional: Bool { self == .ddimCFGPP }

  /// What `cfg_scale` is multiplied with: the webui keeps the usual numbers for DDIM CFG++, whose own go from 0 to 1.
  public var guidanceFactor: Double { self == .ddimCFGPP ? 1 / 12.5 : 1 }

  /// Model calls of an image as the webui counts them beforehand; prompts and guidance that change on the way go by it.
  public func plannedCalls(steps: Int) -> Int { isSecondOrder ? 2 * steps : steps }

  /// Other names of the sampler in the webui's API; before 1.9 those of combined names ended in `_ka` or `_exp`.
  public var aliases: [String] {
    switch self {
    case .dpmPP2M: ["k_dpmpp_2m"]
    case .dpmPPSDE: ["k_dpmpp_sde"]
    case .dpmPP2MSDE: ["k_dpmpp_2m_sde"]
    case .dpmPP2MSDEHeun: ["k_dpmpp_2m_sde_heun"]
    case .dpmPP2SAncestral: ["k_dpmpp_2s_a"]
    case .dpmPP3MSDE: ["k_dpmpp_3m_sde"]
    case .eulerAncestral: ["k_euler_a", "k_euler_ancestral"]
    case .euler: ["k_euler"]
    case .lms: ["k_lms"]
    case .heun: ["k_heun"]
    case .dpm2: ["k_dpm_2"]
    case .dpm2Ancestral: ["k_dpm_2_a"]
    case .dpmFast: ["k_dpm_fast"]
    case .dpmAdaptive: ["k_dpm_ad"]
    case .restart: ["restart"]
    case .ddim: ["ddim"]
    case .ddimCFGPP: ["ddim_cfgpp"]
    case .plms: ["plms"]
    case .uniPC: ["unipc"]
    case .lcm: ["k_lcm"]
    }
  }

  /// The sampler with this name or alias, in any case, and the schedule that an old combined name ("DPM++ SDE Karras",
  /// "k_dpmpp_sde_ka") carries.
  ///
  /// - Parameter name: What a recipe or a request says.
  /// - Returns: Nothing when neither the whole name nor the name without a schedule's spelling is known.
  public static func resolve(_ name: String) -> (sampler: SamplerID, schedule: ScheduleID?)? {
    let wanted = name.lowercased()
    if let sampler = allCases.first(where: { $0.rawValue.lowercased() == wanted }) { return (sampler, nil) }
    for schedule in ScheduleID.allCases {
      for spelling in schedule.spellings where wanted.hasSuffix(" " + spelling.lowercased()) {
        let stem = wanted.dropLast(spelling.count + 1)
        if let sampler = allCases.first(where: { $0.rawValue.lowercased() == stem }) { return (sampler, schedule) }
      }
    }
    if let sampler = aliased(wanted) { return (sampler, nil) }
    for (ending, schedule) in [("_ka", ScheduleID.karras), ("_exp", .exponential)] where wanted.hasSuffix(ending) {
      if let sampler = aliased(String(wanted.dropLast(ending.count))) { return (sampler, schedule) }
    }
    return nil
  }

  private static func aliased(_ name: String) -> SamplerID? { allCases.first { $0.aliases.contains(name) } }
}
