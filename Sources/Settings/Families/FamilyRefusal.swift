/// A setting that a model's family does not support.
public struct FamilyRefusal: Hashable, Sendable, CustomStringConvertible {
  /// The key of the setting.
  public let key: String
  /// What was found, and what to use instead, without the key.
  public let reason: String

  /// One sentence for the user.
  public var description: String { "\(key): \(reason)" }
}

extension ImageSettings {
  /// The settings that the families of an image's models do not support, each key once; empty for most images.
  public var familyRefusals: [FamilyRefusal] {
    let mayRefuse =
      base.traits.flow != nil || hires?.checkpoint?.family.traits.flow != nil || base.scheduler == .flux2
      || hires?.scheduler == .flux2 || base.skipLayerScale != 0 || hires?.skipLayerScale ?? 0 != 0
    guard mayRefuse else { return [] }
    var refusals: [FamilyRefusal] = []
    func add(_ found: [FamilyRefusal]) {
      for refusal in found where !refusals.contains(where: { $0.key == refusal.key }) { refusals.append(refusal) }
    }
    if base.traits.flow != nil { add(base.sizeRefusals) }
    add(base.familyRefusals(sampler: "sampler_name", scheduler: "scheduler"))
    add(base.layerRefusals("skip_layer_guidance_scale"))
    if let hires, let second = secondPass {
      add(
        second.familyRefusals(
          sampler: hires.sampler == nil ? "sampler_name" : "hr_sampler_name",
          scheduler: hires.scheduler == nil ? "scheduler" : "hr_scheduler"))
      add(
        second.layerRefusals(
          hires.skipLayerScale == nil ? "skip_layer_guidance_scale" : "hr_skip_layer_guidance_scale"))
    }
    return refusals
  }
}

extension PassSettings {
  /// Sides that are not multiples of what the family needs.
  fileprivate var sizeRefusals: [FamilyRefusal] {
    let multiple = traits.geometry.sizeMultiple
    return [("width", width), ("height", height)].compactMap { key, side in
      guard !side.isMultiple(of: multiple) else { return nil }
      let below = side / multiple * multiple
      let near = [below, below + multiple].filter { $0 >= multiple && SizeLimit.sides.contains($0) }
      return FamilyRefusal(
        key: key,
        reason: "found \(side), expected a multiple of \(multiple) for \(traits.title); the nearest are "
          + near.map(String.init).joined(separator: " and "))
    }
  }

  /// Skip-layer guidance with a network that cannot skip layers. `key` is the key that the pass uses.
  fileprivate func layerRefusals(_ key: String) -> [FamilyRefusal] {
    guard skipLayerScale != 0, !traits.skipsLayers else { return [] }
    let reason =
      "found \(skipLayerScale), which is for Stable Diffusion 3 and 3.5 and not for \(traits.title); remove it"
    return [FamilyRefusal(key: key, reason: reason)]
  }

  /// What a flow family does not support, with the keys of the sampler and the schedule that the pass uses.
  fileprivate func familyRefusals(sampler samplerKey: String, scheduler schedulerKey: String) -> [FamilyRefusal] {
    let title = traits.title
    guard let flow = traits.flow else {
      guard namedSchedule == .flux2, !sampler.usesTimesteps else { return [] }
      return [
        FamilyRefusal(
          key: schedulerKey, reason: "found flux2, which is for FLUX.2 and not for \(title); use another one")
      ]
    }
    var refusals: [FamilyRefusal] = []
    func refuse(_ key: String, _ reason: String, if isRefused: Bool) {
      if isRefused { refusals.append(FamilyRefusal(key: key, reason: reason)) }
    }
    let samplers = SamplerID.allCases.filter(\.runsInFlow).map(\.rawValue)
    refuse(
      samplerKey,
      "found \(sampler.rawValue), which does not fit the noise levels of \(title); use \(SettingKind.list(samplers))",
      if: !sampler.runsInFlow)
    let schedules = ScheduleID.allCases.filter { $0 != .automatic && $0.isPossible(in: flow) }.map(\.rawValue)
    refuse(
      schedulerKey,
      "found \(namedSchedule.rawValue), which has no noise levels for \(title); use \(SettingKind.list(schedules))",
      if: !sampler.usesTimesteps && !namedSchedule.isPossible(in: flow))
    let unused = "which is for Stable Diffusion 1.x to XL and not for \(title); remove it"
    refuse("s_churn", "found \(sChurn), \(unused)", if: churnMatters)
    refuse("sgm_noise_multiplier", "found true, \(unused)", if: sgmNoiseMultiplier)
    refuse("use_old_karras_scheduler_sigmas", "found true, \(unused)", if: useOldKarrasSchedulerSigmas)
    refuse("sd_noise_schedule", "found \(sdNoiseSchedule.rawValue), \(unused)", if: sdNoiseSchedule != .standard)
    refuse("enable_quantization", "found true, \(unused)", if: enableQuantization)
    refuse("prediction_type", "found \(predictionType.rawValue), \(unused)", if: predictionType != .auto)
    refuse("feature_cache", "found \(featureCache), \(unused)", if: featureCache != 1)
    refuse("token_merging_ratio", "found \(tokenMergingRatio), \(unused)", if: tokenMergingRatio != 0)
    refuse("tiling", "found true, \(unused)", if: tiling)
    let levels = "expected sigmas up to 1 for \(title)"
    refuse("sigma_max", "found \(sigmaMax), \(levels)", if: sigmaMax > 1)
    refuse("sigma_min", "found \(sigmaMin), \(levels)", if: sigmaMin > 1)
    return refusals
  }
}

extension ScheduleID {
  /// Whether the schedule makes sense for a family that was trained by flow matching.
  func isPossible(in flow: FlowTraits) -> Bool {
    switch self {
    // These eleven levels were measured on other families.
    case .alignYourSteps: false
    case .flux2: flow.hasOwnCurve
    // These are even in the index of the table, which such families do not have: Forge samples through levels in the thousands.
    case .uniform: !flow.table.hasTimeOfSigma
    case .automatic, .karras, .exponential, .polyexponential, .sgmUniform, .klOptimal, .simple, .normal, .ddim, .beta:
      true
    }
  }
}
