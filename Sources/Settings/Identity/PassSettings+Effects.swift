/// Which settings of a sampler, a schedule and the noise affect the pixels of a pass.
extension PassSettings {
  /// The schedule in use; `uniform` if the sampler has no default of its own.
  public var effectiveSchedule: ScheduleID { namedSchedule == .automatic ? .uniform : namedSchedule }

  /// The schedule's name, with `automatic` replaced by the sampler's default, or else by the family's; `automatic` if there is
  /// neither.
  public var namedSchedule: ScheduleID {
    guard scheduler == .automatic else { return scheduler }
    guard let flow = traits.flow, flow.hasOwnCurve || sampler.defaultSchedule == .automatic else {
      return sampler.defaultSchedule
    }
    return flow.automatic
  }

  /// What settings need to know about the family of the checkpoint.
  public var traits: FamilyTraits { model.family.traits }

  /// How weights are applied. Brackets are plain text for families that read no weights.
  public var effectiveEmphasis: EmphasisChoice { traits.prompts.readsWeights ? emphasis : .none }

  /// The shift of the noise levels in use. 0 if it depends on the image's size and the number of steps, and for families that
  /// were not trained by flow matching.
  public var effectiveShift: Double {
    guard let flow = traits.flow else { return 0 }
    return shift != 0 || effectiveSchedule == .flux2 ? shift : flow.table.shift
  }

  /// The guidance scale that the network takes as an input. As in Forge, 0 means 3.5.
  public var effectiveDistilledCFGScale: Double { distilledCFGScale == 0 ? 3.5 : distilledCFGScale }

  var etaMatters: Bool { sampler.usesEta }

  var churnMatters: Bool { sampler.usesChurn && sChurn != 0 }

  /// Samplers that churn scale only the churned noise; other samplers add noise in every step.
  var noiseScaleMatters: Bool { sampler.usesNoiseScale && (!sampler.usesChurn || sChurn != 0) }

  var uniPCMatters: Bool { sampler.traits.flags.contains(.readsUniPCOptions) }

  /// Whether noise of another seed is mixed into the initial noise.
  public var subseedMatters: Bool { subseedStrength != 0 }

  /// Whether the initial noise is taken from another size, which must be at least one latent pixel.
  public var seedResizeMatters: Bool {
    let side = traits.geometry.pixelsPerPlace
    return seedResizeFromW >= side && seedResizeFromH >= side
  }

  /// Brownian trees use the seed itself. All other noise, except for the initial noise, uses the shifted seed.
  var etaNoiseSeedDeltaMatters: Bool {
    guard etaNoiseSeedDelta != 0 else { return false }
    return switch sampler.traits.noise {
    case .ancestral: eta != 0
    case .churn: sChurn != 0
    case .ddim: etaDDIM != 0
    case .restart: steps >= 20
    case .everyStep: true
    case .none, .brownian: false
    }
  }

  /// Whether features are forecast. Samplers that choose noise levels from the network's outputs compute every call.
  public var forecastMatters: Bool { featureForecast != 1 && !sampler.traits.flags.contains(.choosesNoiseLevels) }

  /// Whether a prompt may begin or change during the pass while another goes on.
  var promptsComeAndGo: Bool {
    guidanceInterval.start > 0 || skipEarlyCond > 0 || sMinUncond > 0
      || [prompt, negativePrompt].contains { $0.contains("[") && $0.contains { $0 == ":" || $0 == "|" } }
  }

  var scheduleMatters: Bool { !sampler.usesTimesteps }

  var quantizationMatters: Bool {
    enableQuantization && scheduleMatters && !sampler.traits.flags.contains(.quantizesTimesteps)
  }

  var discardMatters: Bool { alwaysDiscardNextToLastSigma && !sampler.discardsPenultimateSigma }

  var sgmNoiseMultiplierMatters: Bool { sgmNoiseMultiplier && scheduleMatters }

  var sigmaRangeMatters: Bool { scheduleMatters && effectiveSchedule.usesSigmaRange }

  var rhoMatters: Bool {
    guard scheduleMatters, rho != 0, let own = effectiveSchedule.ownRho else { return false }
    return rho != own
  }

  var betaMatters: Bool { scheduleMatters && effectiveSchedule == .beta }

  var oldSigmasMatter: Bool {
    useOldKarrasSchedulerSigmas && sigmaRangeMatters && (sigmaMin == 0 || sigmaMax == 0)
  }
}
