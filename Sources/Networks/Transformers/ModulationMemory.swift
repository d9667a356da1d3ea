import Weights

/// Remembers what a network computes only from the noise level, for the last few levels, because the images of a grid share
/// their schedule. It forgets everything when adapters change the layers involved.
final class ModulationMemory<Key: Hashable, Value>: PatchedReader, @unchecked Sendable {
  // Sendable, because the store's readers are: only the one thread that runs the model uses it.
  private let capacity: Int
  private var values: [(key: Key, value: Value)] = []

  /// Creates an empty memory for this many noise levels.
  init(capacity: Int) { self.capacity = capacity }

  /// The value for a noise level; `make` computes it if it is not remembered.
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
