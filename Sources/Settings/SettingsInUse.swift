extension SamplerID {
  /// Whether the sampler reads `s_churn`, `s_tmin`, `s_tmax` and `s_noise` together, as Karras et al. (2022) churn.
  public var usesChurn: Bool {
    switch self {
    case .euler, .heun, .dpm2: true
    default: false
    }
  }

  /// Whether the sampler reads `s_noise`; the webui's Euler a does not.
  public var usesNoiseScale: Bool {
    switch self {
    case .euler, .heun, .dpm2, .dpm2Ancestral, .dpmPP2SAncestral, .dpmPPSDE, .dpmPP2MSDE, .dpmPP2MSDEHeun, .dpmPP3MSDE,
      .dpmFast:
      true
    default: false
    }
  }

  /// Whether the sampler reads `eta_ddim`.
  public var usesEtaDDIM: Bool { self == .ddim || self == .ddimCFGPP }
}

/// Which of the settings of a sampler can change the picture; the others are left out of the job's identity.
extension ImageSettings {
  /// The schedule by name, after the sampler's own is put in; `automatic` where the sampler has none of its own.
  public var namedSchedule: ScheduleID { scheduler == .automatic ? sampler.defaultSchedule : scheduler }

  var etaMatters: Bool { sampler.usesEta }

  var churnMatters: Bool { sampler.usesChurn && sChurn != 0 }

  /// Samplers that churn scale the churned noise only; the others have noise in every step.
  var noiseScaleMatters: Bool { sampler.usesNoiseScale && (!sampler.usesChurn || sChurn != 0) }

  var etaDDIMMatters: Bool { sampler.usesEtaDDIM }

  package var uniPCMatters: Bool { sampler == .uniPC }

  /// Whether another seed's noise is mixed into the first noise.
  public var subseedMatters: Bool { subseedStrength != 0 }

  /// Whether the first noise is that of another size, which it has to have at least a latent pixel of.
  public var seedResizeMatters: Bool { seedResizeFromW >= 8 && seedResizeFromH >= 8 }

  /// Brownian trees grow from the seed itself; all other noise but the first comes from the shifted one.
  package var etaNoiseSeedDeltaMatters: Bool {
    guard etaNoiseSeedDelta != 0 else { return false }
    return switch sampler {
    case .eulerAncestral, .dpm2Ancestral, .dpmPP2SAncestral, .dpmFast, .dpmAdaptive: eta != 0
    case .euler, .heun, .dpm2: sChurn != 0
    case .ddim, .ddimCFGPP: etaDDIM != 0
    case .restart: steps >= 20
    case .lcm: true
    default: false
    }
  }

  var scheduleMatters: Bool { !sampler.usesTimesteps }

  /// LCM has whole timesteps of its own.
  package var quantizationMatters: Bool { enableQuantization && scheduleMatters && sampler != .lcm }

  package var discardMatters: Bool { alwaysDiscardNextToLastSigma && !sampler.discardsPenultimateSigma }

  package var sgmNoiseMultiplierMatters: Bool { sgmNoiseMultiplier && scheduleMatters }

  package var sigmaRangeMatters: Bool { scheduleMatters && effectiveSchedule.usesSigmaRange }

  package var rhoMatters: Bool {
    guard scheduleMatters, rho != 0, let own = effectiveSchedule.ownRho else { return false }
    return rho != own
  }

  package var betaMatters: Bool { scheduleMatters && effectiveSchedule == .beta }

  package var oldSigmasMatter: Bool {
    useOldKarrasSchedulerSigmas && sigmaRangeMatters && (sigmaMin == 0 || sigmaMax == 0)
  }
}
