import Settings

/// The jobs of a plan, in order: the cells of the grid that no exclude matches, then the included cells.
public struct PlanJobs: Sequence, Sendable {
  let plan: Plan

  /// The exact number of jobs.
  public var underestimatedCount: Int { plan.count }

  /// A walk from the first job on.
  public func makeIterator() -> Iterator { Iterator(plan: plan) }

  /// Walks over the cells and keeps no more than the current one.
  public struct Iterator: IteratorProtocol {
    private let plan: Plan
    private var cells: CellWalk
    private var extra = 0
    /// The walk over the wildcards of the included cell at hand.
    private var extraCells: CellWalk?
    private var index = 0
    /// For each axis what the current job says about its place there.
    private var places: [[AxisPosition]]
    /// Places from this axis on are out of date.
    private var stale = 0
    /// The walk over the images of requests, where the plan is one of those.
    private var requests: RequestJobs?

    init(plan: Plan) {
      self.plan = plan
      requests = plan.requests.map { RequestJobs($0) }
      cells = CellWalk(base: plan.base, axes: plan.axes, moving: Array(plan.axes.indices))
      places = plan.axes.map { _ in [] }
    }

    /// The next job; nothing after the last.
    public mutating func next() -> Job? {
      if requests != nil { return requests?.next() }
      while cells.advance() {
        stale = Swift.min(stale, cells.firstMoved)
        let draft = cells.draft
        if plan.filters.contains(where: { $0.matches(draft, at: cells.indices) }) { continue }
        for axis in stale..<places.count {
          places[axis] = plan.axes[axis].members.map { $0.place(at: cells.indices[axis]) }
        }
        stale = places.count
        return job(places.flatMap { $0 }, draft)
      }
      while extra < plan.extras.count {
        let cell = plan.extras[extra]
        if extraCells == nil { extraCells = cell.walk(from: plan.base) }
        if extraCells?.advance() == true, let cells = extraCells {
          let wildcards = zip(cell.wildcards, cells.indices).map { $0.place(at: $1) }
          return job(cell.places + wildcards, cells.draft)
        }
        extraCells = nil
        extra += 1
      }
      return nil
    }

    private mutating func job(_ places: [AxisPosition], _ draft: CellDraft) -> Job {
      defer { index += 1 }
      return Job(index: index, axes: places, settings: draft.resolved)
    }
  }
}

extension ExtraCell {
  /// A walk over what the cell's wildcards stand for; one cell without them.
  func walk(from base: CellDraft) -> CellWalk {
    var draft = base
    draft.apply(settings)
    let axes = wildcards.map { PlanAxis(members: [$0]) }
    return CellWalk(base: draft, axes: axes, moving: Array(axes.indices))
  }
}

/// Walks over the product of some axes, the last fastest, while the others stay at their first value.
struct CellWalk {
  private let axes: [PlanAxis]
  /// The axes that move.
  private let moving: [Int]
  /// Element `k` is the cell after the first `k` axes, so that a step along the last axis redoes only that one.
  private var drafts: [CellDraft]
  private(set) var indices: [Int]
  /// The axis before which nothing changed in the last step.
  private(set) var firstMoved = 0
  private var state = State.fresh

  private enum State {
    case fresh, walking, finished
  }

  /// A walk whose axes start at these places, where those that do not move stay.
  init(base: CellDraft, axes: [PlanAxis], moving: [Int], from start: [Int]? = nil) {
    self.axes = axes
    self.moving = moving
    drafts = Array(repeating: base, count: axes.count + 1)
    indices = start ?? Array(repeating: 0, count: axes.count)
  }

  /// The current cell.
  var draft: CellDraft { drafts[axes.count] }

  /// Goes to the next cell; the first call goes to the first. False after the last, from then on.
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

/// Counts cells and steps. Only axes that decide about steps or excludes are walked; the others multiply.
struct Census {
  private(set) var count = 0
  private(set) var steps = 0
  /// For each filter, whether it matches some cell.
  private(set) var hits: [Bool]

  /// What decides about steps.
  private static let concerns = ["steps", "enable_hr", "hr_second_pass_steps", "denoising_strength"]

  init(base: CellDraft, axes: [PlanAxis], filters: [PlanFilter], extras: [ExtraCell]) {
    hits = Array(repeating: false, count: filters.count)
    let moving = axes.indices.filter { index in
      axes[index].members.contains { member in Self.concerns.contains { member.sets($0) } }
        || filters.contains { $0.depends(on: axes[index], at: index) }
    }
    let copies = axes.indices.filter { !moving.contains($0) }.reduce(1) { $0 * axes[$1].count }
    var cells = CellWalk(base: base, axes: axes, moving: moving)
    while cells.advance() {
      let draft = cells.draft
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
