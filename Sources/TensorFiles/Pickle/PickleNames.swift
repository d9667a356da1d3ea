import Text

/// The tensors of a pickle by their dotted names, and its other texts and numbers.
///
/// If there is a `state_dict`, only its tensors are read, as in the webui; the other data of the training are ignored.
struct PickleNames {
  private(set) var tensors: [String: Pickle.Tensor] = [:]
  private(set) var metadata: [String: String] = [:]

  private static let depthLimit = 32
  private static let visitLimit = 300_000
  private static let nameLimit = 1024
  private static let metadataLimit = 1000

  private let pickle: Pickle
  private var visitCount = 0

  init(_ pickle: Pickle) throws(PickleError) {
    self.pickle = pickle
    var root = pickle.root
    // PyTorch Lightning nests it like this; some files are nested twice.
    for _ in 0..<2 {
      guard let inner = member("state_dict", of: root) else { break }
      try collectMetadata(root)
      root = inner
    }
    try visit(root, name: "", depth: 0)
  }

  /// The items of a dictionary, or of an object that PyTorch fills like a module; nil for other values.
  private func items(_ value: PickleValue) -> [(key: PickleValue, value: PickleValue)]? {
    switch value {
    case .dictionary(let index): return pickle.dictionaries[index]
    case .object(let index):
      // The state of a `torch.nn.ParameterDict`, as in the first textual inversions.
      guard case .dictionary(let state) = pickle.objects[index].state else { return nil }
      let parameters = pickle.dictionaries[state].last {
        if case .string("_parameters") = $0.key { true } else { false }
      }
      guard case .dictionary(let inner) = parameters?.value else { return nil }
      return pickle.dictionaries[inner]
    default: return nil
    }
  }

  private func member(_ name: String, of value: PickleValue) -> PickleValue? {
    guard case .dictionary(let index) = value else { return nil }
    let found = pickle.dictionaries[index].last {
      if case .string(let key) = $0.key { key == name } else { false }
    }
    guard case .dictionary = found?.value else { return nil }
    return found?.value
  }

  private mutating func visit(_ value: PickleValue, name: String, depth: Int) throws(PickleError) {
    try count(1)
    guard name.utf8.count <= Self.nameLimit else {
      throw .refused("its pickle has a name of \(name.utf8.count) bytes, far more than a model's")
    }
    guard depth <= Self.depthLimit else {
      throw .refused("its pickle has values nested more than \(Self.depthLimit) deep, or in a cycle")
    }
    if case .tensor(let index) = value {
      guard tensors.updateValue(pickle.tensors[index], forKey: name) == nil else {
        throw .damaged("its pickle has the tensor '\(name.abridged)' twice")
      }
    } else if let items = items(value) {
      try count(items.count)
      // If a key is repeated, its last value counts, as in Python.
      var last: [String: Int] = [:]
      for (index, item) in items.enumerated() {
        if let key = Self.text(item.key) { last[key] = index }
      }
      for (index, item) in items.enumerated() {
        guard let key = Self.text(item.key), last[key] == index else { continue }
        try visit(item.value, name: name.isEmpty ? key : "\(name).\(key)", depth: depth + 1)
      }
    } else if case .sequence(let index) = value {
      for (index, element) in pickle.sequences[index].enumerated() {
        try visit(element, name: name.isEmpty ? "\(index)" : "\(name).\(index)", depth: depth + 1)
      }
    } else {
      note(value, name)
    }
  }

  private mutating func count(_ visits: Int) throws(PickleError) {
    visitCount += visits
    guard visitCount <= Self.visitLimit else { throw .refused("its pickle has more values than any model's") }
  }

  private mutating func collectMetadata(_ root: PickleValue) throws(PickleError) {
    let items = items(root) ?? []
    try count(items.count)
    for item in items {
      if let key = Self.text(item.key) { note(item.value, key) }
    }
  }

  /// Keeps a text or a number as metadata.
  private mutating func note(_ value: PickleValue, _ name: String) {
    guard metadata.count < Self.metadataLimit, !name.isEmpty else { return }
    switch value {
    case .bool(let value): metadata[name] = value ? "true" : "false"
    case .integer(let value): metadata[name] = "\(value)"
    case .float(let value): metadata[name] = "\(value)"
    case .string(let value): metadata[name] = value
    default: break
    }
  }

  private static func text(_ key: PickleValue) -> String? {
    switch key {
    case .string(let text): text
    case .integer(let number): String(number)
    default: nil
    }
  }
}
