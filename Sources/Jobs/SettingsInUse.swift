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
    case .euler, .heun, .dpm2, .dpm2Ancestral, .dpmPP2SAncestral, .dpmPPSDE, .dpmPP2MSDE, .dpmPP3MSDE: true
    case .dpmPP2M, .eulerAncestral, .lms: false
    }
  }
}

/// Which of the settings of a sampler can change the picture; the others are left out of the job's identity.
extension JobParameters {
  /// The schedule by name, after the sampler's own is put in; `automatic` where the sampler has none of its own.
  public var namedSchedule: ScheduleID { scheduler == .automatic ? sampler.defaultSchedule : scheduler }

  var etaMatters: Bool { sampler.usesEta }

  var churnMatters: Bool { sampler.usesChurn && sChurn != 0 }

  /// Samplers that churn scale the churned noise only; the others have noise in every step.
  var noiseScaleMatters: Bool { sampler.usesNoiseScale && (!sampler.usesChurn || sChurn != 0) }
}
