/// One renaming: what begins with `name` in the code begins with `fileName` in the file.
struct KeyRule: Sendable {
  var name: String
  var fileName: String
  /// How the file's numbers become those of the code, where the rule names a whole tensor.
  var form: TensorForm
  /// Renames what follows, counted from after the dot.
  var inside: [KeyRule]

  init(_ name: String, _ fileName: String, form: TensorForm = .whole, inside: [KeyRule] = []) {
    self.name = name
    self.fileName = fileName
    self.form = form
    self.inside = inside
  }
}

/// How a tensor of the code lies in one of the file.
enum TensorForm: Hashable, Sendable {
  /// They are the same.
  case whole
  /// It is one of several equal parts of the file's rows.
  case part(Int, of: Int)
  /// The file has its rows as columns.
  case transposed

  /// The shape that the file's tensor must have.
  func fileShape(_ shape: [Int]) -> [Int] {
    switch self {
    case .whole: shape
    case .part(_, let count): shape.isEmpty ? shape : [shape[0] * count] + shape.dropFirst()
    case .transposed: shape.reversed()
    }
  }

  /// The shape that the code sees; nothing where the file's tensor does not part into equal parts.
  func codeShape(_ shape: [Int]) -> [Int]? {
    switch self {
    case .whole: shape
    case .part(_, let count):
      shape.first.map { $0.isMultiple(of: count) } == true ? [shape[0] / count] + shape.dropFirst() : nil
    case .transposed: shape.reversed()
    }
  }
}

/// Where a network's tensors are in a file: a list of rules from the names in code, which are the diffusers library's, to
/// the names in the file.
///
/// Rules replace whole dotted components. The first that matches is used; a name without a rule stays as it is.
package struct KeyMap: Sendable {
  /// What all names of the network begin with in the file.
  var prefix: String
  var rules: [KeyRule]
  /// Beginnings of the file's names that belong to the network and are of no use here.
  var unused: [String]

  /// What the file calls the tensor that the code calls `name`, and how it lies in there.
  func place(_ name: String) -> (fileName: String, form: TensorForm) {
    let (fileName, form) = Self.rename(Substring(name), by: rules)
    return (prefix + fileName, form)
  }

  /// What the file calls the tensor that the code calls `name`.
  func fileName(_ name: String) -> String { place(name).fileName }

  /// Whether the file's `fileName` is known, and not needed for making an image.
  func isUnused(_ fileName: String) -> Bool { unused.contains { fileName.hasPrefix($0) } }

  private static func rename(_ name: Substring, by rules: [KeyRule]) -> (String, TensorForm) {
    for rule in rules where name.hasPrefix(rule.name) {
      let rest = name.dropFirst(rule.name.count)
      if rest.isEmpty { return (rule.fileName, rule.form) }
      if rest.first == "." {
        let (inner, form) = rename(rest.dropFirst(), by: rule.inside)
        return (rule.fileName + "." + inner, form)
      }
    }
    return (String(name), .whole)
  }
}
