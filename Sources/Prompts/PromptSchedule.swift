import Text

/// The text of a prompt at each call of the model, with `[from:to:when]` and `[a|b]` resolved for that call.
///
/// Source: the prompt editing of stable-diffusion-webui 1.10.1, with the timelines of that version and of 1.5.1.
public struct PromptSchedule: Hashable, Sendable {
  /// A text, and the last call that uses it.
  public struct Entry: Hashable, Sendable {
    /// The last call that uses the text, counted from 0. The webui includes it.
    public var end: Int
    /// The prompt with its editing resolved; emphasis and `BREAK` are still in it.
    public var text: String

    /// Creates a text that is used up to this call.
    public init(end: Int, text: String) {
      self.end = end
      self.text = text
    }
  }

  /// The entries in ascending order of `end`: at least one. Neighbours may have the same text.
  public let entries: [Entry]

  /// Reads `prompt`.
  ///
  /// A prompt that breaks the grammar, for example by a `|` outside of square brackets, is plain text as a whole.
  ///
  /// - Parameters:
  ///   - prompt: One part of a prompt, or a negative prompt.
  ///   - calls: The sampler's calls of the model as the webui counts them: the steps, or twice as many for a sampler of
  ///     second order. At least 1.
  ///   - usesOldTimelines: How to read `when`. With old timelines, a value below 1 is a fraction of the calls and any
  ///     other is a number of calls; otherwise a value with a decimal point is a fraction.
  ///   - callsBefore: The calls of the previous pass; nil for the first pass. Numbers of calls continue after them, and
  ///     fractions continue from 1. Old timelines start again, over the calls of the previous pass.
  public init(_ prompt: String, calls: Int, usesOldTimelines: Bool = false, callsBefore: Int? = nil) {
    let calls = usesOldTimelines ? callsBefore ?? calls : calls
    let scalars = Array(prompt.unicodeScalars)
    // Most prompts have no editing; a prompt without a square bracket has none.
    guard scalars.contains("["), let tree = EditingParser(scalars).parsed() else {
      entries = [Entry(end: calls, text: prompt)]
      return
    }
    let timeline = Timeline(
      tree: tree, calls: calls, usesOldTimelines: usesOldTimelines, callsBefore: usesOldTimelines ? nil : callsBefore)
    entries = timeline.ends.map { Entry(end: $0, text: timeline.text(at: $0)) }
  }

  /// The index in `entries` of the text for a call of the model, counted from 0; 0 after the last entry has ended.
  public func index(atCall call: Int) -> Int { entries.firstIndex { call <= $0.end } ?? 0 }
}

/// A prompt as nested editing. Children are indices into `nodes`, so that deep nesting needs no deep stack.
struct EditingTree {
  enum Node {
    case text(ArraySlice<Unicode.Scalar>)
    /// `before` up to and including `when`, then `after`.
    case scheduled(before: [Int], after: [Int], when: When)
    case alternate([[Int]])
  }

  /// The number of `[from:to:when]`.
  struct When {
    let value: Double
    let hasPoint: Bool

    /// The last call that uses the text before the change, at most `calls`.
    func end(calls: Int, usesOldTimelines: Bool, callsBefore: Int?) -> Int {
      let isFraction = usesOldTimelines ? value < 1 : hasPoint
      let start: Double = callsBefore.map { isFraction ? 1 : Double($0) } ?? 0
      let end = isFraction ? (value - start) * Double(calls) : value - start
      // The conversion drops the fraction; the bounds keep the value in range.
      return Int(max(-1, min(end, Double(calls))))
    }
  }

  var nodes: [Node]
  var root: [Int]
}

// MARK: - Timeline

private struct Timeline {
  let tree: EditingTree
  let calls: Int
  let usesOldTimelines: Bool
  let callsBefore: Int?

  /// The calls after which the text may change, and the last call.
  var ends: [Int] {
    var ends: Set<Int> = [calls]
    for node in tree.nodes {
      switch node {
      case .text: break
      case .scheduled(_, _, let when):
        let end = end(when)
        if end >= 1 { ends.insert(end) }
      case .alternate: ends.formUnion(1...max(1, calls))
      }
    }
    return ends.sorted()
  }

  private func end(_ when: EditingTree.When) -> Int {
    when.end(calls: calls, usesOldTimelines: usesOldTimelines, callsBefore: callsBefore)
  }

  func text(at boundary: Int) -> String {
    var text = String.UnicodeScalarView()
    var waiting = Array(tree.root.reversed())
    while let index = waiting.popLast() {
      switch tree.nodes[index] {
      case .text(let scalars): text.append(contentsOf: scalars)
      case .scheduled(let before, let after, let when):
        let end = end(when)
        waiting += (boundary <= end ? before : after).reversed()
      case .alternate(let options):
        waiting += options[(boundary - 1) % options.count].reversed()
      }
    }
    return String(text)
  }
}

// MARK: - Parser

