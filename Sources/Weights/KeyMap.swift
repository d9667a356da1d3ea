/// One renaming: what begins with `name` in the code begins with `fileName` in the file.
struct KeyRule: Sendable {
  var name: String
  var fileName: String
  /// Renames what follows, counted from after the dot.
  var inside: [KeyRule]

  init(_ name: String, _ fileName: String, inside: [KeyRule] = []) {
    self.name = name
    self.fileName = fileName
    self.inside = inside
  }
}

/// Where a network's tensors are in a file: a list of rules from the names in code, which are the diffusers library's, to
/// the names in the file.
///
/// Rules replace whole dotted components. The first that fits is used; what no rule names keeps its name.
struct KeyMap: Sendable {
  /// What all names of the network begin with in the file.
  var prefix: String
  var rules: [KeyRule]
  /// Beginnings of the file's names that belong to the network and are of no use here.
  var unused: [String]

  /// What the file calls the tensor that the code calls `name`.
  func fileName(_ name: String) -> String { prefix + Self.rename(Substring(name), by: rules) }

  /// Whether the file's `fileName` is known, and not needed for making an image.
  func isUnused(_ fileName: String) -> Bool { unused.contains { fileName.hasPrefix($0) } }

  private static func rename(_ name: Substring, by rules: [KeyRule]) -> String {
    for rule in rules where name.hasPrefix(rule.name) {
      let rest = name.dropFirst(rule.name.count)
      if rest.isEmpty { return rule.fileName }
      if rest.first == "." { return rule.fileName + "." + rename(rest.dropFirst(), by: rule.inside) }
    }
    return String(name)
  }
}
