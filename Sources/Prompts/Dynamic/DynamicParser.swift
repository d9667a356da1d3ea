import Text

/// Reads a dynamic prompt in one pass, by scalars.
///
/// Everything that is not syntax is text: brackets, weights, tags and escapes of the prompt language stay as they are. The
/// scalar after a backslash is text. Bars between square brackets belong to alternation (`[a|b]`), not to variants.
struct DynamicParser {
  private let scalars: [Unicode.Scalar]
  private let hasWildcards: Bool
  /// For each `[`, the index of its `]` between the same braces, if there are braces at all.
  private let squares: [Int: Int]
  private var index = 0
  private var depth = 0

  /// The deepest nesting, because every way to resolve a prompt is recursive.
  static let depthLimit = 64
  /// The most variables that a prompt may set.
  private static let mostVariables = 1000
  /// The longest path of a wildcard, and the longest list of its parameters.
  private static let longestPath = 255
  private static let longestParameters = 4096

  init(_ text: String, hasWildcards: Bool) {
    scalars = Array(text.unicodeScalars)
    self.hasWildcards = hasWildcards
    squares = Self.squares(in: scalars)
  }

  mutating func parsed() throws(DynamicPromptError) -> DynamicNode { try sequence(until: .end, scalars.count) }

  /// What ends a sequence.
  private enum Ending {
    /// The end of the text.
    case end
    /// A `|` or `}`.
    case option
    /// A `}`.
    case brace
    /// A `$$`.
    case dollars
    /// A comma.
    case comma
  }

  // MARK: Sequences

  /// Reads up to the ending, which is not consumed.
  private mutating func sequence(until ending: Ending, _ limit: Int) throws(DynamicPromptError) -> DynamicNode {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.depthLimit else {
      throw DynamicPromptError("found more than \(Self.depthLimit) nested levels, expected fewer", at: index)
    }
    var assignments: [DynamicAssignment] = []
    var parts: [DynamicNode] = []
    var literal = String.UnicodeScalarView()
    var squareEnd = 0
    func flush() {
      if !literal.isEmpty { parts.append(.text(String(literal))) }
      literal = String.UnicodeScalarView()
    }
    reading: while index < limit {
      let scalar = scalars[index]
      switch (scalar, ending) {
      case ("}", .option), ("}", .brace), (",", .comma): break reading
      case ("|", .option) where index >= squareEnd: break reading
      case ("$", .dollars) where isNext("$", limit): break reading
      case ("\\", _):
        literal.append(scalar)
        if index + 1 < limit { literal.append(scalars[index + 1]) }
        index += 2
      case ("{", _):
        flush()
        parts.append(try variants(limit))
      case ("$", _) where isNext("{", limit):
        flush()
        switch try variable(limit) {
        case .assignment(let assignment, let offset):
          guard ending == .end else {
            throw DynamicPromptError(
              "found a variable that is set inside other syntax, expected ${name=value} outside of it", at: offset)
          }
          assignments.append(assignment)
          guard assignments.count <= Self.mostVariables else {
            throw DynamicPromptError(
              "found more than \(Self.mostVariables) variables that are set, expected fewer", at: offset)
          }
        case .access(let node): parts.append(node)
        }
      case ("%", _) where isNext("{", limit):
        flush()
        parts.append(try wrap(limit))
      case ("_", _) where hasWildcards && isNext("_", limit):
        guard let extent = extent(ofWildcardAt: index, limit) else {
          literal.append(scalar)
          index += 1
          break
        }
        flush()
        parts.append(try wildcard(extent))
      default:
        if scalar == "[", ending == .option, let end = squares[index] { squareEnd = max(squareEnd, end) }
        literal.append(scalar)
        index += 1
      }
    }
    flush()
    index = min(index, limit)
    if assignments.isEmpty, parts.count < 2 { return parts.first ?? .empty }
    return .sequence(assignments, parts)
  }

  private func isNext(_ scalar: Unicode.Scalar, _ limit: Int) -> Bool {
    index + 1 < limit && scalars[index + 1] == scalar
  }

  private mutating func skipSpace(_ limit: Int) {
    while index < limit, PythonText.isSpace(scalars[index]) { index += 1 }
  }

