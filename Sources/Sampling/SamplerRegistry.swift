import Settings

/// Creates the samplers, by their names.
enum SamplerRegistry {
  /// Creates a sampler before its first step.
  ///
  /// - Parameters:
  ///   - id: The sampler's name.
  ///   - options: Each sampler reads those that it knows.
  ///   - sigmas: The schedule.
  ///   - steps: The number of steps in the settings, for samplers without a schedule.
  ///   - training: The noise levels of the training, for samplers without a schedule.
  ///   - part: The part of the schedule that is sampled, if sampling does not start from pure noise.
  /// - Returns: The sampler.
  static func sampler(
    _ id: SamplerID, options: SamplerOptions, sigmas: [Float], steps: Int, training: TrainingSchedule,
    part: SamplingPart? = nil
  ) -> any Sampler {
    let (eta, sNoise) = (options.eta, options.sNoise)
    let (low, high) = range(sigmas, training: training, part: part)
    let calls = part == nil ? steps : sigmas.count - 1
    func timesteps() -> Timesteps {
      let all = Timesteps(count: steps, training: training)
      return part.map { all.first($0.timestepCount) } ?? all
    }
    func uniPC() -> UniPC {
      let timesteps = timesteps().steps
      return UniPC(
        options: options.uniPC, steps: timesteps.count, training: training,
        start: part == nil ? 1 : UniPCTime.time(atTimestep: timesteps.last ?? 0))
    }
    if training.flow != nil {
      // These have variants for flow matching, because noise is not just added: the image's part shrinks.
      switch id {
      case .eulerAncestral: return FlowEulerAncestral(eta: eta)
      case .dpm2Ancestral: return FlowDPM2Ancestral(eta: eta, sNoise: sNoise)
      case .lcm: return FlowLCM()
      default: break
      }
    }
    return switch id {
    case .dpmPP2M: DPMPP2M()
    case .dpmPPSDE: DPMPPSDE(eta: eta, sNoise: sNoise)
    case .dpmPP2MSDE: DPMPP2MSDE(eta: eta, sNoise: sNoise)
    case .dpmPP2MSDEHeun: DPMPP2MSDE(eta: eta, sNoise: sNoise, isHeun: true)
    case .dpmPP2SAncestral: DPMPP2SAncestral(eta: eta, sNoise: sNoise)
    case .dpmPP3MSDE: DPMPP3MSDE(eta: eta, sNoise: sNoise)
    case .eulerAncestral: EulerAncestral(eta: eta)
    case .euler: Euler(churn: Churn(options))
    case .lms: LMS()
    case .heun: Heun(churn: Churn(options))
    case .dpm2: DPM2(churn: Churn(options))
    case .dpm2Ancestral: DPM2Ancestral(eta: eta, sNoise: sNoise)
    case .dpmFast: DPMFast(eta: eta, sNoise: sNoise, calls: calls, sigmaMin: low, sigmaMax: high)
    case .dpmAdaptive: DPMAdaptive(eta: eta, sigmaMin: low, sigmaMax: high)
    case .restart: Restart(sigmas: sigmas)
    case .ddim: DDIM(eta: options.etaDDIM, isCFGPP: false, timesteps: timesteps())
    case .ddimCFGPP: DDIM(eta: options.etaDDIM, isCFGPP: true, timesteps: timesteps())
    case .plms: PLMS(timesteps: timesteps())
    case .uniPC: uniPC()
    case .lcm: LCM(levels: LCMLevels(training))
    case .erSDE: ERSDE(sNoise: sNoise, highestLevel: training.flow?.highestFiniteLevel)
    case .resMultistep: ResMultistep()
    }
  }

  /// Whether a sampler moves between two noise levels in its own steps, whatever the schedule.
  static func hasOwnSteps(_ id: SamplerID) -> Bool { id == .dpmFast || id == .dpmAdaptive }

  /// The two noise levels between which a sampler with its own steps moves.
  static func range(
    _ sigmas: [Float], training: TrainingSchedule, part: SamplingPart?
  ) -> (low: Float, high: Float) {
    part?.range(sigmas) ?? (training.sigmaMin, training.sigmaMax)
  }

  /// The sampler's type, for decoding a saved one.
  static func type(of id: SamplerID, inFlow isFlow: Bool = false) -> any Sampler.Type {
    switch id {
    case .eulerAncestral where isFlow: FlowEulerAncestral.self
    case .dpm2Ancestral where isFlow: FlowDPM2Ancestral.self
    case .lcm where isFlow: FlowLCM.self
    case .dpmPP2M: DPMPP2M.self
    case .dpmPPSDE: DPMPPSDE.self
    case .dpmPP2MSDE, .dpmPP2MSDEHeun: DPMPP2MSDE.self
    case .dpmPP2SAncestral: DPMPP2SAncestral.self
    case .dpmPP3MSDE: DPMPP3MSDE.self
    case .eulerAncestral: EulerAncestral.self
    case .euler: Euler.self
    case .lms: LMS.self
    case .heun: Heun.self
    case .dpm2: DPM2.self
    case .dpm2Ancestral: DPM2Ancestral.self
    case .dpmFast: DPMFast.self
    case .dpmAdaptive: DPMAdaptive.self
    case .restart: Restart.self
    case .ddim, .ddimCFGPP: DDIM.self
    case .plms: PLMS.self
    case .uniPC: UniPC.self
    case .lcm: LCM.self
    case .erSDE: ERSDE.self
    case .resMultistep: ResMultistep.self
    }
  }
}
