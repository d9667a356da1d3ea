import JSON

/// The tensors of a pickle by their dotted names, and the texts and numbers beside them.
///
/// A checkpoint's `state_dict` counts as the whole, as it does for the webui; what else training left beside it does not.
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
    // Lightning's checkpoint, and once more, as some were saved inside of another.
    for _ in 0..<2 {
      guard let inner = member("state_dict", of: root) else { break }
      try collectMetadata(root)
      root = inner
    }
    try visit(root, name: "", depth: 0)
  }

  /// The items of a dictionary, or of an object that PyTorch fills like a module; nothing for other values.
  private func items(_ value: PickleValue) -> [(key: PickleValue, value: PickleValue)]? {
    switch value {
    case .dictionary(let place): return pickle.dictionaries[place]
    case .object(let place):
      // The state of a `torch.nn.ParameterDict`, as the first textual inversions were saved.
      guard case .dictionary(let state) = pickle.objects[place].state else { return nil }
      let parameters = pickle.dictionaries[state].last {
        if case .string("_parameters") = $0.key { true } else { false }
      }
      guard case .dictionary(let inner) = parameters?.value else { return nil }
      return pickle.dictionaries[inner]
    default: return nil
    }
  }

  private func member(_ name: String, of value: PickleValue) -> PickleValue? {
    guard case .dictionary(let place) = value else { return nil }
    let found = pickle.dictionaries[place].last {
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
      throw .refused("its pickle has values nested more than \(Self.depthLimit) deep, or in circles")
    }
    if case .tensor(let place) = value {
      guard tensors.updateValue(pickle.tensors[place], forKey: name) == nil else {
        throw .damaged("its pickle has the tensor '\(name.abridged)' twice")
      }
    } else if let items = items(value) {
      try count(items.count)
      // A key that is written twice has its last value, as in Python.
      var last: [String: Int] = [:]
      for (index, item) in items.enumerated() {
        if let key = Self.text(item.key) { last[key] = index }
      }
      for (index, item) in items.enumerated() {
        guard let key = Self.text(item.key), last[key] == index else { continue }
        try visit(item.value, name: name.isEmpty ? key : "\(name).\(key)", depth: depth + 1)
      }
    } else if case .sequence(let place) = value {
      for (index, element) in pickle.sequences[place].enumerated() {
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

  /// Keeps a text or a number.
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
