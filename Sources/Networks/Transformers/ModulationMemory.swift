import Weights

/// What a network computes from the noise level alone, remembered for the last few levels: images of a grid share their
/// schedule. It is forgotten when adapters change the layers that it comes from.
final class ModulationMemory<Key: Hashable, Value>: PatchedReader, @unchecked Sendable {
  // Sendable, because the store's readers are: only the one thread that runs the model uses it.
  private let capacity: Int
  private var values: [(key: Key, value: Value)] = []

  /// An empty memory for this many noise levels.
  init(capacity: Int) { self.capacity = capacity }

  /// The value for a noise level, which `make` computes if it is not remembered.
  func value(for key: Key, _ make: () throws -> Value) rethrows -> Value {
    if let index = values.firstIndex(where: { $0.key == key }) {
      let entry = values.remove(at: index)
      values.append(entry)
      return entry.value
    }
    let value = try make()
    if values.count >= capacity { values.removeFirst() }
    values.append((key, value))
    return value
  }

  func reload() { values = [] }
}
