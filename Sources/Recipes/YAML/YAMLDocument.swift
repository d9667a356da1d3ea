/// Limits that protect against hostile files.
package struct YAMLLimits: Sendable {
  /// The size of the text.
  package var bytes = 8 << 20
  /// The depth of nested collections.
  package var depth = 64
  /// The number of scalars, lists, mappings and keys, with every alias expanded.
  package var nodes = 250_000
  /// The size of the text of all scalars, with every alias expanded.
  package var expandedBytes = 32 << 20
  /// The number of lines that start with `%`; libyaml compares every `%TAG` with all earlier ones.
  package var directives = 100

  package init() {}
}

/// The only document in a YAML text, read with libyaml's event parser.
package struct YAMLDocument: Sendable {
  /// The value; nil if the text has only comments.
  package let root: YAMLNode?
  /// Errors after which reading can continue: duplicate keys, bad merges and unknown tags.
  package let problems: [Diagnostic]

  /// Reads one document.
  ///
  /// - Parameters:
  ///   - text: UTF-8, with or without a byte order mark.
  ///   - limits: The limits of the text.
  ///   - position: Creates a node's position from its line and column.
  /// - Throws: One error, for a text that is not YAML, contains more than one document or exceeds a limit.
  package init(
    _ text: [UInt8], limits: YAMLLimits = YAMLLimits(),
    position: (_ line: Int, _ column: Int) -> SourcePosition
  ) throws(RecipeErrors) {
    guard text.count <= limits.bytes else {
      throw RecipeErrors(Self.tooLarge(text.count, limits: limits), at: position(0, 0))
    }
    let directives = Self.directives(in: text)
    guard directives <= limits.directives else {
      throw RecipeErrors(
        "found \(directives) YAML directives, expected \(limits.directives) at most", at: position(1, 1))
    }
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    guard let events = YAMLEventReader(text.starts(with: mark) ? text[mark.count...] : text[...]) else {
      throw RecipeErrors("not enough memory to read it", at: position(0, 0))
    }
    // The composer does not keep the closure after this call.
    (root, problems) = try withoutActuallyEscaping(position) { position throws(RecipeErrors) in
      var composer = YAMLComposer(events: events, limits: limits, position: position)
      return (try composer.document(), composer.problems)
    }
  }

  private static func directives(in text: [UInt8]) -> Int {
    var count = 0
    var before = UInt8(ascii: "\n")
    for byte in text {
      if byte == UInt8(ascii: "%"), before == UInt8(ascii: "\n") || before == UInt8(ascii: "\r") { count += 1 }
      before = byte
    }
    return count
  }

  static func tooLarge(_ count: Int?, limits: YAMLLimits) -> String {
    let size = count.map { "\($0)" } ?? "more than \(limits.bytes)"
    return "found a file of \(size) bytes, expected a recipe of \(limits.bytes) bytes at most"
  }
}

/// Builds nodes from events.
private struct YAMLComposer {
  let events: YAMLEventReader
  let limits: YAMLLimits
  let position: (_ line: Int, _ column: Int) -> SourcePosition
  var problems: [Diagnostic] = []

  private var anchors: [String: YAMLNode] = [:]
  /// Anchors of the collections that are being read.
  private var open: Set<String> = []
  private var nodes = 0
  private var bytes = 0

  init(
    events: YAMLEventReader, limits: YAMLLimits, position: @escaping (_ line: Int, _ column: Int) -> SourcePosition
  ) {
    self.events = events
    self.limits = limits
    self.position = position
  }

  mutating func document() throws(RecipeErrors) -> YAMLNode? {
    _ = try next()
    guard case .documentStart = try next().0 else { return nil }
    let (first, position) = try next()
    let root = try node(first, at: position, depth: 1)
    _ = try next()
    let (after, afterPosition) = try next()
    if case .documentStart = after {
      throw RecipeErrors("found a second document, expected one recipe per file", at: afterPosition)
    }
    return root
  }

  private mutating func next() throws(RecipeErrors) -> (YAMLEvent.Kind, SourcePosition) {
    do {
      let event = try events.next()
      return (event.kind, position(event.line, event.column))
    } catch {
      throw RecipeErrors("not valid YAML: \(error.message)", at: position(error.line, error.column))
    }
  }

  private mutating func node(
    _ event: YAMLEvent.Kind, at position: SourcePosition, depth: Int
  ) throws(RecipeErrors) -> YAMLNode {
    switch event {
    case .alias(let name): return try target(of: name, at: position, depth: depth)
    case .scalar(var scalar, let properties):
      try count(nodes: 1, bytes: scalar.text.utf8.count, at: position)
      if isText(properties.tag, at: position), !scalar.isQuoted { scalar.style = .doubleQuoted }
      return remember(YAMLNode(.scalar(scalar), at: position), properties)
    case .sequenceStart(let isFlow, let properties):
      try enter(properties, at: position, depth: depth)
      return remember(
        YAMLNode(.sequence(try items(depth: depth)), at: position, isFlow: isFlow), properties)
    case .mappingStart(let isFlow, let properties):
      try enter(properties, at: position, depth: depth)
      return remember(
        YAMLNode(.mapping(try entries(depth: depth)), at: position, isFlow: isFlow), properties)
    default:
      throw RecipeErrors("not valid YAML: found the end, expected a value", at: position)
    }
  }

