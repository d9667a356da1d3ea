import Prompts
import Settings

/// Reads the dynamic prompts of a recipe's cells: parses every template, finds its lists, and makes the axes of all prompts.
struct DynamicPromptReader {
  let mode: DynamicPrompts.Mode
  /// The most prompts that an axis may have; nil for the default, above which the recipe is refused.
  let limit: Int?
  let library: WildcardLibrary
  let findings: Findings
  let mentions: WildcardMentions
  let source: SourceText
  /// The position for texts that are composed of several texts.
  let whole: SourcePosition

  private var measure: DynamicMeasure
  private var templates: [DynamicPrompts.Template: DynamicPrompts.Known] = [:]
  private var failed: Set<DynamicPrompts.Template> = []
  /// The number of prompts of the cells, and whether all cells have the same prompts.
  private var axes: [DynamicPrompts.Part: PromptAxisShape] = [:]
  private var seed: Int64 = 0

  private struct PromptAxisShape {
    var template: DynamicPrompts.Template
    var count: Int
    var prompts: [String]
    var hasGaps = false
    var isOne = true
  }

  /// The most prompts that an axis may have, unless the recipe sets another limit.
  static let defaultLimit = 10_000

  init(
    mode: DynamicPrompts.Mode, limit: Int?, library: WildcardLibrary, findings: Findings, mentions: WildcardMentions,
    source: SourceText, whole: SourcePosition
  ) {
    self.mode = mode
    self.limit = limit
    self.library = library
    self.findings = findings
    self.mentions = mentions
    self.source = source
    self.whole = whole
    measure = DynamicMeasure(expectation: library.expectation) {
      (name, offset, entry) throws(DynamicPromptError) in try library.list(name, at: offset, in: entry)
    }
  }

  // MARK: Cells

  /// Reads the templates of all cells of the grid.
  ///
  /// - Parameters:
  ///   - base: The base that every cell starts from.
  ///   - groups: The axes.
  ///   - filters: The excluded cells.
  mutating func walk(_ base: CellDraft, _ groups: [[Axis]], _ filters: [CellFilter]) {
    seed = max(0, base.promptSeed ?? 0)
    let axes = groups.map(PlanAxis.init)
    let filters = filters.map { PlanFilter($0, axes: axes) }
    let moving = axes.indices.filter { index in
      axes[index].members.contains { $0.sets("prompt") || $0.sets("enable_hr") }
        || filters.contains { $0.depends(on: axes[index], at: index) }
    }
    var cells = CellWalk(base: base, axes: axes, moving: moving)
    while cells.advance(), !findings.isFull {
      let draft = cells.draft
      if filters.contains(where: { $0.matches(draft, at: cells.indices) }) { continue }
      for found in read(draft) { note(found.part, found.template, found.prompts) }
    }
  }

  /// Reads the templates of an included cell.
  ///
  /// - Returns: The axes of its prompts.
  mutating func axes(of draft: CellDraft) -> [Axis] {
    var axes: [Axis] = []
    for found in read(draft) where found.prompts.count > 1 {
      axes.append(Self.axis(found.part, found.prompts.count, found.prompts, at: whole))
    }
    return axes
  }

  /// The axes of all prompts, which come after all others.
  var promptAxes: [Axis] {
    [DynamicPrompts.Part.prompt, .negativePrompt].compactMap { part in
      guard let shape = axes[part], shape.count > 1 || !shape.isOne || isDynamic(shape.template) else { return nil }
      let position = mentions.position(ofTextIn: String(decoding: shape.template.bytes, as: UTF8.self)) ?? whole
      return Self.axis(part, shape.count, shape.isOne ? shape.prompts : nil, at: position)
    }
  }

  private func isDynamic(_ template: DynamicPrompts.Template) -> Bool { templates[template] != nil }

  private static func axis(
    _ part: DynamicPrompts.Part, _ count: Int, _ prompts: [String]?, at position: SourcePosition
  ) -> Axis {
    let isPrompt = part == .prompt
    let key = isPrompt ? RecipeKey.combination : .negativeCombination
    return Axis(
      name: isPrompt ? DynamicPrompts.axisName : DynamicPrompts.negativeAxisName, key: nil,
      runs: [.row(DynamicRow(key: key, count: count, prompts: prompts))], position: position)
  }

  /// Resolves the prompts.
  var dynamic: DynamicPrompts {
    DynamicPrompts(
      mode: mode, lists: measure.lists, templates: templates, hasGaps: axes.values.contains(where: \.hasGaps),
      hasOwnTitles: axes.values.contains { !$0.isOne })
  }

