/// A prompt in the language of dynamic prompts, with variants, wildcards and variables. It represents many prompts.
///
/// Source: the grammar of sd-dynamic-prompts. The manual's page about prompts has the rules and the differences.
package struct DynamicPrompt: Sendable {
  /// The text as written.
  package let text: String
  let root: DynamicNode

  /// Whether there is anything to resolve in the text.
  package var isDynamic: Bool {
    if case .text = root { false } else { true }
  }

  /// Whether the text has variants or variables, which are rarely meant as text. Wildcards alone do not count.
  package var hasVariants: Bool { root.hasVariants }

  /// Parses a prompt or an entry of a list. `__name__` is a wildcard if `hasWildcards`, otherwise plain text.
  package init(_ text: String, hasWildcards: Bool = true) throws(DynamicPromptError) {
    self.text = text
    // Most prompts have nothing to resolve, and are not copied.
    guard text.utf8.contains(where: { $0 == UInt8(ascii: "{") || $0 == UInt8(ascii: "_") }) else {
      root = .text(text)
      return
    }
    var parser = DynamicParser(text, hasWildcards: hasWildcards)
    root = try parser.parsed()
  }
}

/// Why a dynamic prompt cannot be resolved.
package struct DynamicPromptError: Error, Equatable {
  /// What was found, and what was expected.
  package var message: String
  /// The position in the text, in Unicode scalars from 0.
  package var offset: Int
  /// The list entry that contains the text; nil for the prompt itself.
  package var entry: Int?

  package init(_ message: String, at offset: Int, in entry: Int? = nil) {
    self.message = message
    self.offset = offset
    self.entry = entry
  }
}

/// A part of a dynamic prompt.
indirect enum DynamicNode: Sendable {
  case text(String)
  /// Assignments apply to the whole sequence, wherever they are in it.
  case sequence([DynamicAssignment], [DynamicNode])
  case variants(DynamicVariants)
  case wildcard(DynamicWildcard)
  case variable(name: String, fallback: DynamicNode?, offset: Int)
  /// `inner` inserted at the first ellipsis of `wrapper`.
  case wrap(wrapper: DynamicNode, inner: DynamicNode)
  /// The value of a variable that is resolved immediately: it has one value in each prompt.
  case once(DynamicNode)

  static let empty = DynamicNode.text("")

  var hasVariants: Bool {
    switch self {
    case .text, .wildcard: false
    case .sequence(let assignments, let parts): !assignments.isEmpty || parts.contains(where: \.hasVariants)
    case .variants(let variants): variants.options.count > 1 || variants.hasBounds
    case .variable, .wrap, .once: true
    }
  }

  /// How the part requests to be resolved, whatever the way of the whole prompt.
  var sampling: DynamicSampling? {
    switch self {
    case .variants(let variants): variants.sampling
    case .wildcard(let wildcard): wildcard.sampling
    case .text, .sequence, .variable, .wrap, .once: nil
    }
  }
}

/// How parts of a prompt are resolved. A mark at the start of variants or of a wildcard requests one of these.
enum DynamicSampling: Sendable {
  case combinatorial, random, cyclical

  init?(_ mark: Unicode.Scalar) {
    switch mark {
    case "!": self = .combinatorial
    case "~": self = .random
    case "@": self = .cyclical
    default: return nil
    }
  }
}

/// `{2-3$$ and $$a|2::b|c}`.
struct DynamicVariants: Sendable {
  struct Option: Sendable {
    var node: DynamicNode
    var weight: Double
  }

  var options: [Option]
  /// Whether the text says how many options are taken.
  var hasBounds = false
  /// The fewest options that are taken.
  var least = 1
  /// The most options that are taken; nil for all of them.
  var most: Int? = 1
  var separator = ","
  var sampling: DynamicSampling?
  var offset: Int

  /// How many options are taken if there are this many.
  func bounds(_ count: Int) -> ClosedRange<Int> {
    let (a, b) = (min(least, count), min(most ?? count, count))
    return min(a, b)...max(a, b)
  }

  /// The wildcard, if it is the only option: then its entries are the options.
  var onlyWildcard: DynamicWildcard? {
    guard options.count == 1, case .wildcard(let wildcard) = options[0].node else { return nil }
    return wildcard
  }
}

/// `__path(name=value)__`.
struct DynamicWildcard: Sendable {
  /// The name of a list, or a pattern of names.
  var path: DynamicNode
  var parameters: [DynamicAssignment] = []
  var sampling: DynamicSampling?
  /// Whether it is part of a longer word; then it is text unless there is a list with this name.
  var isGlued: Bool
  /// The text as written.
  var text: String
  var offset: Int
}

/// `${name=value}`, or a parameter of a wildcard.
struct DynamicAssignment: Sendable {
  var name: String
  var value: DynamicNode
  /// Whether the value is resolved once, instead of at each use.
  var isImmediate = false
  /// Whether the variable keeps a value that it already has.
  var keepsOld = false
}

/// The variables that are set at a position of a prompt.
final class DynamicScope: Sendable {
  let values: [String: DynamicNode]

  init(_ values: [String: DynamicNode] = [:]) { self.values = values }

  func setting(_ name: String, to value: DynamicNode) -> DynamicScope {
    DynamicScope(values.merging([name: value]) { $1 })
  }
}

/// A list that a wildcard names.
package final class DynamicList: Sendable {
  /// One value of a list.
  package struct Entry: Sendable {
    package var prompt: DynamicPrompt
    /// How often it is drawn, relative to others.
    package var weight: Double
    /// Identifies the entry in errors.
    package var number: Int

    package init(_ prompt: DynamicPrompt, weight: Double = 1, number: Int = 0) {
      self.prompt = prompt
      self.weight = weight
      self.number = number
    }
  }

  /// The entries; at least one.
  package let entries: [Entry]
  /// The cumulative weights; nil if all weights are equal.
  private let sums: [Double]?

  package init(_ entries: [Entry]) {
    self.entries = entries
    var sum = 0.0
    let isEven = entries.allSatisfy { $0.weight == entries[0].weight }
    sums =
      isEven
      ? nil
      : entries.map { entry in
        sum += entry.weight
        return sum
      }
  }

  /// The entries as the options of variants.
  var options: [DynamicVariants.Option] {
    entries.map { DynamicVariants.Option(node: $0.prompt.root, weight: $0.weight) }
  }

  /// Draws an entry.
  func draw(_ draws: inout DynamicDraws) -> DynamicNode {
    guard let sums else { return entries[draws.index(below: entries.count)].prompt.root }
    return entries[draws.index(sums: sums)].prompt.root
  }
}

/// Resolves wildcards: lists by the names and patterns that prompts use.
package typealias DynamicLists = [String: DynamicList]

extension DynamicList {
  /// The name or pattern in a wildcard's path, without superfluous slashes.
  package static func name(_ path: String) -> String {
    path.split(separator: "/").joined(separator: "/")
  }
}
