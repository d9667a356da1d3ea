import Settings

/// The jobs of a plan, in order: the cells of the grid that no exclude matches, then the included cells.
public struct PlanJobs: Sequence, Sendable {
  let plan: Plan

  /// The exact number of jobs.
  public var underestimatedCount: Int { plan.count }

  /// An iterator that starts with the first job.
  public func makeIterator() -> Iterator { Iterator(plan: plan) }

  /// Goes through the cells; only the current one is in memory.
  public struct Iterator: IteratorProtocol {
    private let plan: Plan
    private var cells: CellWalk
    private var extra = 0
    /// Goes through the wildcards of the current included cell.
    private var extraCells: CellWalk?
    private var index = 0
    /// For each axis, the current job's position on it.
    private var positions: [[AxisPosition]]
    /// Positions from this axis on are outdated.
    private var stale = 0
    /// Goes through the images of requests, if the plan consists of requests.
    private var requests: RequestJobs?

    init(plan: Plan) {
      self.plan = plan
      requests = plan.requests.map { RequestJobs($0) }
      cells = CellWalk(base: plan.base, axes: plan.axes, moving: Array(plan.axes.indices))
      positions = plan.axes.map { _ in [] }
    }

    /// The next job; nil after the last.
    public mutating func next() -> Job? {
      if requests != nil { return requests?.next() }
      while cells.advance() {
        stale = Swift.min(stale, cells.firstMoved)
        let draft = cells.draft
        if draft.isGap || plan.filters.contains(where: { $0.matches(draft, at: cells.indices) }) { continue }
        for axis in stale..<positions.count {
          positions[axis] = plan.axes[axis].members.map { $0.axisPosition(at: cells.indices[axis]) }
        }
        stale = positions.count
        return job(positions.flatMap { $0 }, draft)
      }
      while extra < plan.extras.count {
        let cell = plan.extras[extra]
        if extraCells == nil { extraCells = cell.walk(from: plan.base, number: plan.promptNumbers + extra) }
        if extraCells?.advance() == true, let cells = extraCells {
          let wildcards = zip(cell.wildcards, cells.indices).map { $0.axisPosition(at: $1) }
          return job(cell.positions + wildcards, cells.draft)
        }
        extraCells = nil
        extra += 1
      }
      return nil
    }

    private mutating func job(_ positions: [AxisPosition], _ draft: CellDraft) -> Job {
      defer { index += 1 }
      let settings = draft.resolved
      guard plan.recipe.dynamic?.hasOwnTitles == true else {
        return Job(index: index, axes: positions, settings: settings)
      }
      let named = positions.map { position in
        let prompt =
          switch position.name {
          case DynamicPrompts.axisName: settings.prompt
          case DynamicPrompts.negativeAxisName: settings.negativePrompt
          default: nil as String?
          }
        return prompt.map { AxisPosition(name: position.name, value: $0, title: $0) } ?? position
      }
      return Job(index: index, axes: named, settings: settings)
    }
  }
}

extension ExtraCell {
  /// Goes through all replacements of the cell's wildcards; a single cell if it has none. `number` is the cell's number for
  /// dynamic prompts that are taken in order.
  func walk(from base: CellDraft, number: Int) -> CellWalk {
    var draft = base
    draft.promptNumber = number
    draft.apply(settings)
    let axes = wildcards.map { PlanAxis(members: [$0]) }
    return CellWalk(base: draft, axes: axes, moving: Array(axes.indices))
  }
}

/// Goes through all combinations of some axes, the last one fastest; the other axes keep their value.
struct CellWalk {
  private let axes: [PlanAxis]
  /// The axes that move.
  private let moving: [Int]
  /// Element `k` is the cell after the first `k` axes, so that a step along the last axis rebuilds only one cell.
  private var drafts: [CellDraft]
  private(set) var indices: [Int]
  /// The first axis that the last step moved.
  private(set) var firstMoved = 0
  private var state = State.fresh

  private enum State {
    case fresh, walking, finished
  }

  /// Creates a walk whose axes start at these indices; axes that do not move stay there.
  init(base: CellDraft, axes: [PlanAxis], moving: [Int], from start: [Int]? = nil) {
    self.axes = axes
    self.moving = moving
    drafts = Array(repeating: base, count: axes.count + 1)
    indices = start ?? Array(repeating: 0, count: axes.count)
  }

  /// The current cell.
  var draft: CellDraft { drafts[axes.count] }

  /// Moves to the next cell; the first call moves to the first cell. Returns false after the last one.
  mutating func advance() -> Bool {
    switch state {
    case .finished: return false
    case .fresh:
      state = .walking
      redo(from: 0)
      return true
    case .walking:
      guard let axis = moving.last(where: { indices[$0] + 1 < axes[$0].count }) else {
        state = .finished
        return false
      }
      indices[axis] += 1
      for later in moving where later > axis { indices[later] = 0 }
      redo(from: axis)
      return true
    }
  }

  private mutating func redo(from first: Int) {
    firstMoved = first
    for axis in first..<axes.count {
      drafts[axis + 1] = drafts[axis]
      axes[axis].apply(indices[axis], to: &drafts[axis + 1])
    }
  }
}

/// Counts cells and steps. It goes through only the axes that affect steps or excludes; the others are multiplied.
struct Census {
  private(set) var count = 0
  private(set) var steps = 0
  /// For each filter, whether it matches any cell.
  private(set) var hits: [Bool]

  /// The concerns that affect the number of steps.
  private static let concerns = ["steps", "size", "enable_hr", "hr_second_pass_steps", "denoising_strength"]

  init(base: CellDraft, axes: [PlanAxis], filters: [PlanFilter], extras: [ExtraCell]) {
    hits = Array(repeating: false, count: filters.count)
    let moving = axes.indices.filter { index in
      axes[index].members.contains { member in Self.concerns.contains { member.sets($0) } }
        || filters.contains { $0.depends(on: axes[index], at: index) }
        || (base.dynamic?.hasGaps == true && axes[index].members.contains { $0.sets("prompt") })
    }
    let copies = axes.indices.filter { !moving.contains($0) }.reduce(1) { $0 * axes[$1].count }
    var cells = CellWalk(base: base, axes: axes, moving: moving)
    while cells.advance() {
      let draft = cells.draft
      if draft.isGap { continue }
      var isLeftOut = false
      for (index, filter) in filters.enumerated() where !(isLeftOut && hits[index]) {
        guard filter.matches(draft, at: cells.indices) else { continue }
        hits[index] = true
        isLeftOut = true
      }
      if isLeftOut { continue }
      count += copies
      steps += copies * draft.allSteps
    }
    for cell in extras {
      var draft = base
      draft.apply(cell.settings)
      count += cell.count
      steps += cell.count * draft.allSteps
    }
  }
}
