import Prompts

/// What the prompts of a recipe's cells come to: which edits find nothing to change, and which wildcards are left.
struct PromptSurvey {
  /// Wildcards of the grid's cells that nothing stands for yet, in the order in which they occur.
  private(set) var open: [String] = []
  /// Every wildcard that occurs.
  private(set) var used: Set<String> = []
  private var isOpen: Set<String> = []
  /// Edits that cannot be made: where they stand, and what to say.
  private(set) var complaints: [Complaint] = []

  struct Complaint: Hashable {
    var position: SourcePosition
    var message: String
  }

  /// Texts that were told of, by where they are looked for: one prompt without is enough.
  private var told: Set<Complaint> = []

  /// Looks at every cell of the grid in which the prompts differ.
  mutating func walk(_ base: CellDraft, _ groups: [[Axis]], _ filters: [CellFilter]) {
    let axes = groups.map(PlanAxis.init)
    let editing = axes.indices.filter { index in axes[index].members.contains { $0.setsKey(.promptEdit) } }
    let filters = editing.isEmpty ? [] : filters.map { PlanFilter($0, axes: axes) }
    var standing = [Int](repeating: 0, count: axes.count)
    let moving = axes.indices.filter { index in
      let members = axes[index].members
      if filters.contains(where: { $0.depends(on: axes[index], at: index) }) { return true }
      // What a wildcard stands for changes nothing of what is looked at here.
      guard members.contains(where: { $0.sets("prompt") && $0.key?.wildcard == nil }) else { return false }
      guard members.count == 1, let row = members[0].onlyRow else { return true }
      // Whatever the order, the parts are there; and the last combination of a matrix has all of them.
      if row is OrderRow { return editing != [index] }
      if row is MatrixRow, editing.isEmpty {
        standing[index] = row.count - 1
        return false
      }
      return !(row is WildcardRow)
    }
    var cells = CellWalk(base: base, axes: axes, moving: moving, from: standing)
    while cells.advance() {
      let draft = cells.draft
      if filters.contains(where: { $0.matches(draft, at: cells.indices) }) { continue }
      for name in look(at: draft) where isOpen.insert(name).inserted { open.append(name) }
    }
  }

  /// Looks at one cell.
  ///
  /// - Returns: Its wildcards that nothing stands for yet.
  mutating func look(at draft: CellDraft) -> [String] {
    let pair = draft.templates { placed, problem, prompt in
      guard case .missing(let text) = problem else { return }
      let expected =
        switch placed.edit {
        case .replace: "the prompt or the negative prompt"
        case .order: "the prompt"
        }
      let isNew = told.insert(Complaint(position: placed.position, message: text)).inserted
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
