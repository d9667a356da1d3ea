import Settings

/// Finds the cells of a recipe whose second pass would have an impossible size.
struct SizeCheck {
  /// The base that every cell starts from.
  let base: CellDraft
  /// The top level of the recipe, which contains the base's values.
  let entries: [YAMLEntry]
  let findings: Findings

  /// The concerns that affect the size, or whether there is a second pass.
  private static let concerns = [
    "size", "enable_hr", "hr_scale", "hr_resize_x", "hr_resize_y", "firstphase_width", "firstphase_height",
  ]

  /// Reports every impossible size, once for each value that causes it.
  ///
  /// - Parameters:
  ///   - groups: The axes.
  ///   - filters: The excluded cells.
  ///   - extras: The included cells.
  func check(_ groups: [[Axis]], _ filters: [CellFilter], _ extras: [ExtraCell]) {
    let axes = groups.map(PlanAxis.init)
    let enabling = axes.contains { $0.members.contains { $0.sets("enable_hr") } }
    if base.hires.isOn || enabling {
      let filters = filters.map { PlanFilter($0, axes: axes) }
      let moving = axes.indices.filter { index in
        axes[index].members.contains { member in Self.concerns.contains { member.sets($0) } }
          || filters.contains { $0.depends(on: axes[index], at: index) }
      }
      var reported: Set<Complaint> = []
      var cells = CellWalk(base: base, axes: axes, moving: moving)
      while cells.advance(), !findings.isFull {
        guard let size = Self.impossibleSize(cells.draft),
          !filters.contains(where: { $0.matches(cells.draft, at: cells.indices) })
        else { continue }
        report(size, origin(cells.draft, axes, at: cells.indices), &reported)
      }
    }
    for extra in extras {
      var draft = base
      draft.apply(extra.settings)
      guard let size = Self.impossibleSize(draft) else { continue }
      var reported: Set<Complaint> = []
      report(size, (extra.position, Self.keys(draft)[0]), &reported)
    }
  }

  private struct Complaint: Hashable {
    var position: SourcePosition
    var message: String
  }

  private static func impossibleSize(_ draft: CellDraft) -> HiresSize? {
    guard draft.hires.isOn, let size = draft.resolved.hiresSize, !size.isPossible else { return nil }
    return size
  }

  private func report(
    _ size: HiresSize, _ origin: (position: SourcePosition?, key: String), _ reported: inout Set<Complaint>
  ) {
    guard let position = origin.position ?? entries.first?.keyPosition else { return }
    let complaint = Complaint(position: position, message: "\(origin.key): \(size.complaint)")
    if reported.insert(complaint).inserted { findings.error(complaint.message, at: position) }
  }

  /// The keys that determine a cell's size, the most direct one first.
  private static func keys(_ draft: CellDraft) -> [String] {
    let firstPass = ["size", "width", "height", "model", "enable_hr"]
    if draft.hires.firstWidth != 0 || draft.hires.firstHeight != 0 { return firstPass }
    if (draft.settings.hires?.resizeX ?? 0) != 0 { return ["hr_resize_x", "hr_resize_y"] + firstPass }
    if (draft.settings.hires?.resizeY ?? 0) != 0 { return ["hr_resize_y"] + firstPass }
    return ["hr_scale"] + firstPass
  }

  /// The position of what determines a cell's size: an axis's value if there is one, otherwise a key of the base.
  private func origin(
    _ draft: CellDraft, _ axes: [PlanAxis], at indices: [Int]
  ) -> (position: SourcePosition?, key: String) {
    let keys = Self.keys(draft)
    for key in keys {
      for (axis, index) in zip(axes, indices).reversed() {
        for member in axis.members where member.value(at: index).settings.contains(where: { $0.key.name == key }) {
          return (member.position(at: index), key)
        }
      }
    }
    for key in keys {
      if let entry = entries.first(where: { RecipeKey.named($0.name)?.name == key }) {
        return (entry.value.position, key)
      }
    }
    return (nil, keys[0])
  }
}

extension HiresSize {
  /// What is wrong with a size that is not possible.
  var complaint: String {
    "found a second pass of \(width)x\(height) pixels, expected sides from \(SizeLimit.sides.lowerBound) to "
      + "\(SizeLimit.sides.upperBound)"
  }
}
