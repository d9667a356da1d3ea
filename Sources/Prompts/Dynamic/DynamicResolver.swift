/// Resolves a dynamic prompt to one text, by draws or in order.
///
/// `DynamicMeasure` has checked the prompt: everything that it names exists, and its size is limited.
package struct DynamicResolver {
  private let lists: DynamicLists
  private var draws: DynamicDraws
  /// The number of the image, for parts that go through their values in order.
  private let number: Int

  /// Creates a resolver for one image.
  ///
  /// - Parameters:
  ///   - lists: The lists that the prompt's wildcards name.
  ///   - draws: The image's draws.
  ///   - number: The number of the image, from 0.
  package init(lists: DynamicLists, draws: DynamicDraws, number: Int) {
    self.lists = lists
    self.draws = draws
    self.number = number
  }

  /// Resolves the prompt by draws, except for parts that request an ordered walk.
  package mutating func drawn(_ prompt: DynamicPrompt) -> String { text(of: prompt.root, DynamicScope(), .random) }

  /// The prompt for the image's number in an ordered walk, except for parts that request draws.
  package mutating func walked(_ prompt: DynamicPrompt) -> String { text(of: prompt.root, DynamicScope(), .cyclical) }

  mutating func text(of node: DynamicNode, _ scope: DynamicScope, _ sampling: DynamicSampling) -> String {
    var text = ""
    append(node, scope, Way(sampling: sampling, number: number), to: &text)
    return text
  }

  private struct Way {
    var sampling: DynamicSampling
    /// How many times the part was resolved before; needed only for parts that go through their values in order.
    var number: Int

    /// The way of a part inside of another part.
    func of(_ node: DynamicNode, _ image: Int) -> Way {
      switch (node.sampling, sampling) {
      case (.random, _): Way(sampling: .random, number: image)
      case (.cyclical, .random): Way(sampling: .cyclical, number: image)
      default: self
      }
    }
  }

  private mutating func append(_ node: DynamicNode, _ scope: DynamicScope, _ outer: Way, to text: inout String) {
    let way = outer.of(node, number)
    switch node {
    case .text(let literal): text += literal
    case .sequence(let assignments, let parts):
      let scope = setting(assignments, scope, way)
      for part in parts { append(part, scope, way, to: &text) }
    case .variants(let variants): append(variants, scope, way, to: &text)
    case .wildcard(let wildcard):
      guard let list = list(wildcard, scope, way) else {
        text += wildcard.text
        return
      }
      let inner = setting(wildcard.parameters, scope, way)
      switch way.sampling {
      case .random, .combinatorial: append(list.draw(&draws), inner, way, to: &text)
      case .cyclical:
        let (round, index) = way.number.quotientAndRemainder(dividingBy: list.entries.count)
        append(list.entries[index].prompt.root, inner, Way(sampling: .cyclical, number: round), to: &text)
      }
    case .variable(let name, let fallback, _):
      if let value = scope.values[name] ?? fallback { append(value, scope, way, to: &text) }
    case .wrap(let wrapper, let inner):
      var outside = ""
      var inside = ""
      append(wrapper, scope, way, to: &outside)
      append(inner, scope, way, to: &inside)
      text += DynamicEllipsis.filled(outside, with: inside)
    case .once(let node): append(node, scope, way, to: &text)
    }
  }

  private mutating func setting(_ assignments: [DynamicAssignment], _ scope: DynamicScope, _ way: Way) -> DynamicScope {
    var scope = scope
    for assignment in assignments where !(assignment.keepsOld && scope.values[assignment.name] != nil) {
      var value = assignment.value
      if assignment.isImmediate {
        var text = ""
        append(value, scope, way, to: &text)
        value = .text(text)
      }
      scope = scope.setting(assignment.name, to: value)
    }
    return scope
  }

  private mutating func list(_ wildcard: DynamicWildcard, _ scope: DynamicScope, _ way: Way) -> DynamicList? {
    if case .text(let path) = wildcard.path { return lists[DynamicList.name(path)] }
    var path = ""
    append(wildcard.path, scope, way, to: &path)
    return lists[DynamicList.name(path)]
  }

  private mutating func append(_ variants: DynamicVariants, _ scope: DynamicScope, _ way: Way, to text: inout String) {
    var options = variants.options
    var scope = scope
    if variants.hasBounds, let wildcard = variants.onlyWildcard, let list = list(wildcard, scope, way) {
      scope = setting(wildcard.parameters, scope, way)
      options = list.options
    }
    let bounds = variants.bounds(options.count)
    switch way.sampling {
    case .random, .combinatorial:
      guard variants.hasBounds else {
        let index = options.count == 1 ? 0 : draws.index(weights: options.map(\.weight))
        append(options[index].node, scope, way, to: &text)
        return
      }
      let count = bounds.count == 1 ? bounds.lowerBound : bounds.lowerBound + draws.index(below: bounds.count)
      var chosen: [DynamicNode] = []
      if options.count == 1, count == 1 { chosen = [options.removeLast().node] }
      while chosen.count < count {
        chosen.append(options.remove(at: draws.index(weights: options.map(\.weight))).node)
      }
      append(joined: chosen, variants.separator, scope, way, to: &text)
    case .cyclical:
      let ranks = DynamicOrders(count: options.count, sizes: bounds)
      let (round, rank) = way.number.quotientAndRemainder(dividingBy: ranks.count)
      let inner = Way(sampling: .cyclical, number: round)
      append(joined: ranks[rank].map { options[$0].node }, variants.separator, scope, inner, to: &text)
    }
  }

  private mutating func append(
    joined nodes: [DynamicNode], _ separator: String, _ scope: DynamicScope, _ way: Way, to text: inout String
  ) {
    guard nodes.count != 1 else { return append(nodes[0], scope, way, to: &text) }
    var texts: [String] = []
    for node in nodes {
      var part = ""
      append(node, scope, way, to: &part)
      texts.append(part)
    }
    text += DynamicEllipsis.joined(texts, separator)
  }
}