/// Reads prompt editing in one pass.
///
/// The webui's grammar is ambiguous: outside of all brackets, a bracket or colon may be syntax or text. Inside brackets it can
/// only be syntax, so it is always clear which brackets form a pair. If the content of a pair fits no rule, the pair is text,
/// and so is every open bracket around it. Everything else is syntax.
struct EditingParser {
  private let scalars: [Unicode.Scalar]
  private var tree = EditingTree(nodes: [], root: [])
  private var open: [Bracket] = []

  /// A bracket that is not closed yet, and the nodes between its separators.
  private struct Bracket {
    let index: Int
    var parts: [[Int]] = [[]]
    var separators: [Int] = []
  }

  init(_ scalars: [Unicode.Scalar]) { self.scalars = scalars }

  /// Parses the prompt; nil if it breaks the grammar.
  consuming func parsed() -> EditingTree? {
    var index = 0
    while index < scalars.count {
      switch scalars[index] {
      case "\\":
        // A backslash makes the next scalar of its line text.
        guard index + 1 < scalars.count, scalars[index + 1] != "\n" else { return nil }
        append(index..<(index + 2))
        index += 1
      case "(", "[": open.append(Bracket(index: index))
      case ")", "]": guard close(at: index) else { return nil }
      case ":", "|":
        if !open.isEmpty {
          open[open.count - 1].separators.append(index)
          open[open.count - 1].parts.append([])
        } else if scalars[index] == ":" {
          append(index..<(index + 1))
        } else {
          return nil
        }
      default:
        let end = scalars[index...].firstIndex { Self.syntax.contains($0) } ?? scalars.count
        append(index..<end)
        index = end - 1
      }
      index += 1
    }
    return flatten() ? tree : nil
  }

  private static let syntax: Set<Unicode.Scalar> = ["\\", "(", ")", "[", "]", ":", "|"]

  private mutating func append(_ text: Range<Int>) { append([add(.text(scalars[text]))]) }

  private mutating func add(_ node: EditingTree.Node) -> Int {
    tree.nodes.append(node)
    return tree.nodes.count - 1
  }

  private mutating func append(_ nodes: [Int]) {
    guard let last = open.indices.last else {
      tree.root += nodes
      return
    }
    open[last].parts[open[last].parts.count - 1] += nodes
  }

  /// Returns false if the prompt breaks the grammar.
  private mutating func close(at index: Int) -> Bool {
    guard let bracket = open.last, scalars[bracket.index] == (scalars[index] == ")" ? "(" : "["),
      let nodes = nodes(of: bracket, closedAt: index)
    else {
      guard flatten() else { return false }
      append(index..<(index + 1))
      return true
    }
    open.removeLast()
    append(nodes)
    return true
  }

  /// The nodes of a pair of brackets; nil if its content fits no rule.
  private mutating func nodes(of bracket: Bracket, closedAt end: Int) -> [Int]? {
    let colons = bracket.separators.count { scalars[$0] == ":" }
    let bars = bracket.separators.count - colons
    let isSquare = scalars[bracket.index] == "["
    if bars == 0, isSquare ? colons == 0 : colons < 2 { return literal(bracket) + [add(.text(scalars[end...end]))] }
    guard isSquare else { return nil }
    if colons == 0 { return [add(.alternate(bracket.parts))] }
    guard bars == 0, colons < 3, let when = when(bracket, end: end) else { return nil }
    let before = colons == 2 ? bracket.parts[0] : []
    return [add(.scheduled(before: before, after: bracket.parts[colons - 1], when: when))]
  }

  /// The number between the last colon and the bracket.
  private func when(_ bracket: Bracket, end: Int) -> EditingTree.When? {
    guard let colon = bracket.separators.last else { return nil }
    let inside = scalars[(colon + 1)..<end].drop(while: PythonText.isSpace)
    guard let last = inside.lastIndex(where: { !PythonText.isSpace($0) }) else { return nil }
    let number = inside[...last]
    let allowed = "+-.eE0123456789".unicodeScalars
    // Everything that `Double` accepts here is also a number of the grammar; the allowed scalars exclude "inf" and "nan".
    guard number.allSatisfy({ allowed.contains($0) }), let value = Double(String(number)) else { return nil }
    return EditingTree.When(value: value, hasPoint: number.contains("."))
  }

  /// A bracket and its content as text; editing inside it is kept.
  private mutating func literal(_ bracket: Bracket) -> [Int] {
    var nodes = [add(.text(scalars[bracket.index...bracket.index]))]
    for (number, part) in bracket.parts.enumerated() {
      if number > 0 {
        let separator = bracket.separators[number - 1]
        nodes.append(add(.text(scalars[separator...separator])))
      }
      nodes += part
    }
    return nodes
  }

  /// Turns all open brackets into text; returns false if that would leave a bar outside of all brackets.
  private mutating func flatten() -> Bool {
    for bracket in open {
      guard !bracket.separators.contains(where: { scalars[$0] == "|" }) else { return false }
      tree.root += literal(bracket)
    }
    open = []
    return true
  }
}
