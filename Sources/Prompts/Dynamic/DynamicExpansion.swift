/// Lists every prompt that a dynamic prompt can become. The last part varies fastest, and equal texts are listed once.
///
/// Parts that request draws or an ordered walk are resolved later, for each prompt by its number.
package struct DynamicExpansion {
  private let lists: DynamicLists
  private var bytesLeft: Int
  private var workLeft = 20_000_000
  /// The number of parts that are resolved later.
  private var laterCount = 0
  /// The seed for parts that request draws.
  private let seed: Int64
  private let stream: UInt64

  /// Creates an expansion.
  ///
  /// - Parameters:
  ///   - lists: The lists that the prompt's wildcards name.
  ///   - bytesLeft: The limit for the length of all texts together, including those of parts.
  ///   - seed: The seed for parts that request draws.
  ///   - stream: Distinguishes the texts of one seed.
  package init(lists: DynamicLists, bytesLeft: Int = 256 << 20, seed: Int64 = 0, stream: UInt64 = 0) {
    self.lists = lists
    self.bytesLeft = bytesLeft
    self.seed = seed
    self.stream = stream
  }

  /// The first prompts, at most `limit`.
  package mutating func prompts(of prompt: DynamicPrompt, limit: Int) throws(DynamicPromptError) -> [String] {
    try texts(of: prompt.root, DynamicScope(), limit: limit)
  }

  mutating func texts(
    of node: DynamicNode, _ scope: DynamicScope, limit: Int
  ) throws(DynamicPromptError) -> [String] {
    var seen: Set<[UInt8]> = []
    var texts: [String] = []
    // Equal texts are dropped, so more must be made than are requested; each round makes more.
    var wanted = limit
    while true {
      let outcomes = try outcomes(of: node, scope, wanted)
      texts = []
      seen = []
      for (number, outcome) in outcomes.enumerated() {
        let text = resolved(outcome, number)
        if texts.count < limit, seen.insert(Array(text.utf8)).inserted { texts.append(text) }
      }
      guard texts.count < limit, outcomes.count == wanted else { return texts }
      wanted = wanted.multipliedReportingOverflow(by: 4).overflow ? Int.max : wanted * 4
    }
  }

  private func resolved(_ outcome: Outcome, _ number: Int) -> String {
    guard !outcome.later.isEmpty else { return outcome.text }
    var resolver = DynamicResolver(
      lists: lists, draws: DynamicDraws(seed: seed &+ Int64(number), stream: stream), number: number)
    var bytes: [UInt8] = []
    var start = 0
    let text = Array(outcome.text.utf8)
    for later in outcome.later {
      bytes += text[start..<later.offset]
      start = later.offset
      bytes += resolver.text(of: later.node, later.scope, .random).utf8
    }
    return String(decoding: bytes + text[start...], as: UTF8.self)
  }

  // MARK: Parts

  /// A text, and its parts that are resolved later.
  private struct Outcome {
    var text = ""
    var later: [Later] = []

    struct Later {
      /// Its position in the text, in bytes.
      var offset: Int
      var node: DynamicNode
      var scope: DynamicScope
      var number: Int
    }

    mutating func append(_ other: Outcome) {
      let count = text.utf8.count
      text += other.text
      for var part in other.later {
        part.offset += count
        later.append(part)
      }
    }

    /// Equal outcomes become equal texts.
    var key: [UInt8] {
      var key = Array(text.utf8)
      for part in later { key += "\u{0}\(part.offset):\(part.number)".utf8 }
      return key
    }
  }

  private mutating func spend(_ bytes: Int) throws(DynamicPromptError) {
    bytesLeft -= bytes
    workLeft -= 1
    guard bytesLeft >= 0, workLeft >= 0 else {
      throw DynamicPromptError("found too many and too long combinations, expected fewer or a lower limit", at: 0)
    }
  }

  /// The first outcomes of a part, at most `limit`.
  private mutating func outcomes(
    of node: DynamicNode, _ scope: DynamicScope, _ limit: Int
  ) throws(DynamicPromptError) -> [Outcome] {
    if let sampling = node.sampling, sampling != .combinatorial {
      laterCount += 1
      return [Outcome(later: [Outcome.Later(offset: 0, node: node, scope: scope, number: laterCount)])]
    }
    switch node {
    case .text(let text): return [Outcome(text: text)]
    case .sequence(let assignments, let parts):
      return try settings(assignments[...], scope, limit) { (expansion, scope, limit) throws(DynamicPromptError) in
        try expansion.product(of: parts.map { ($0, scope) }, limit)
      }
    case .variants(let variants): return try outcomes(of: variants, scope, limit)
    case .wildcard(let wildcard):
      var outcomes: [Outcome] = []
      for path in try texts(of: wildcard.path, scope, limit: limit) where outcomes.count < limit {
        guard let list = lists[DynamicList.name(path)] else {
          outcomes.append(Outcome(text: wildcard.text))
          continue
        }
        outcomes += try settings(wildcard.parameters[...], scope, limit - outcomes.count) {
          (expansion, scope, limit) throws(DynamicPromptError) in
          var outcomes: [Outcome] = []
          for entry in list.entries where outcomes.count < limit {
            outcomes += try expansion.outcomes(of: entry.prompt.root, scope, limit - outcomes.count)
            try expansion.spend(outcomes.last?.text.utf8.count ?? 0)
          }
          return outcomes
        }
      }
      return outcomes
    case .variable(let name, let fallback, _):
      guard let value = scope.values[name] ?? fallback else { return [Outcome()] }
      return try outcomes(of: value, scope, limit)
    case .wrap(let wrapper, let inner):
      var outcomes: [Outcome] = []
      for outside in try texts(of: wrapper, scope, limit: limit) {
        for inside in try texts(of: inner, scope, limit: limit - outcomes.count) where outcomes.count < limit {
          let text = DynamicEllipsis.filled(outside, with: inside)
          try spend(text.utf8.count)
          outcomes.append(Outcome(text: text))
        }
      }
      return outcomes
    case .once(let node): return try outcomes(of: node, scope, limit)
    }
  }

  private typealias Body = (inout DynamicExpansion, DynamicScope, Int) throws(DynamicPromptError) -> [Outcome]

  /// The outcomes of `body` for each value of the variables that are assigned immediately. The first variable varies slowest.
  private mutating func settings(
    _ assignments: ArraySlice<DynamicAssignment>, _ scope: DynamicScope, _ limit: Int, _ body: Body
  ) throws(DynamicPromptError) -> [Outcome] {
    guard let assignment = assignments.first else { return try body(&self, scope, limit) }
    let rest = assignments.dropFirst()
    if assignment.keepsOld, scope.values[assignment.name] != nil { return try settings(rest, scope, limit, body) }
    guard assignment.isImmediate else {
      return try settings(rest, scope.setting(assignment.name, to: assignment.value), limit, body)
    }
    var outcomes: [Outcome] = []
    for value in try texts(of: assignment.value, scope, limit: limit) where outcomes.count < limit {
      outcomes += try settings(
        rest, scope.setting(assignment.name, to: .text(value)), limit - outcomes.count, body)
    }
    return outcomes
  }

  /// All combinations of outcomes of consecutive parts.
  private mutating func product(
    of parts: [(node: DynamicNode, scope: DynamicScope)], _ limit: Int
  ) throws(DynamicPromptError) -> [Outcome] {
    var choices: [[Outcome]] = []
    // The number of combinations of the later parts: the more there are, the fewer outcomes of this part are needed.
    var later = 1
    for part in parts.reversed() {
      let needed = max(1, (limit - 1) / later + 1)
      let outcomes = try outcomes(of: part.node, part.scope, needed)
      choices.append(outcomes)
      let (product, overflow) = later.multipliedReportingOverflow(by: outcomes.count)
      later = overflow ? limit : min(limit, product)
      if outcomes.isEmpty { return [] }
    }
    choices.reverse()
    var results: [Outcome] = []
    var indices = [Int](repeating: 0, count: choices.count)
    while results.count < limit {
      var result = Outcome()
      for (choice, index) in zip(choices, indices) { result.append(choice[index]) }
      try spend(result.text.utf8.count)
      results.append(result)
      guard Self.advance(&indices, over: choices) else { break }
    }
    return results
  }

  /// Moves to the next combination; the last part varies fastest. Returns false after the last combination.
  private static func advance(_ indices: inout [Int], over choices: [[Outcome]]) -> Bool {
    guard let moved = indices.indices.last(where: { indices[$0] + 1 < choices[$0].count }) else { return false }
    indices[moved] += 1
    for index in indices.indices where index > moved { indices[index] = 0 }
    return true
  }

  // MARK: Variants

  private mutating func outcomes(
    of variants: DynamicVariants, _ scope: DynamicScope, _ limit: Int
  ) throws(DynamicPromptError) -> [Outcome] {
    if variants.hasBounds, let wildcard = variants.onlyWildcard, wildcard.sampling == nil {
      var results: [Outcome] = []
      for path in try texts(of: wildcard.path, scope, limit: limit) where results.count < limit {
        guard let list = lists[DynamicList.name(path)] else { continue }
        results += try settings(wildcard.parameters[...], scope, limit - results.count) {
          (expansion, scope, limit) throws(DynamicPromptError) in
          try expansion.choices(variants, list.options, scope, limit)
        }
      }
      return results
    }
    return try choices(variants, variants.options, scope, limit)
  }

  private mutating func choices(
    _ variants: DynamicVariants, _ options: [DynamicVariants.Option], _ scope: DynamicScope, _ limit: Int
  ) throws(DynamicPromptError) -> [Outcome] {
    var results: [Outcome] = []
    var seen: Set<[[UInt8]]> = []
    var known: [Int: [Outcome]] = [:]
    for size in variants.bounds(options.count) {
      var orders = OrderWalk(count: options.count, size: size)
      while results.count < limit, let order = orders.next() {
        try spend(0)
        for index in order where known[index] == nil {
          known[index] = try outcomes(of: options[index].node, scope, limit)
        }
        let choices = order.compactMap { known[$0] }
        guard choices.allSatisfy({ !$0.isEmpty }) else { continue }
        var indices = [Int](repeating: 0, count: size)
        while results.count < limit {
          let parts = zip(choices, indices).map { $0[$1] }
          let keys = parts.map(\.key)
          try spend(0)
          // Here equal texts are not taken together, but equal choices are listed once.
          if Set(keys).count == size, seen.insert(keys).inserted {
            let result = Self.joined(parts, variants.separator)
            try spend(result.text.utf8.count)
            results.append(result)
          }
          guard Self.advance(&indices, over: choices) else { break }
        }
      }
    }
    return results
  }

  private static func joined(_ parts: [Outcome], _ separator: String) -> Outcome {
    if parts.count == 1 { return parts[0] }
    if parts.allSatisfy(\.later.isEmpty) {
      return Outcome(text: parts.isEmpty ? "" : DynamicEllipsis.joined(parts.map(\.text), separator))
    }
    var result = Outcome()
    for (index, part) in parts.enumerated() {
      if index > 0 { result.append(Outcome(text: separator)) }
      result.append(part)
    }
    return result
  }
}

/// Goes through the orders in which `size` of `count` options can be taken.
private struct OrderWalk {
  private let count: Int
  private let size: Int
  private var order: [Int] = []
  private var isUsed: [Bool]
  private var isFirst = true

  init(count: Int, size: Int) {
    self.count = count
    self.size = size
    isUsed = Array(repeating: false, count: count)
  }

  mutating func next() -> [Int]? {
    if isFirst {
      isFirst = false
      order = Array(0..<size)
      for index in order { isUsed[index] = true }
      return order
    }
    // Put options back until one can be replaced by a later one, then take the first remaining ones.
    while let last = order.popLast() {
      isUsed[last] = false
      guard let next = (last + 1..<count).first(where: { !isUsed[$0] }) else { continue }
      order.append(next)
      isUsed[next] = true
      var free = 0
      while order.count < size {
        while isUsed[free] { free += 1 }
        order.append(free)
        isUsed[free] = true
      }
      return order
    }
    return nil
  }
}
