import Settings
import Testing

@Suite struct SamplerIDTests {
  /// The aliases in the webui's tables of samplers, and those of combined names before 1.9.
  static let aliases: [(String, SamplerID, ScheduleID?)] = [
    ("k_dpmpp_2m", .dpmPP2M, nil), ("k_dpmpp_sde", .dpmPPSDE, nil), ("k_dpmpp_2m_sde", .dpmPP2MSDE, nil),
    ("k_dpmpp_2m_sde_heun", .dpmPP2MSDEHeun, nil), ("k_dpmpp_2s_a", .dpmPP2SAncestral, nil),
    ("k_dpmpp_3m_sde", .dpmPP3MSDE, nil), ("k_euler_a", .eulerAncestral, nil),
    ("k_euler_ancestral", .eulerAncestral, nil), ("k_euler", .euler, nil), ("k_lms", .lms, nil),
    ("k_heun", .heun, nil), ("k_dpm_2", .dpm2, nil), ("k_dpm_2_a", .dpm2Ancestral, nil), ("k_dpm_fast", .dpmFast, nil),
    ("k_dpm_ad", .dpmAdaptive, nil), ("restart", .restart, nil), ("ddim", .ddim, nil), ("ddim_cfgpp", .ddimCFGPP, nil),
    ("plms", .plms, nil), ("unipc", .uniPC, nil), ("k_lcm", .lcm, nil), ("K_Euler", .euler, nil),
    ("k_lms_ka", .lms, .karras), ("k_dpm_2_a_ka", .dpm2Ancestral, .karras), ("k_dpmpp_2m_ka", .dpmPP2M, .karras),
    ("k_dpmpp_2m_sde_exp", .dpmPP2MSDE, .exponential), ("k_dpmpp_3m_sde_ka", .dpmPP3MSDE, .karras),
  ]

  @Test(arguments: aliases)
  func `an alias of the webui's API resolves to the sampler`(
    _ alias: String, _ sampler: SamplerID, _ schedule: ScheduleID?
  ) throws {
    let found = try #require(SamplerID.resolve(alias))
    #expect(found.sampler == sampler && found.schedule == schedule)
  }

  @Test(arguments: ["k_", "k_eule", "k_euler_", "euler_a", "k_plms", "k_euler_ka_ka", "k_euler Karras", ""])
  func `a text that resembles an alias is not one`(_ name: String) {
    #expect(SamplerID.resolve(name) == nil)
  }
}