  /// Consumes a scalar if it is next.
  private mutating func take(_ scalar: Unicode.Scalar, _ limit: Int) -> Bool {
    guard index < limit, scalars[index] == scalar else { return false }
    index += 1
    return true
  }

  private mutating func close(_ what: String, from start: Int, _ limit: Int) throws(DynamicPromptError) {
    guard take("}", limit) else {
      throw DynamicPromptError(
        "found \(what) without its closing brace, expected }; write \\{ for a brace that is text", at: start)
    }
  }

  // MARK: Variants

  private mutating func variants(_ limit: Int) throws(DynamicPromptError) -> DynamicNode {
    let start = index
    index += 1
    var variants = DynamicVariants(options: [], offset: start)
    skipSpace(limit)
    if index < limit, let sampling = DynamicSampling(scalars[index]) {
      variants.sampling = sampling
      index += 1
    }
    readBounds(&variants, limit)
    repeat {
      let weight = try weight(limit)
      if weight == nil { skipSpace(limit) }
      let node = try sequence(until: .option, limit)
      variants.options.append(DynamicVariants.Option(node: node, weight: weight ?? 1))
    } while take("|", limit)
    try close("{", from: start, limit)
    if variants.options.contains(where: { $0.weight > 0 }) { return .variants(variants.merged) }
    throw DynamicPromptError("found only weights of 0, expected one above 0", at: start)
  }

  /// Reads `2$$`, `1-3$$`, `-3$$` or `2-$$`, and a separator with another `$$`.
  private mutating func readBounds(_ variants: inout DynamicVariants, _ limit: Int) {
    let start = index
    skipSpace(limit)
    let lower = number(limit)
    skipSpace(limit)
    let isRange = take("-", limit)
    skipSpace(limit)
    let upper = isRange ? number(limit) : nil
    skipSpace(limit)
    guard lower != nil || upper != nil, takeDollars(limit) else {
      index = start
      return
    }
    variants.hasBounds = true
    variants.least = lower ?? 1
    variants.most = isRange ? upper : lower
    let first = index
    while index < limit, !["$", "{", "}"].contains(scalars[index]) { index += 1 }
    let end = index
    if takeDollars(limit) {
      variants.separator = String(scalars[first..<end])
    } else {
      index = first
    }
  }

  private mutating func takeDollars(_ limit: Int) -> Bool {
    guard index + 1 < limit, scalars[index] == "$", scalars[index + 1] == "$" else { return false }
    index += 2
    return true
  }

  /// A whole number. A number that is too large for any list counts as the largest one.
  private mutating func number(_ limit: Int) -> Int? {
    let start = index
    while index < limit, ("0"..."9").contains(scalars[index]) { index += 1 }
    return index == start ? nil : Int(String(scalars[start..<index])) ?? Int.max
  }

  /// Reads white space and `0.5::`. If there is no weight, it consumes nothing.
  private mutating func weight(_ limit: Int) throws(DynamicPromptError) -> Double? {
    let start = index
    skipSpace(limit)
    let first = index
    while index < limit, ("0"..."9").contains(scalars[index]) || scalars[index] == "." { index += 1 }
    let text = String(scalars[first..<index])
    guard index + 1 < limit, scalars[index] == ":", scalars[index + 1] == ":", let weight = Self.decimal(text) else {
      index = start
      return nil
    }
    index += 2
    guard weight <= DynamicDraws.largestWeight else {
      throw DynamicPromptError("found a weight above 1e15, expected a smaller one", at: first)
    }
    return weight
  }

  /// Reads `1`, `1.5`, `1.` and `.5`.
  private static func decimal(_ text: String) -> Double? {
    let sides = text.split(separator: ".", omittingEmptySubsequences: false)
    guard sides.count < 3, sides.contains(where: { !$0.isEmpty }) else { return nil }
    return Double((sides[0].isEmpty ? "0" : sides[0]) + "." + (sides.count < 2 || sides[1].isEmpty ? "0" : sides[1]))
  }

  // MARK: Variables

  private enum Variable {
    case assignment(DynamicAssignment, Int)
    case access(DynamicNode)
  }

