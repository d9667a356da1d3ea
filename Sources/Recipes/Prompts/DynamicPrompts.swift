import Prompts

/// How a recipe's dynamic prompts are resolved, including all its templates and lists.
final class DynamicPrompts: Sendable {
  /// The values of `dynamic_prompts`.
  enum Mode: String, CaseIterable, Sendable {
    /// Prompts are text; wildcards are axes.
    case off
    /// Each image draws its own prompt.
    case random
    /// An axis of all prompts.
    case combinatorial
    /// Each image takes the next prompt.
    case cyclical
  }

  /// Says that a text looks dynamic although nothing resolves it. `advice` is what resolves it, and where to write that.
  static func warning(of text: String, advice: String) -> String {
    "\(Quoted.short(text)) looks like a dynamic prompt, but is not resolved; write \(advice) to resolve it, or off if it is "
      + "plain text"
  }

  /// Which of a cell's texts a template is for.
  enum Part: UInt64, Sendable {
    case prompt = 0
    case negativePrompt = 1
  }

  /// A text before it is resolved; compared by bytes, because equal characters may have different scalars.
  struct Template: Hashable, Sendable {
    let bytes: [UInt8]
    let hasWildcards: Bool

    init(_ text: String, hasWildcards: Bool) {
      bytes = Array(text.utf8)
      self.hasWildcards = hasWildcards
    }

    /// Whether the text can have anything to resolve.
    static func isPossible(_ text: String) -> Bool {
      text.utf8.contains { $0 == UInt8(ascii: "{") || $0 == UInt8(ascii: "_") }
    }
  }

  /// A template that contains something to resolve.
  struct Known: Sendable {
    var prompt: DynamicPrompt
    /// All prompts, or the first ones; empty unless they form an axis.
    var prompts: [Part: [String]] = [:]
  }

  let mode: Mode
  private let lists: DynamicLists
  private let templates: [Template: Known]
  /// Whether some cells have fewer prompts than others, so that some combinations of axes do not exist.
  let hasGaps: Bool
  /// Whether the axes of prompts have different values in different cells.
  let hasOwnTitles: Bool

  init(mode: Mode, lists: DynamicLists, templates: [Template: Known], hasGaps: Bool, hasOwnTitles: Bool) {
    self.mode = mode
    self.lists = lists
    self.templates = templates
    self.hasGaps = hasGaps
    self.hasOwnTitles = hasOwnTitles
  }

  /// The names of the axes of all prompts.
  static let axisName = "dynamic_prompts"
  static let negativeAxisName = "dynamic_negative_prompts"

  /// The properties of a cell that its prompts depend on, besides their templates.
  struct Cell {
    var seed: Int64
    /// The image's number, for prompts that are taken in order.
    var number: Int
    /// The indices on the axes of prompts.
    var combinations: [Part: Int]
    var hasWildcards: Bool
  }

  private func known(_ text: String, _ cell: Cell) -> Known? {
    guard Template.isPossible(text) else { return nil }
    return templates[Template(text, hasWildcards: cell.hasWildcards)]
  }

  /// Whether a text has anything to resolve.
  func isDynamic(_ text: String, _ cell: Cell) -> Bool { known(text, cell) != nil }

  /// The number of prompts on an axis in a cell.
  func count(_ text: String, _ part: Part, _ cell: Cell) -> Int { known(text, cell)?.prompts[part]?.count ?? 1 }

  /// The resolved text.
  func resolved(_ text: String, _ part: Part, _ cell: Cell) -> String {
    guard let known = known(text, cell) else { return text }
    if let prompts = known.prompts[part], let index = cell.combinations[part], prompts.indices.contains(index) {
      return prompts[index]
    }
    var resolver = DynamicResolver(
      lists: lists, draws: DynamicDraws(seed: cell.seed, stream: part.rawValue), number: cell.number)
    return mode == .cyclical ? resolver.walked(known.prompt) : resolver.drawn(known.prompt)
  }
}

/// All prompts of a recipe, or of one of its cells, as the values of an axis.
struct DynamicRow: AxisRow {
  let key: RecipeKey
  let count: Int
  /// The prompts; nil if they differ from cell to cell.
  let prompts: [String]?

  var isNamed: Bool { prompts != nil }

  func text(at index: Int) -> String { prompts?[index] ?? "\(index + 1)" }

  func setting(at index: Int) -> KeyValue { .integer(Int64(index)) }
}