  private mutating func note(_ part: DynamicPrompts.Part, _ template: DynamicPrompts.Template, _ prompts: [String]) {
    guard var shape = axes[part] else {
      axes[part] = PromptAxisShape(template: template, count: prompts.count, prompts: prompts)
      return
    }
    if shape.template == template { return }
    // Cells without anything to resolve have one prompt each.
    if prompts.count != shape.count {
      shape.hasGaps = true
      shape.count = max(shape.count, prompts.count)
    }
    if isDynamic(template) || isDynamic(shape.template) { shape.isOne = false }
    if isDynamic(template), !isDynamic(shape.template) { shape.template = template }
    axes[part] = shape
  }

  // MARK: Templates

  /// The template of one of a cell's prompts, and the prompts for an axis.
  private struct Found {
    var part: DynamicPrompts.Part
    var template: DynamicPrompts.Template
    var prompts: [String]
  }

  /// Reads the templates of a cell.
  private mutating func read(_ draft: CellDraft) -> [Found] {
    var found: [Found] = []
    let pair = draft.replacedTemplates
    for (part, text) in [(DynamicPrompts.Part.prompt, pair.prompt), (.negativePrompt, pair.negativePrompt)] {
      let template = DynamicPrompts.Template(text, hasWildcards: draft.hasWildcards)
      read(text, template, part, isAxis: mode == .combinatorial)
      if mode == .combinatorial {
        found.append(Found(part: part, template: template, prompts: templates[template]?.prompts[part] ?? [text]))
      }
    }
    guard draft.hires.isOn else { return found }
    let own = draft.replacedHiresTemplates
    for (part, text) in [(DynamicPrompts.Part.prompt, own.prompt), (.negativePrompt, own.negativePrompt)] {
      read(text, DynamicPrompts.Template(text, hasWildcards: draft.hasWildcards), part, isAxis: false)
    }
    return found
  }

  private mutating func read(
    _ text: String, _ template: DynamicPrompts.Template, _ part: DynamicPrompts.Part, isAxis: Bool
  ) {
    guard DynamicPrompts.Template.isPossible(text), !failed.contains(template) else { return }
    if let known = templates[template], !isAxis || known.prompts[part] != nil { return }
    do throws(DynamicPromptError) {
      let prompt: DynamicPrompt
      if let known = templates[template] {
        prompt = known.prompt
      } else {
        prompt = try DynamicPrompt(text, hasWildcards: template.hasWildcards)
      }
      guard prompt.isDynamic else { return }
      let size = try measure.size(of: prompt)
      var known = templates[template] ?? DynamicPrompts.Known(prompt: prompt)
      if isAxis { known.prompts[part] = try prompts(of: prompt, size, part) }
      templates[template] = known
    } catch {
      failed.insert(template)
      report(error, in: text)
    }
  }

  private func prompts(
    of prompt: DynamicPrompt, _ size: DynamicMeasure.Size, _ part: DynamicPrompts.Part
  ) throws(DynamicPromptError) -> [String] {
    if limit == nil, size.count > Double(Self.defaultLimit) {
      let count =
        size.count < 1e15 ? "\(Int(size.count))" : size.count.isFinite ? "about \(size.count)" : "uncountably many"
      throw DynamicPromptError(
        "found a prompt with \(count) combinations, expected \(Self.defaultLimit) at most; prompt_limit: N takes the "
          + "first N, and dynamic_prompts: random draws some", at: 0)
    }
    var expansion = DynamicExpansion(lists: measure.lists, seed: seed, stream: part.rawValue)
    return try expansion.prompts(of: prompt, limit: limit ?? Self.defaultLimit)
  }

  // MARK: Errors

  private func report(_ error: DynamicPromptError, in text: String) {
    if error.isReported { return }
    if let entry = error.entry, let origin = library.origin(of: entry) {
      findings.error(
        error.message, at: SourceText.shifted(origin.position, by: error.offset, in: origin.text))
      return
    }
    let origin = mentions.origin(of: error.offset, in: text)
    if let origin, let position = source.position(of: origin.offset, in: origin.text, at: origin.position) {
      findings.error(error.message, at: position)
    } else if let origin, origin.position.source.hasSuffix(".txt"), origin.position.line > 0 {
      findings.error(
        error.message, at: SourceText.shifted(origin.position, by: origin.offset, in: origin.text))
    } else {
      let offset = origin?.offset ?? error.offset
      findings.error("character \(offset + 1) of the prompt: \(error.message)", at: origin?.position ?? whole)
    }
  }
}
