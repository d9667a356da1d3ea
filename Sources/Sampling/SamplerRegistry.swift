import Jobs

/// The samplers behind their names.
enum SamplerRegistry {
  /// A new sampler, before its first step.
  static func sampler(_ id: SamplerID, options: SamplerOptions) -> any Sampler {
    switch id {
    case .dpmPP2M: DPMPP2M()
    case .dpmPPSDE: DPMPPSDE(eta: options.eta, sNoise: options.sNoise)
    case .dpmPP2MSDE: DPMPP2MSDE(eta: options.eta, sNoise: options.sNoise)
    case .dpmPP2SAncestral: DPMPP2SAncestral(eta: options.eta, sNoise: options.sNoise)
    case .dpmPP3MSDE: DPMPP3MSDE(eta: options.eta, sNoise: options.sNoise)
    case .eulerAncestral: EulerAncestral(eta: options.eta)
    case .euler: Euler(churn: Churn(options))
    case .lms: LMS()
    case .heun: Heun(churn: Churn(options))
    case .dpm2: DPM2(churn: Churn(options))
    case .dpm2Ancestral: DPM2Ancestral(eta: options.eta, sNoise: options.sNoise)
    }
  }
}
