import TensorFiles

/// A prefix in a network's tree of names, from which a layer reads its weights.
///
///     let norm1 = try GroupNorm(scope["norm1"], channels: channels)
public struct WeightScope: Sendable {
  /// The network that the scope is a part of.
  public let store: WeightStore
  /// The dotted prefix, in the names of the code; empty at the network's root.
  public let path: String

  init(store: WeightStore, path: String) {
    self.store = store
    self.path = path
  }

  /// The scope of a child, or of a descendant with a dotted name.
  public subscript(_ name: String) -> WeightScope { WeightScope(store: store, path: join(name)) }

  /// The scope of a numbered child.
  public subscript(_ index: Int) -> WeightScope { self["\(index)"] }

  /// The tensor `name` of this scope, which must have `shape`. A matrix and a 1×1 convolution are equivalent.
  ///
  /// Throws `WeightError.missing`, `.misshapen`, or `.file` for a wrong element type. To find all such errors at once, call
  /// `WeightStore.audit(expecting:)` first.
  public func tensor(_ name: String, shape: [Int]) throws(WeightError) -> StoredTensor {
    try store.take(join(name), shape: shape)
  }

  /// The adapters' changes of the tensor `name` of this scope; nil if there are none.
  public func patch(_ name: String) -> WeightPatch? { store.patch(of: join(name)) }

  /// Makes `reader` reload when adapters change one of the tensors `names` of this scope.
  ///
  /// The store holds `reader` weakly.
  public func register(_ reader: any PatchedReader, for names: [String]) {
    store.register(reader, for: names.map(join))
  }

  /// Whether the file has the tensor `name` of this scope.
  public func contains(_ name: String) -> Bool { store.shape(join(name)) != nil }

  /// The tensor `name` of this scope as it is in the file, with any shape and type; nil if the file does not have it.
  package func stored(_ name: String) -> StoredTensor? { store.stored(join(name)) }

  /// Whether the file has any tensor of this scope.
  package var hasTensors: Bool { store.hasTensors(under: path) }

  /// The shape of the tensor `name` of this scope; nil if the file does not have it.
  public func shape(of name: String) -> [Int]? { store.shape(join(name)) }

  /// The size that most of the tensors `names` have in `dimension`; nil if the file has none of them.
  ///
  /// If one tensor has a wrong shape, only that one is reported, and not all the others.
  package func commonSize(_ names: [String], dimension: Int = 0) -> Int? {
    var counts: [Int: Int] = [:]
    for name in names {
      if let shape = shape(of: name), dimension < shape.count { counts[shape[dimension], default: 0] += 1 }
    }
    return counts.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key
  }

  private func join(_ name: String) -> String { path.isEmpty ? name : path + "." + name }
}