  private mutating func variable(_ limit: Int) throws(DynamicPromptError) -> Variable {
    let start = index
    index += 2
    skipSpace(limit)
    guard let name = name(limit) else {
      throw DynamicPromptError(
        "found ${ without a variable's name, expected ${name} or ${name=value}; write \\$ for a dollar that is text",
        at: start)
    }
    skipSpace(limit)
    let keepsOld = index + 1 < limit && scalars[index] == "?" && scalars[index + 1] == "="
    if keepsOld { index += 1 }
    if take("=", limit) {
      let isImmediate = take("!", limit)
      skipSpace(limit)
      let value = try sequence(until: .brace, limit)
      try close("${", from: start, limit)
      return .assignment(
        DynamicAssignment(name: name, value: value, isImmediate: isImmediate, keepsOld: keepsOld), start)
    }
    var fallback: DynamicNode?
    if take(":", limit) {
      skipSpace(limit)
      fallback = try sequence(until: .brace, limit)
    } else if index < limit, scalars[index] != "}" {
      throw DynamicPromptError(
        "found \(DynamicError.quoted(scalars[index])) after the variable \(name), expected =, : or }", at: index)
    }
    try close("${", from: start, limit)
    return .access(.variable(name: name, fallback: fallback, offset: start))
  }

  private mutating func name(_ limit: Int) -> String? {
    func isPart(_ scalar: Unicode.Scalar) -> Bool {
      scalar.isASCII
        && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || scalar == "_" || scalar == "-")
    }
    let start = index
    guard index < limit, !("0"..."9").contains(scalars[index]) else { return nil }
    while index < limit, isPart(scalars[index]) { index += 1 }
    return index == start ? nil : String(scalars[start..<index])
  }

  // MARK: Wrapping

  private mutating func wrap(_ limit: Int) throws(DynamicPromptError) -> DynamicNode {
    let start = index
    index += 2
    skipSpace(limit)
    let wrapper = try sequence(until: .dollars, limit)
    guard takeDollars(limit) else {
      throw DynamicPromptError("found %{ without $$, expected %{before ... after$$text}", at: start)
    }
    skipSpace(limit)
    let inner = try sequence(until: .brace, limit)
    try close("%{", from: start, limit)
    return .wrap(wrapper: wrapper, inner: inner)
  }

  // MARK: Wildcards

  private struct Extent {
    var start: Int
    var path: Range<Int>
    var parameters: Range<Int>?
    var end: Int
  }

  /// The extent of a wildcard that starts here; nil if the underscores are text.
  private func extent(ofWildcardAt start: Int, _ limit: Int) -> Extent? {
    var first = start + 2
    guard first < limit, scalars[first] != "_" else { return nil }
    if DynamicSampling(scalars[first]) != nil { first += 1 }
    guard first < limit, !PythonText.isSpace(scalars[first]) else { return nil }
    let limit = min(limit, first + Self.longestPath + Self.longestParameters)
    var braces = 0
    var index = first
    while index < limit, index - first <= Self.longestPath {
      let scalar = scalars[index]
      switch scalar {
      case "{": braces += 1
      case "}":
        guard braces > 0 else { return nil }
        braces -= 1
      case _ where braces > 0: break
      case "_" where index + 1 < limit && scalars[index + 1] == "_":
        guard index > first, !PythonText.isSpace(scalars[index - 1]) else { return nil }
        return Extent(start: start, path: first..<index, parameters: nil, end: index + 2)
      case "(":
        guard index > first, let end = parametersEnd(from: index + 1, limit) else { return nil }
        var after = end + 1
        while after < limit, PythonText.isSpace(scalars[after]) { after += 1 }
        guard after + 1 < limit, scalars[after] == "_", scalars[after + 1] == "_" else { return nil }
        return Extent(start: start, path: first..<index, parameters: (index + 1)..<end, end: after + 2)
      case "|", ")", "<", ">", ":", ",", "\\", "\n", "\r": return nil
      default: break
      }
      index += 1
    }
    return nil
  }

  private func parametersEnd(from start: Int, _ limit: Int) -> Int? {
    var (braces, brackets) = (0, 0)
    for index in start..<max(start, limit) {
      switch scalars[index] {
      case "{": braces += 1
      case "}": braces -= 1
      case "(": brackets += 1
      case ")":
        if braces == 0, brackets == 0 { return index }
        brackets -= 1
      default: break
      }
      if braces < 0 { return nil }
    }
    return nil
  }

  private mutating func wildcard(_ extent: Extent) throws(DynamicPromptError) -> DynamicNode {
    let sampling = DynamicSampling(scalars[extent.path.lowerBound - 1])
    index = extent.path.lowerBound
    var pathEnd = extent.path.upperBound
    while pathEnd > index, PythonText.isSpace(scalars[pathEnd - 1]) { pathEnd -= 1 }
    let path = try sequence(until: .comma, pathEnd)
    var parameters: [DynamicAssignment] = []
    if let range = extent.parameters {
      index = range.lowerBound
      repeat { parameters.append(try parameter(range.upperBound)) } while take(",", range.upperBound)
    }
    index = extent.end
    let before = extent.start > 0 && PythonText.isWord(scalars[extent.start - 1])
    let after = index < scalars.count && PythonText.isWord(scalars[index])
    // The underscores of a following wildcard are not part of a word.
    let isNext = after && self.extent(ofWildcardAt: index, scalars.count) != nil && isNextUnderscores
    return .wildcard(
      DynamicWildcard(
        path: path, parameters: parameters, sampling: sampling,
        isGlued: (before && !endsWildcard(extent.start)) || (after && !isNext),
        text: String(scalars[extent.start..<extent.end]), offset: extent.start))
  }

  private var isNextUnderscores: Bool {
    index + 1 < scalars.count && scalars[index] == "_" && scalars[index + 1] == "_"
  }

  /// Whether two underscores end here, as at the end of a wildcard.
  private func endsWildcard(_ end: Int) -> Bool { end > 1 && scalars[end - 1] == "_" && scalars[end - 2] == "_" }

  private mutating func parameter(_ limit: Int) throws(DynamicPromptError) -> DynamicAssignment {
    skipSpace(limit)
    let start = index
    guard let name = name(limit) else {
      throw DynamicPromptError("found no parameter's name, expected one as in __list(name=value)__", at: start)
    }
    skipSpace(limit)
    guard take("=", limit) else {
      throw DynamicPromptError("found the parameter \(name) without a value, expected \(name)=value", at: start)
    }
    let isImmediate = take("!", limit)
    skipSpace(limit)
    let node = try sequence(until: .comma, limit)
    return DynamicAssignment(name: name, value: node.withoutSpaceAtEnd, isImmediate: isImmediate)
  }

  // MARK: Square brackets

  /// Pairs square brackets that are between the same braces.
  private static func squares(in scalars: [Unicode.Scalar]) -> [Int: Int] {
    guard scalars.contains("["), scalars.contains("{") else { return [:] }
    var pairs: [Int: Int] = [:]
    /// The open square brackets, with -1 for each open brace.
    var open: [Int] = []
    var index = 0
    while index < scalars.count {
      switch scalars[index] {
      case "\\": index += 1
      case "{": open.append(-1)
      case "}":
        while let last = open.popLast(), last >= 0 {}
      case "[": open.append(index)
      case "]":
        if let last = open.last, last >= 0 {
          pairs[last] = index
          open.removeLast()
        }
      default: break
      }
      index += 1
    }
    return pairs
  }
}

extension DynamicVariants {
  /// If more than one option is taken, equal texts are merged into one option, so that no text is taken twice.
  fileprivate var merged: DynamicVariants {
    guard hasBounds else { return self }
    var result = self
    result.options = []
    var indices: [String: Int] = [:]
    for option in options {
      guard case .text(let text) = option.node else {
        result.options.append(option)
        continue
      }
      if let index = indices[text] {
        result.options[index].weight += option.weight
      } else {
        indices[text] = result.options.count
        result.options.append(option)
      }
    }
    return result
  }
}

extension DynamicNode {
  /// Without white space at the end, if this is plain text.
  fileprivate var withoutSpaceAtEnd: DynamicNode {
    guard case .text(let text) = self else { return self }
    let scalars = Array(text.unicodeScalars)
    let end = scalars.lastIndex { !PythonText.isSpace($0) }.map { $0 + 1 } ?? 0
    return .text(String(scalars[..<end]))
  }
}

enum DynamicError {
  /// A scalar in the form for messages.
  static func quoted(_ scalar: Unicode.Scalar) -> String {
    scalar.properties.generalCategory == .control ? "a line end" : "\"\(scalar)\""
  }
}
