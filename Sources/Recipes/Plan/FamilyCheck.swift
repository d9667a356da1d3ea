import Settings

/// Finds the cells of a recipe with settings that their model's family does not support.
struct FamilyCheck {
  /// The base that every cell starts from.
  let base: CellDraft
  /// The top level of the recipe, which contains the base's values.
  let entries: [YAMLEntry]
  let findings: Findings

  /// The keys that decide what is refused, and those that turn on a second pass.
  private static let keys =
    ["model", "hr_checkpoint_name", "enable_hr", "size", "firstphase_width", "firstphase_height"] + refusedKeys

  /// The keys that may be refused.
  private static let refusedKeys = [
    "width", "height", "sampler_name", "hr_sampler_name", "scheduler", "hr_scheduler", "s_churn",
    "sgm_noise_multiplier",
    "use_old_karras_scheduler_sigmas", "sd_noise_schedule", "enable_quantization", "prediction_type", "feature_cache",
    "token_merging_ratio", "token_merging_ratio_hr", "tiling", "sigma_min", "sigma_max", "skip_layer_guidance_scale",
    "hr_skip_layer_guidance_scale",
  ]

  /// Reports every refused setting, once for each value that causes it.
  ///
  /// - Parameters:
  ///   - groups: The axes.
  ///   - filters: The excluded cells.
  ///   - extras: The included cells.
  func check(_ groups: [[Axis]], _ filters: [CellFilter], _ extras: [ExtraCell]) {
    var reported: Set<Complaint> = []
    let axes = groups.map(PlanAxis.init)
    if Self.mayRefuse(base) || groups.joined().contains(where: Self.mayRefuse) {
      let filters = filters.map { PlanFilter($0, axes: axes) }
      let concerns = Set(Self.keys.compactMap { RecipeKey.named($0)?.concern })
      let moving = axes.indices.filter { index in
        axes[index].members.contains { member in concerns.contains { member.sets($0) } }
          || filters.contains { $0.depends(on: axes[index], at: index) }
      }
      var cells = CellWalk(base: base, axes: axes, moving: moving)
      while cells.advance(), !findings.isFull {
        let refusals = cells.draft.resolved.familyRefusals
        guard !refusals.isEmpty, !filters.contains(where: { $0.matches(cells.draft, at: cells.indices) }) else {
          continue
        }
        for refusal in refusals { report(refusal, origin(of: refusal.key, axes, at: cells.indices), &reported) }
      }
    }
    for extra in extras {
      var draft = base
      draft.apply(extra.settings)
      for refusal in draft.resolved.familyRefusals { report(refusal, extra.position, &reported) }
    }
  }

  private struct Complaint: Hashable {
    var position: SourcePosition
    var message: String
  }

  private func report(_ refusal: FamilyRefusal, _ position: SourcePosition?, _ reported: inout Set<Complaint>) {
    guard let position = position ?? entries.first?.keyPosition else { return }
    let complaint = Complaint(position: position, message: refusal.description)
    if reported.insert(complaint).inserted { findings.error(complaint.message, at: position) }
  }

  /// Whether a cell may have refused settings. Most recipes have none and are not examined.
  private static func mayRefuse(_ draft: CellDraft) -> Bool {
    draft.settings.traits.flow != nil || draft.settings.hires?.checkpoint?.family.traits.flow != nil
      || draft.scheduler == .flux2 || draft.hires.scheduler == .flux2 || draft.settings.skipLayerScale != 0
      || draft.settings.hires?.skipLayerScale ?? 0 != 0
  }

  /// Whether a value of the axis is a model that was trained by flow matching, or a setting for such models.
  private static func mayRefuse(_ axis: Axis) -> Bool {
    func sets(_ names: String...) -> Bool {
      names.contains { name in RecipeKey.named(name).map(axis.setsKey) ?? false }
    }
    if sets("skip_layer_guidance_scale", "hr_skip_layer_guidance_scale") { return true }
    guard sets("model", "hr_checkpoint_name", "scheduler", "hr_scheduler") else { return false }
    return (0..<axis.count).contains { index in
      axis.value(at: index).settings.contains { setting in
        switch setting.value {
        case .setting(.model(let model)): model.family.traits.flow != nil
        case .setting(.schedule(let schedule)): schedule == .flux2
        default: false
        }
      }
    }
  }

  /// The position of the value that a key has in a cell: the axis's value if there is one, otherwise the base's, otherwise the
  /// model's.
  private func origin(of key: String, _ axes: [PlanAxis], at indices: [Int]) -> SourcePosition? {
    let concern = RecipeKey.named(key)?.concern
    let isSide = ["width", "height"].contains(key)
    let keys = [key] + (isSide ? ["size", "firstphase_width", "firstphase_height"] : []) + ["model"]
    for name in keys {
      for (axis, index) in zip(axes, indices).reversed() {
        for member in axis.members {
          let isSet = member.value(at: index).settings.contains {
            $0.key.name == name || (name == key && !isSide && $0.key.concern == concern)
          }
          if isSet { return member.position(at: index) }
        }
      }
      if let entry = entries.first(where: { RecipeKey.named($0.name)?.name == name }) { return entry.value.position }
    }
    return nil
  }
}