  private mutating func items(depth: Int) throws(RecipeErrors) -> [YAMLNode] {
    var items: [YAMLNode] = []
    while true {
      let (event, position) = try next()
      if case .collectionEnd = event { return items }
      items.append(try node(event, at: position, depth: depth + 1))
    }
  }

  // MARK: Mappings

  private mutating func entries(depth: Int) throws(RecipeErrors) -> [YAMLEntry] {
    var entries: [YAMLEntry] = []
    var first: [String: SourcePosition] = [:]
    /// The indices where entries are merged in, and the mappings to merge.
    var merges: [(index: Int, sources: [YAMLNode])] = []
    while true {
      let (event, position) = try next()
      if case .collectionEnd = event { break }
      let key = try node(event, at: position, depth: depth + 1)
      let (valueEvent, valuePosition) = try next()
      let value = try node(valueEvent, at: valuePosition, depth: depth + 1)
      guard let name = key.scalar else {
        problem("found \(key.found) as a key, expected a name", at: position)
        continue
      }
      if name.text == "<<", !name.isQuoted {
        merges.append((entries.count, mergeSources(value)))
      } else if let first = first[name.text] {
        problem(
          "found the key \(Quoted.short(name.text)) twice, expected it once\(first.lineHint("the first is"))",
          at: position)
      } else {
        first[name.text] = position
        entries.append(YAMLEntry(key: name, keyPosition: position, value: value))
      }
    }
    return merges.isEmpty ? entries : merged(entries, merges, names: Set(first.keys))
  }

  /// Merges entries: the mapping's own entries take precedence, then those of earlier merges.
  private func merged(
    _ entries: [YAMLEntry], _ merges: [(index: Int, sources: [YAMLNode])], names: Set<String>
  ) -> [YAMLEntry] {
    var result: [YAMLEntry] = []
    var names = names
    var done = 0
    for merge in merges {
      result += entries[done..<merge.index]
      done = merge.index
      for entry in merge.sources.flatMap({ $0.entries ?? [] }) where names.insert(entry.name).inserted {
        result.append(entry)
      }
    }
    return result + entries[done...]
  }

  private mutating func mergeSources(_ value: YAMLNode) -> [YAMLNode] {
    let sources = value.items ?? [value]
    for source in sources where source.entries == nil {
      problem("found \(source.found) after <<, expected a mapping or a list of mappings", at: source.position)
    }
    return sources
  }

  // MARK: Anchors, tags and limits

  private mutating func target(of name: String, at position: SourcePosition, depth: Int) throws(RecipeErrors)
    -> YAMLNode
  {
    guard let node = anchors[name] else {
      let why = open.contains(name) ? "is inside its own value" : "is not defined above"
      throw RecipeErrors("found the alias \(Quoted.short(name)), which \(why)", at: position)
    }
    try count(nodes: node.footprint.nodes, bytes: node.footprint.bytes, at: position)
    try check(depth: depth + node.footprint.depth - 1, at: position)
    return node
  }

  private mutating func enter(_ properties: YAMLProperties, at position: SourcePosition, depth: Int)
    throws(RecipeErrors)
  {
    try check(depth: depth, at: position)
    try count(nodes: 1, bytes: 0, at: position)
    _ = isText(properties.tag, at: position)
    if let anchor = properties.anchor {
      anchors[anchor] = nil
      open.insert(anchor)
    }
  }

  private mutating func remember(_ node: YAMLNode, _ properties: YAMLProperties) -> YAMLNode {
    if let anchor = properties.anchor {
      open.remove(anchor)
      anchors[anchor] = node
    }
    return node
  }

  private func check(depth: Int, at position: SourcePosition) throws(RecipeErrors) {
    guard depth > limits.depth else { return }
    throw RecipeErrors("found more than \(limits.depth) levels of nesting, expected fewer", at: position)
  }

  private mutating func count(nodes more: Int, bytes moreBytes: Int, at position: SourcePosition)
    throws(RecipeErrors)
  {
    nodes += more
    bytes += moreBytes
    guard nodes > limits.nodes || bytes > limits.expandedBytes else { return }
    throw RecipeErrors(
      "found more than \(limits.nodes) values or \(limits.expandedBytes) bytes of text with aliases expanded; "
        + "write a row such as 1, 2, ..., 1000 instead", at: position)
  }

  /// Whether the tag turns a scalar into text. Tags that are not part of YAML are reported.
  private mutating func isText(_ tag: String?, at position: SourcePosition) -> Bool {
    guard let tag else { return false }
    if tag == "!" { return true }
    let prefix = "tag:yaml.org,2002:"
    guard tag.hasPrefix(prefix), Self.coreTags.contains(String(tag.dropFirst(prefix.count))) else {
      problem("found the tag \(Quoted.short(tag)), expected none", at: position)
      return false
    }
    return tag == prefix + "str"
  }

  private static let coreTags: Set<String> = ["str", "int", "float", "bool", "null", "seq", "map"]

  private mutating func problem(_ message: String, at position: SourcePosition) {
    guard problems.count < Findings.limit else { return }
    problems.append(Diagnostic(.error, message, at: position))
  }
}
