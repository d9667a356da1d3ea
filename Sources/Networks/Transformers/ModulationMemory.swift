import Weights

/// What a network computes from the noise level and the text as a whole, remembered for the last few of them: images of a grid
/// share their schedule. It is forgotten when adapters change the layers that it comes from.
final class ModulationMemory<Key: Hashable, Value>: PatchedReader, @unchecked Sendable {
  // Sendable, because the store's readers are: only the one thread that runs the model uses it.
  private let capacity: Int
  private var values: [(key: Key, value: Value)] = []
  private var expected: [Key] = []

  /// An empty memory for this many values.
  init(capacity: Int) { self.capacity = capacity }

  /// Names values that will be asked for soon, the first ones first. They are made together with the next one that is not
  /// remembered, because reading the layers takes longer than applying them.
  func expect(_ keys: [Key]) { expected = keys }

  /// The value for a key.
  ///
  /// - Parameters:
  ///   - key: The key.
  ///   - make: Makes the values of some keys, in their order. Each is the same whatever other keys there are.
  /// - Returns: The value.
  /// - Throws: What `make` throws.
  func value(for key: Key, _ make: ([Key]) throws -> [Value]) rethrows -> Value {
    if let index = values.firstIndex(where: { $0.key == key }) {
      let entry = values.remove(at: index)
      values.append(entry)
      return entry.value
    }
    var known = Set(values.map(\.key))
    known.insert(key)
    let others = expected.filter { known.insert($0).inserted }.prefix(capacity - 1)
    expected = []
    let keys = [key] + others
    let made = try make(keys)
    values.append(contentsOf: zip(keys, made).reversed().map { (key: $0, value: $1) })
    values.removeFirst(max(values.count - capacity, 0))
    return made[0]
  }

  func reload() { values = [] }
}
