/// One renaming: a name that starts with `name` in the code starts with `fileName` in the file.
struct KeyRule: Sendable {
  var name: String
  var fileName: String
  /// How the code's tensor is stored in the file's tensor, if the rule names a whole tensor.
  var form: TensorForm
  /// The rules for the rest of the name after the dot.
  var inside: [KeyRule]

  init(_ name: String, _ fileName: String, form: TensorForm = .whole, inside: [KeyRule] = []) {
    self.name = name
    self.fileName = fileName
    self.form = form
    self.inside = inside
  }
}

/// How a tensor of the code is stored in a tensor of the file.
enum TensorForm: Hashable, Sendable {
  /// They are equal.
  case whole
  /// The code's tensor is one of several equal parts of the file's rows.
  case part(Int, of: Int)
  /// The code's tensor is a range of the file's rows, of which there are this many.
  case rows(Range<Int>, of: Int)
  /// The file's tensor is transposed.
  case transposed

  /// The shape that the file's tensor must have.
  func fileShape(_ shape: [Int]) -> [Int] {
    switch self {
    case .whole: shape
    case .part(_, let count): shape.isEmpty ? shape : [shape[0] * count] + shape.dropFirst()
    case .rows(_, let count): shape.isEmpty ? shape : [count] + shape.dropFirst()
    case .transposed: shape.reversed()
    }
  }

  /// The shape of the code's tensor; nil if the file's tensor cannot be split into equal parts.
  func codeShape(_ shape: [Int]) -> [Int]? {
    switch self {
    case .whole: shape
    case .part(_, let count):
      shape.first.map { $0.isMultiple(of: count) } == true ? [shape[0] / count] + shape.dropFirst() : nil
    case .rows(let range, let count): shape.first == count ? [range.count] + shape.dropFirst() : nil
    case .transposed: shape.reversed()
    }
  }
}

/// The rules that map a network's tensor names in code, which are those of the diffusers library, to the names in a file.
///
/// Rules replace whole dotted components. The first rule that matches is used; a name without a rule does not change.
package struct KeyMap: Sendable {
  /// The prefix of all names of the network in the file.
  var prefix: String
  var rules: [KeyRule]
  /// The prefixes of names in the file that belong to the network but are not needed.
  var unused: [String]

  /// The name in the file of the tensor that the code calls `name`, and how it is stored there.
  func location(_ name: String) -> (fileName: String, form: TensorForm) {
    let (fileName, form) = Self.rename(Substring(name), by: rules)
    return (prefix + fileName, form)
  }

  /// The name in the file of the tensor that the code calls `name`.
  func fileName(_ name: String) -> String { location(name).fileName }

  /// Whether a name in the file is known but not needed.
  func isUnused(_ fileName: String) -> Bool {
    unused.contains { fileName.hasPrefix($0) } || Leftovers.contains(fileName)
  }

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
