/// The samplers by the webui's names; the raw value is the name in recipes, infotexts and manifests.
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
  case erSDE = "ER SDE"
  case resMultistep = "Res Multistep"

  /// What settings, schedules and guidance need to know about the sampler, listed for each.
  public var traits: SamplerTraits {
    switch self {
    case .dpmPP2M:
      SamplerTraits(
        aliases: ["k_dpmpp_2m"], schedule: .karras, calls: .one, noise: .none, flags: [.runsInFlow])
    case .dpmPPSDE:
      SamplerTraits(
        aliases: ["k_dpmpp_sde"], schedule: .karras, calls: .two, noise: .brownian, flags: [.readsNoiseScale])
    case .dpmPP2MSDE:
      SamplerTraits(
        aliases: ["k_dpmpp_2m_sde"], schedule: .exponential, calls: .one, noise: .brownian, flags: [.readsNoiseScale])
    case .dpmPP2MSDEHeun:
      SamplerTraits(
        aliases: ["k_dpmpp_2m_sde_heun"], schedule: .exponential, calls: .one, noise: .brownian,
        flags: [.readsNoiseScale])
    case .dpmPP2SAncestral:
      SamplerTraits(
        aliases: ["k_dpmpp_2s_a"], schedule: .karras, calls: .two, noise: .ancestral, flags: [.readsNoiseScale])
    case .dpmPP3MSDE:
      SamplerTraits(
        aliases: ["k_dpmpp_3m_sde"], schedule: .exponential, calls: .one, noise: .brownian,
        flags: [.readsNoiseScale, .discardsPenultimateSigma])
    case .eulerAncestral:
      // The webui's Euler a does not read s_noise.
      SamplerTraits(
        aliases: ["k_euler_a", "k_euler_ancestral"], schedule: .automatic, calls: .one, noise: .ancestral,
        flags: [.runsInFlow])
    case .euler:
      SamplerTraits(
        aliases: ["k_euler"], schedule: .automatic, calls: .one, noise: .churn, flags: [.readsNoiseScale, .runsInFlow])
    case .lms:
      SamplerTraits(
        aliases: ["k_lms"], schedule: .automatic, calls: .one, noise: .none, flags: [.runsInFlow])
    case .heun:
      SamplerTraits(
        aliases: ["k_heun"], schedule: .automatic, calls: .two, noise: .churn, flags: [.readsNoiseScale, .runsInFlow])
    case .dpm2:
      SamplerTraits(
        aliases: ["k_dpm_2"], schedule: .karras, calls: .two, noise: .churn,
        flags: [.readsNoiseScale, .discardsPenultimateSigma, .runsInFlow])
    case .dpm2Ancestral:
      SamplerTraits(
        aliases: ["k_dpm_2_a"], schedule: .karras, calls: .two, noise: .ancestral,
        flags: [.readsNoiseScale, .discardsPenultimateSigma, .runsInFlow])
    case .dpmFast:
      SamplerTraits(
        aliases: ["k_dpm_fast"], schedule: .automatic, calls: .one, noise: .ancestral,
        flags: [.readsNoiseScale, .choosesNoiseLevels])
    case .dpmAdaptive:
      SamplerTraits(
        aliases: ["k_dpm_ad"], schedule: .automatic, calls: .one, noise: .ancestral, flags: [.choosesNoiseLevels])
    case .restart:
      SamplerTraits(aliases: ["restart"], schedule: .karras, calls: .two, noise: .restart, flags: [])
    case .ddim:
      SamplerTraits(aliases: ["ddim"], schedule: .automatic, calls: .one, noise: .ddim, flags: [.usesTimesteps])
    case .ddimCFGPP:
      SamplerTraits(
        aliases: ["ddim_cfgpp"], schedule: .automatic, calls: .one, noise: .ddim,
        flags: [.usesTimesteps, .readsUnconditional])
    case .plms:
      SamplerTraits(aliases: ["plms"], schedule: .automatic, calls: .one, noise: .none, flags: [.usesTimesteps])
    case .uniPC:
      SamplerTraits(
        aliases: ["unipc"], schedule: .automatic, calls: .one, noise: .none,
        flags: [.usesTimesteps, .readsUniPCOptions])
    case .lcm:
      SamplerTraits(
        aliases: ["k_lcm"], schedule: .automatic, calls: .one, noise: .everyStep,
        flags: [.quantizesTimesteps, .runsInFlow])
    case .erSDE:
      SamplerTraits(
        aliases: ["er_sde", "k_er_sde"], schedule: .automatic, calls: .one, noise: .everyStep,
        flags: [.readsNoiseScale, .runsInFlow])
    case .resMultistep:
      SamplerTraits(
        aliases: ["res_multistep", "k_res_multistep"], schedule: .automatic, calls: .one, noise: .none,
        flags: [.runsInFlow])
    }
  }

  /// The sampler with this name or alias, in any letter case, and the schedule in an old combined name ("DPM++ SDE
  /// Karras", "k_dpmpp_sde_ka").
  ///
  /// - Parameter name: The name in a recipe or a request.
  /// - Returns: The sampler, and the schedule that the name contains; nil if the name is unknown.
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

  private static func aliased(_ name: String) -> SamplerID? { allCases.first { $0.traits.aliases.contains(name) } }
}
