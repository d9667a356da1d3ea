/// Checks a dynamic prompt before it is resolved: everything that it names must exist, and no text that it may become may be
/// too long. Counts its prompts without making them.
package struct DynamicMeasure {
  /// Finds the list for a name or pattern; nil if there is none.
  package typealias Finder = (_ name: String, _ offset: Int, _ entry: Int?) throws(DynamicPromptError) -> DynamicList?

  /// The longest text that a prompt may become, in bytes of UTF-8.
  package static let lengthLimit = 4 << 20
  /// The most parts that are examined.
  private static let workLimit = 4_000_000
  /// The deepest nesting of parts, through lists and variables.
  private static let depthLimit = 200
  /// The most names that a wildcard's path may become.
  private static let pathLimit = 1000

  private let find: Finder
  /// What messages say is expected instead of a wildcard without a list.
  private let expectation: String
  /// The lists that the prompts name.
  package private(set) var lists: DynamicLists = [:]
  private var work = 0
  private var depth = 0
  /// The wildcards and variables that are being examined.
  private var openLists: [String] = []
  private var openVariables: Set<String> = []
  private var entry: Int?
  private var known: [Key: Size] = [:]

  private struct Key: Hashable {
    var scope: ObjectIdentifier
    var isList: Bool
    var name: String
  }

  /// How long a part may become, and how many texts it may become.
  package struct Size {
    /// The longest text in bytes.
    package var length = 0
    /// The number of texts, counting equal ones separately.
    package var count = 1.0
  }

  /// Creates a measure that finds lists with a function.
  ///
  /// - Parameters:
  ///   - expectation: What messages say is expected instead of a wildcard without a list.
  ///   - find: Finds a list.
  package init(expectation: String = "one", find: @escaping Finder) {
    self.find = find
    self.expectation = expectation
  }

  /// Measures a prompt; its lists are in `lists` afterwards.
  package mutating func size(of prompt: DynamicPrompt) throws(DynamicPromptError) -> Size {
    known = [:]
    scopes = []
    work = 0
    (depth, openLists, openVariables, entry) = (0, [], [], nil)
    let scope = DynamicScope()
    scopes.append(scope)
    let size = try size(of: prompt.root, scope)
    guard size.length <= Self.lengthLimit else {
      throw DynamicPromptError(
        "found a prompt that may become longer than \(Self.lengthLimit) bytes, expected a shorter one", at: 0)
    }
    return size
  }

  /// Keeps scopes alive while their identities are used as keys.
  private var scopes: [DynamicScope] = []

  private mutating func size(of node: DynamicNode, _ scope: DynamicScope) throws(DynamicPromptError) -> Size {
    work += 1
    depth += 1
    defer { depth -= 1 }
    guard work <= Self.workLimit else {
      throw DynamicPromptError("found too many variants and list entries, expected fewer", at: 0, in: entry)
    }
    guard depth <= Self.depthLimit else {
      throw DynamicPromptError(
        "found more than \(Self.depthLimit) nested variants, lists and variables, expected fewer", at: 0, in: entry)
    }
    switch node {
    case .text(let text): return Size(length: text.utf8.count)
    case .sequence(let assignments, let parts):
      var total = Size()
      let scope = try setting(assignments, scope, &total)
      for part in parts { total.add(try size(of: part, scope)) }
      return total
    case .variants(let variants): return try size(of: variants, scope)
    case .wildcard(let wildcard): return try size(of: wildcard, scope)
    case .variable(let name, let fallback, let offset): return try variable(name, fallback, offset, scope)
    case .wrap(let wrapper, let inner):
      var total = try size(of: wrapper, scope)
      total.add(try size(of: inner, scope))
      return total
    case .once(let node):
      var size = try size(of: node, scope)
      size.count = 1
      return size
    }
  }

  private mutating func setting(
    _ assignments: [DynamicAssignment], _ scope: DynamicScope, _ total: inout Size
  ) throws(DynamicPromptError) -> DynamicScope {
    guard !assignments.isEmpty else { return scope }
    var scope = scope
    for assignment in assignments where !(assignment.keepsOld && scope.values[assignment.name] != nil) {
      if assignment.isImmediate { total.count *= try size(of: assignment.value, scope).count }
      scope = scope.setting(
        assignment.name, to: assignment.isImmediate ? .once(assignment.value) : assignment.value)
      scopes.append(scope)
    }
    return scope
  }

  private mutating func variable(
    _ name: String, _ fallback: DynamicNode?, _ offset: Int, _ scope: DynamicScope
  ) throws(DynamicPromptError) -> Size {
    guard let value = scope.values[name] else {
      guard let fallback else {
        throw DynamicPromptError(
          "found the variable ${\(name)}, which is not set, expected ${\(name)=value} before it or a default as in "
            + "${\(name):value}", at: offset, in: entry)
      }
      return try size(of: fallback, scope)
    }
    let key = Key(scope: ObjectIdentifier(scope), isList: false, name: name)
    if let size = known[key] { return size }
    guard openVariables.insert(name).inserted else {
      throw DynamicPromptError(
        "found the variable ${\(name)} in its own value, expected it outside", at: offset, in: entry)
    }
    let size = try size(of: value, scope)
    openVariables.remove(name)
    known[key] = size
    return size
  }

  // MARK: Wildcards

  private mutating func size(of wildcard: DynamicWildcard, _ scope: DynamicScope) throws(DynamicPromptError) -> Size {
    var total = Size(length: 0, count: 0)
    for list in try found(wildcard, scope) {
      guard let list else {
        total.length = max(total.length, wildcard.text.utf8.count)
        total.count += 1
        continue
      }
      var parameters = Size()
      let inner = try setting(wildcard.parameters, scope, &parameters)
      let size = try size(of: list, inner, wildcard.offset)
      total.length = max(total.length, size.length)
      total.count += size.count * parameters.count
    }
    return total
  }

  /// The names that a wildcard's path may become, with their lists. The list is nil for a name that is plain text.
  private mutating func found(
    _ wildcard: DynamicWildcard, _ scope: DynamicScope
  ) throws(DynamicPromptError) -> [String?] {
    var names: [String?] = []
    for path in try paths(wildcard, scope) {
      let name = DynamicList.name(path)
      if lists[name] == nil {
        guard let list = try find(name, wildcard.offset, entry) else {
          guard wildcard.isGlued else {
            throw DynamicPromptError(
              "found no list for __\(name)__, expected \(expectation)", at: wildcard.offset, in: entry)
          }
          names.append(nil)
          continue
        }
        lists[name] = list
      }
      names.append(name)
    }
    return names
  }

  private mutating func paths(
    _ wildcard: DynamicWildcard, _ scope: DynamicScope
  ) throws(DynamicPromptError) -> [String] {
    if case .text(let path) = wildcard.path { return [path] }
    // Finds the lists and variables that the path uses.
    let size = try size(of: wildcard.path, scope)
    guard size.count <= Double(Self.pathLimit) else {
      throw DynamicPromptError(
        "found a wildcard that may name more than \(Self.pathLimit) lists, expected fewer", at: wildcard.offset,
        in: entry)
    }
    var expansion = DynamicExpansion(lists: lists, bytesLeft: 1 << 20)
    return try expansion.texts(of: wildcard.path, scope, limit: Self.pathLimit)
  }

  private mutating func size(
    of name: String, _ scope: DynamicScope, _ offset: Int
  ) throws(DynamicPromptError) -> Size {
    let key = Key(scope: ObjectIdentifier(scope), isList: true, name: name)
    if let size = known[key] { return size }
    guard !openLists.contains(name) else {
      let way = (openLists + [name]).map { "__\($0)__" }.joined(separator: " → ")
      throw DynamicPromptError("found a list that includes itself (\(way)), expected none", at: offset, in: entry)
    }
    openLists.append(name)
    let outer = entry
    defer {
      openLists.removeLast()
      entry = outer
    }
    var total = Size(length: 0, count: 0)
    for item in lists[name]?.entries ?? [] {
      entry = item.number
      let size = try size(of: item.prompt.root, scope)
      total.length = max(total.length, size.length)
      total.count += size.count
    }
    known[key] = total
    return total
  }

  // MARK: Variants

  private mutating func size(of variants: DynamicVariants, _ scope: DynamicScope) throws(DynamicPromptError) -> Size {
    var sizes: [Size] = []
    var factor = 1.0
    if variants.hasBounds, let wildcard = variants.onlyWildcard {
      for case let name? in try found(wildcard, scope) {
        var parameters = Size()
        let inner = try setting(wildcard.parameters, scope, &parameters)
        factor = parameters.count
        _ = try size(of: name, inner, wildcard.offset)
        let outer = entry
        for item in lists[name]?.entries ?? [] {
          entry = item.number
          sizes.append(try size(of: item.prompt.root, inner))
        }
        entry = outer
      }
    }
    if sizes.isEmpty {
      for option in variants.options { sizes.append(try size(of: option.node, scope)) }
    }
    let bounds = variants.bounds(sizes.count)
    let longest = sizes.map(\.length).sorted(by: >).prefix(bounds.upperBound)
    var total = Size(length: variants.separator.utf8.count * bounds.upperBound, count: 0)
    for length in longest { total.length = total.length.saturatingSum(length) }
    total.count = factor * Self.orders(sizes.map(\.count), bounds)
    return total
  }

  /// How many ordered selections of options there are, counting the texts of each option.
  static func orders(_ counts: [Double], _ bounds: ClosedRange<Int>) -> Double {
    if bounds == 1...1 { return counts.reduce(0, +) }
    // The elementary symmetric polynomials of the counts. More than this many options are taken far too rarely to matter.
    let most = min(bounds.upperBound, 64)
    guard bounds.lowerBound <= most else { return .infinity }
    var sums = [1.0] + [Double](repeating: 0, count: most)
    for count in counts {
      for size in stride(from: most, to: 0, by: -1) { sums[size] += sums[size - 1] * count }
    }
    var factorial = 1.0
    var total = 0.0
    for size in 0...most {
      if size > 0 { factorial *= Double(size) }
      if bounds.contains(size) { total += sums[size] * factorial }
    }
    return most < bounds.upperBound ? .infinity : total
  }
}

extension DynamicMeasure.Size {
  fileprivate mutating func add(_ other: DynamicMeasure.Size) {
    length = length.saturatingSum(other.length)
    count *= other.count
  }
}

extension Int {
  fileprivate func saturatingSum(_ other: Int) -> Int {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
