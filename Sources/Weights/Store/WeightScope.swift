/// A place in a network's tree of names, from which layers pull their weights.
///
///     let norm1 = try GroupNorm(scope["norm1"], channels: channels)
public struct WeightScope: Sendable {
  /// The network that the scope is a part of.
  public let store: WeightStore
  /// The dotted name of the place, in code's names; empty at the network's root.
  public let path: String

  init(store: WeightStore, path: String) {
    self.store = store
    self.path = path
  }

  /// The scope of a child, or of a descendant by its dotted name.
  public subscript(_ name: String) -> WeightScope { WeightScope(store: store, path: join(name)) }

  /// The scope of a numbered child.
  public subscript(_ index: Int) -> WeightScope { self["\(index)"] }

  /// The tensor `name` of this scope, which must have `shape`; a matrix and a 1×1 convolution stand for each other.
  ///
  /// Throws `WeightError.missing`, `.misshapen` or `.elementType`. `WeightStore.audit(expecting:)`, done before, finds all
  /// of these faults at once.
  public func tensor(_ name: String, shape: [Int]) throws(WeightError) -> WeightTensor {
    try store.take(join(name), shape: shape)
  }

  /// What adapters make of the tensor `name` of this scope; nothing where it is the file's.
  public func patch(_ name: String) -> WeightPatch? { store.patch(of: join(name)) }

  /// Has `reader` read again whenever adapters change what one of the tensors `names` of this scope is.
  ///
  /// The store does not keep it alive.
  public func register(_ reader: any PatchedReader, for names: [String]) {
    store.register(reader, for: names.map(join))
  }

  /// Whether the file has the tensor `name` of this scope.
  public func contains(_ name: String) -> Bool { store.shape(join(name)) != nil }

  /// The shape of the tensor `name` of this scope, if the file has it.
  public func shape(of name: String) -> [Int]? { store.shape(join(name)) }

  /// The size that most of the tensors `names` have in `dimension`; nothing if the file has none of them.
  ///
  /// One tensor of a wrong shape then is the odd one out, instead of the measure of all others.
  package func commonSize(_ names: [String], dimension: Int = 0) -> Int? {
    var counts: [Int: Int] = [:]
    for name in names {
      if let shape = shape(of: name), dimension < shape.count { counts[shape[dimension], default: 0] += 1 }
    }
    return counts.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key
  }

  private func join(_ name: String) -> String { path.isEmpty ? name : path + "." + name }
}
