/// What a prompt says at each call of the model: `[from:to:when]` and `[a|b]` replaced by what counts then.
///
/// Source: the prompt editing of stable-diffusion-webui 1.10.1, with the timelines of that version and of 1.5.1.
public struct PromptSchedule: Hashable, Sendable {
  /// A text and how long it counts.
  public struct Entry: Hashable, Sendable {
    /// The last call that the text is for, from 0: the webui includes it.
    public var end: Int
    /// The prompt with its editing done; emphasis and `BREAK` stand there as they were.
    public var text: String

    /// A text with its end.
    public init(end: Int, text: String) {
      self.end = end
      self.text = text
    }
  }

  /// The entries by rising ends, at least one; neighbours may have the same text.
  public let entries: [Entry]

  /// Reads `prompt`.
  ///
  /// What is no prompt editing as a whole, such as a `|` outside of square brackets, is text from end to end.
  ///
  /// - Parameters:
  ///   - prompt: One part of a prompt, or a negative prompt.
  ///   - calls: The calls that the sampler makes as the webui reckons them: the steps, or twice as many for samplers of
  ///     second order. At least 1.
  ///   - usesOldTimelines: Whether a `when` below 1 is a fraction of the calls and any other a number of them; otherwise
  ///     those with a point are fractions.
  ///   - callsBefore: The calls of the pass before this one: numbers go on from there, and fractions from 1. Old timelines
  ///     begin again, and go by that pass's calls. Nothing for the first pass.
  public init(_ prompt: String, calls: Int, usesOldTimelines: Bool = false, callsBefore: Int? = nil) {
    let calls = usesOldTimelines ? callsBefore ?? calls : calls
    let scalars = Array(prompt.unicodeScalars)
    // Most prompts have no editing, and then every way to read them gives the text.
    guard scalars.contains("["), let tree = EditingParser(scalars).parsed() else {
      entries = [Entry(end: calls, text: prompt)]
      return
    }
    let timeline = Timeline(
      tree: tree, calls: calls, usesOldTimelines: usesOldTimelines, callsBefore: usesOldTimelines ? nil : callsBefore)
    entries = timeline.ends.map { Entry(end: $0, text: timeline.text(at: $0)) }
  }

  /// The place in `entries` of what counts at a call of the model, counted from 0; the first after all have ended.
  public func index(atCall call: Int) -> Int { entries.firstIndex { call <= $0.end } ?? 0 }
}

/// A prompt as nested editing; children are places in `nodes`, so that deep nesting needs no deep stack.
struct EditingTree {
  enum Node {
    case text(ArraySlice<Unicode.Scalar>)
    /// `before` counts through `when`, then `after`.
    case scheduled(before: [Int], after: [Int], when: When)
    case alternate([[Int]])
  }

  /// The number of `[from:to:when]`.
  struct When {
    let value: Double
    let hasPoint: Bool

    /// The last boundary of what stands before, at most `calls`.
    func end(calls: Int, usesOldTimelines: Bool, callsBefore: Int?) -> Int {
      let isFraction = usesOldTimelines ? value < 1 : hasPoint
      let start: Double = callsBefore.map { isFraction ? 1 : Double($0) } ?? 0
      let end = isFraction ? (value - start) * Double(calls) : value - start
      // Conversion drops the fraction; the bounds keep it in range.
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

  /// Where the text may change, and the end of it all.
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
    while let place = waiting.popLast() {
      switch tree.nodes[place] {
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
/// The webui has a grammar with ambiguities: outside of all syntax any bracket and colon may also be text. Inside they may
/// not, so which brackets belong together is never in doubt, and a pair whose inside fits no rule makes text of itself
/// and of every bracket that is open around it. What is left is syntax.
struct EditingParser {
  private let scalars: [Unicode.Scalar]
  private var tree = EditingTree(nodes: [], root: [])
  private var open: [Bracket] = []

  /// A bracket that is not closed yet, with what stands between its separators.
  private struct Bracket {
    let place: Int
    var parts: [[Int]] = [[]]
    var separators: [Int] = []
  }

  init(_ scalars: [Unicode.Scalar]) { self.scalars = scalars }

  /// Nothing for a prompt that the grammar has no way to read.
  consuming func parsed() -> EditingTree? {
    var place = 0
    while place < scalars.count {
      switch scalars[place] {
      case "\\":
        // A backslash goes with whatever follows in its line.
        guard place + 1 < scalars.count, scalars[place + 1] != "\n" else { return nil }
        append(place..<(place + 2))
        place += 1
      case "(", "[": open.append(Bracket(place: place))
      case ")", "]": guard close(at: place) else { return nil }
      case ":", "|":
        if !open.isEmpty {
          open[open.count - 1].separators.append(place)
          open[open.count - 1].parts.append([])
        } else if scalars[place] == ":" {
          append(place..<(place + 1))
        } else {
          return nil
        }
      default:
        let end = scalars[place...].firstIndex { Self.syntax.contains($0) } ?? scalars.count
        append(place..<end)
        place = end - 1
      }
      place += 1
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

  /// False where the prompt cannot be read.
  private mutating func close(at place: Int) -> Bool {
    guard let bracket = open.last, scalars[bracket.place] == (scalars[place] == ")" ? "(" : "["),
      let nodes = nodes(of: bracket, closedAt: place)
    else {
      guard flatten() else { return false }
      append(place..<(place + 1))
      return true
    }
    open.removeLast()
    append(nodes)
    return true
  }

  /// What a pair of brackets stands for; nothing where its inside fits no rule.
  private mutating func nodes(of bracket: Bracket, closedAt end: Int) -> [Int]? {
    let colons = bracket.separators.count { scalars[$0] == ":" }
    let bars = bracket.separators.count - colons
    let isSquare = scalars[bracket.place] == "["
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
    let inside = scalars[(colon + 1)..<end].drop { $0.isBlank }
    guard let last = inside.lastIndex(where: { !$0.isBlank }) else { return nil }
    let number = inside[...last]
    let allowed = "+-.eE0123456789".unicodeScalars
    // Everything that `Double` takes of these is a number of the grammar, but for an infinity.
    guard number.allSatisfy({ allowed.contains($0) }), let value = Double(String(number)) else { return nil }
    return EditingTree.When(value: value, hasPoint: number.contains("."))
  }

  /// An open bracket and what it holds as it stands there, editing inside of it included.
  private mutating func literal(_ bracket: Bracket) -> [Int] {
    var nodes = [add(.text(scalars[bracket.place...bracket.place]))]
    for (index, part) in bracket.parts.enumerated() {
      if index > 0 {
        let place = bracket.separators[index - 1]
        nodes.append(add(.text(scalars[place...place])))
      }
      nodes += part
    }
    return nodes
  }

  /// Makes text of all open brackets; false where a bar would be left outside of them.
  private mutating func flatten() -> Bool {
    for bracket in open {
      guard !bracket.separators.contains(where: { scalars[$0] == "|" }) else { return false }
      tree.root += literal(bracket)
    }
    open = []
    return true
  }
}
