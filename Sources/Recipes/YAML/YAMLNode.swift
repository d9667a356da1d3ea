import Text

/// One value of a YAML document, with its position.
///
/// Aliases and merge keys are already resolved: the value of an alias has the position of its definition.
package struct YAMLNode: Sendable {
  package enum Content: Sendable {
    case scalar(YAMLScalar)
    case sequence([YAMLNode])
    /// The entries in the order of the text; no key occurs twice.
    case mapping([YAMLEntry])
  }

  package var content: Content
  package var position: SourcePosition
  /// Whether it is written with brackets or braces.
  package var isFlow: Bool
  package var footprint: YAMLFootprint

  package init(_ content: Content, at position: SourcePosition, isFlow: Bool = false) {
    self.content = content
    self.position = position
    self.isFlow = isFlow
    footprint = YAMLFootprint(of: content)
  }

  package var scalar: YAMLScalar? {
    if case .scalar(let scalar) = content { scalar } else { nil }
  }

  package var entries: [YAMLEntry]? {
    if case .mapping(let entries) = content { entries } else { nil }
  }

  package var items: [YAMLNode]? {
    if case .sequence(let items) = content { items } else { nil }
  }

  /// Whether it is a plain `null` or `~`, or empty.
  package var isNull: Bool { scalar?.isNull ?? false }

  /// The node in the form for messages: its text, or its kind.
  var found: String {
    switch content {
    case .scalar(let scalar): scalar.isNull ? "no value" : Quoted.short(scalar)
    case .sequence: "a list"
    case .mapping: "a mapping"
    }
  }
}

/// One key of a mapping and its value.
package struct YAMLEntry: Sendable {
  package var key: YAMLScalar
  package var keyPosition: SourcePosition
  package var value: YAMLNode

  package init(key: YAMLScalar, keyPosition: SourcePosition, value: YAMLNode) {
    self.key = key
    self.keyPosition = keyPosition
    self.value = value
  }

  package var name: String { key.text }
}

/// The size of a node, with every alias in it expanded.
package struct YAMLFootprint: Sendable {
  package var nodes: Int
  package var bytes: Int
  package var depth: Int

  /// Computes the size. It cannot overflow, because the limits are checked while a document grows.
  init(of content: YAMLNode.Content) {
    (nodes, bytes, depth) = (1, 0, 1)
    switch content {
    case .scalar(let scalar): bytes = scalar.text.utf8.count
    case .sequence(let items): for item in items { add(item.footprint) }
    case .mapping(let entries):
      for entry in entries {
        nodes += 1
        bytes += entry.key.text.utf8.count
        add(entry.value.footprint)
      }
    }
  }

  private mutating func add(_ child: YAMLFootprint) {
    nodes += child.nodes
    bytes += child.bytes
    depth = max(depth, child.depth + 1)
  }
}

/// Shortens text for messages.
enum Quoted {
  /// A scalar on one line of limited length; text is in quotes.
  static func short(_ scalar: YAMLScalar) -> String {
    scalar.isQuoted || scalar.coreValue == .text ? short(scalar.text) : bounded(scalar.text)
  }

  /// Text in quotes, on one line of limited length.
  static func short(_ text: String) -> String { "\"" + bounded(text) + "\"" }

  /// YAML treats more characters than line feeds as line ends, and does not allow some unassigned characters.
  private static let breaksLines: Set<Unicode.GeneralCategory> = [
    .control, .lineSeparator, .paragraphSeparator, .unassigned,
  ]

  /// Text on one line of limited length, without the secrets of addresses.
  static func bounded(_ text: String) -> String {
    let limit = 60
    let text = text.withoutAddressSecrets
    var line = ""
    for scalar in text.unicodeScalars.prefix(limit) {
      switch scalar {
      case "\n": line += "\\n"
      case "\t": line += "\\t"
      case _ where scalar.actsOnTerminal || breaksLines.contains(scalar.properties.generalCategory):
        line += "\\u{\(String(scalar.value, radix: 16))}"
      default: line.unicodeScalars.append(scalar)
      }
    }
    return text.unicodeScalars.dropFirst(limit).isEmpty ? line : line + "..."
  }
}
