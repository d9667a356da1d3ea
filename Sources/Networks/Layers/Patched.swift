import Tensors
import Weights

/// A value that a layer computes from its tensors when it is loaded, and again when adapters change them.
// Sendable, because layers are: only the one thread that runs the model reads or reloads it.
final class Patched<Value>: PatchedReader, @unchecked Sendable {
  /// The current value, which the layer computes with.
  private(set) var value: Value
  private let make: () throws(WeightError) -> Value

  /// Computes the value, and keeps `make` for reloading.
  ///
  /// - Parameters:
  ///   - w: The weights of this layer.
  ///   - names: The tensors that `make` reads.
  ///   - make: Computes the value.
  /// - Throws: `WeightError`.
  init(_ w: WeightScope, _ names: [String], make: @escaping () throws(WeightError) -> Value) throws(WeightError) {
    self.make = make
    value = try make()
    w.register(self, for: names)
  }

  func reload() throws { value = try make() }
}
