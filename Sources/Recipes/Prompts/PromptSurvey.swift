import Prompts

/// Checks the prompts of a recipe's cells: finds edits without effect, and wildcards that are not set.
struct PromptSurvey {
  /// The wildcards of the grid's cells that no key sets, in the order in which they occur.
  private(set) var open: [String] = []
  /// All wildcards that occur.
  private(set) var used: Set<String> = []
  private var isOpen: Set<String> = []
  /// Edits that are not possible, with their positions and messages.
  private(set) var complaints: [Complaint] = []

  struct Complaint: Hashable {
    var position: SourcePosition
    var message: String
  }

  /// Missing texts that were already reported, so that each is reported for only one prompt.
  private var reported: Set<Complaint> = []

  /// Checks all cells of the grid that differ in their prompts.
  mutating func walk(_ base: CellDraft, _ groups: [[Axis]], _ filters: [CellFilter]) {
    let axes = groups.map(PlanAxis.init)
    let editing = axes.indices.filter { index in axes[index].members.contains { $0.setsKey(.promptEdit) } }
    let filters = editing.isEmpty ? [] : filters.map { PlanFilter($0, axes: axes) }
    var start = [Int](repeating: 0, count: axes.count)
    let moving = axes.indices.filter { index in
      let members = axes[index].members
      if filters.contains(where: { $0.depends(on: axes[index], at: index) }) { return true }
      // The replacement of a wildcard does not matter here.
      guard members.contains(where: { $0.sets("prompt") && $0.key?.wildcard == nil }) else { return false }
      guard members.count == 1, let row = members[0].onlyRow else { return true }
      // Every order contains all parts, and so does the last combination of a matrix.
      if row is OrderRow { return editing != [index] }
      if row is MatrixRow, editing.isEmpty {
        start[index] = row.count - 1
        return false
      }
      return !(row is WildcardRow)
    }
    var cells = CellWalk(base: base, axes: axes, moving: moving, from: start)
    while cells.advance() {
      let draft = cells.draft
      if filters.contains(where: { $0.matches(draft, at: cells.indices) }) { continue }
      for name in look(at: draft) where isOpen.insert(name).inserted { open.append(name) }
    }
  }

  /// Checks one cell.
  ///
  /// - Returns: The cell's wildcards that no key sets.
  mutating func look(at draft: CellDraft) -> [String] {
    let pair = draft.templates { placed, problem, prompt in
      guard case .missing(let text) = problem else { return }
      let expected =
        switch placed.edit {
        case .replace: "the prompt or the negative prompt"
        case .order: "the prompt"
        }
      let isNew = reported.insert(Complaint(position: placed.position, message: text)).inserted
      guard isNew, complaints.count < Findings.limit else { return }
      complaints.append(
        Complaint(
          position: placed.position,
          message: "found no \(Quoted.short(text)) in \(Quoted.short(prompt)), expected it in \(expected)"))
    }
    guard draft.hasWildcards else { return [] }
    let hires = draft.hiresTemplates
    let names = [pair, hires].flatMap { Wildcard.names(in: $0.prompt) + Wildcard.names(in: $0.negativePrompt) }
    used.formUnion(names)
    var seen: Set<String> = []
    return names.filter { draft.wildcards[$0] == nil && seen.insert($0).inserted }
  }
}