/// How texts are joined.
enum DynamicEllipsis {
  /// The texts with a separator between them. Empty texts at the ends leave no separator there.
  static func joined(_ texts: [String], _ separator: String) -> String {
    guard texts.count != 1 else { return texts[0] }
    var bytes = Array(texts.joined(separator: separator).utf8)
    let separator = Array(separator.utf8)
    guard !separator.isEmpty else { return String(decoding: bytes, as: UTF8.self) }
    if bytes.starts(with: separator) { bytes.removeFirst(separator.count) }
    if bytes.count >= separator.count, bytes.suffix(separator.count).elementsEqual(separator) {
      bytes.removeLast(separator.count)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The characters that are an ellipsis, besides three dots or more.
  private static let signs: Set<Unicode.Scalar> = [
    "\u{1801}", "\u{2026}", "\u{22EE}", "\u{22EF}", "\u{22F0}", "\u{22F1}", "\u{FE19}",
  ]

  /// The text with `inner` inserted at its first ellipsis, or after it if it has none.
  static func filled(_ text: String, with inner: String) -> String {
    let scalars = Array(text.unicodeScalars)
    var index = 0
    while index < scalars.count {
      let isSign = signs.contains(scalars[index])
      let end = scalars[index...].firstIndex { isSign ? !signs.contains($0) : $0 != "." } ?? scalars.count
      if isSign || end - index >= 3 { return String(scalars[..<index]) + inner + String(scalars[end...]) }
      index = max(end, index + 1)
    }
    return text + inner
  }
}

/// The orders in which some of `count` options can be taken: fewer options first, then by their indices.
struct DynamicOrders {
  private let options: Int
  private let sizes: ClosedRange<Int>
  /// The number of orders, at most 2^53.
  let count: Int

  private static let most = 1 << 53

  init(count: Int, sizes: ClosedRange<Int>) {
    options = count
    self.sizes = sizes
    var total = 0
    for size in sizes {
      total = min(Self.most, total + Self.orders(of: size, from: count))
      if total == Self.most { break }
    }
    self.count = max(1, total)
  }

  private static func orders(of size: Int, from count: Int) -> Int {
    var orders = 1
    for factor in 0..<size {
      let (product, overflow) = orders.multipliedReportingOverflow(by: count - factor)
      guard !overflow, product < most else { return most }
      orders = product
    }
    return orders
  }

  /// The order of this rank.
  subscript(rank: Int) -> [Int] {
    var rank = rank
    for size in sizes {
      let orders = Self.orders(of: size, from: options)
      guard rank >= orders, size < sizes.upperBound else { return order(rank, size) }
      rank -= orders
    }
    return []
  }

  private func order(_ rank: Int, _ size: Int) -> [Int] {
    var left = Array(0..<options)
    var rank = rank
    var order: [Int] = []
    for index in 0..<size {
      let rest = Self.orders(of: size - index - 1, from: left.count - 1)
      order.append(left.remove(at: min(rank / rest, left.count - 1)))
      rank %= rest
    }
    return order
  }
}
