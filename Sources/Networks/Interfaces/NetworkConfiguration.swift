import Tensors
import Weights

/// The sizes of a network. They determine which tensors it has, and how much memory it needs.
public protocol NetworkConfiguration: Hashable, Sendable {
  /// All tensors of the network by diffusers names, which loading is audited against.
  var expectedTensors: [ExpectedTensor] { get }

  /// Whether a matrix is kept in 8 bits when the network runs in int8.
  ///
  /// - Parameter tensor: The tensor's name.
  /// - Returns: False by default.
  static func isQuantized(_ tensor: String) -> Bool

  /// Whether a tensor is read from its file whenever it is needed, and takes no memory.
  ///
  /// - Parameter tensor: The tensor's name.
  /// - Returns: False by default.
  static func staysInFile(_ tensor: String) -> Bool
}

extension NetworkConfiguration {
  /// Number of parameters in all tensors.
  public var parameterCount: Int { expectedTensors.reduce(0) { $0 + $1.shape.reduce(1, *) } }

  /// False: only networks that run in int8 say otherwise.
  public static func isQuantized(_ tensor: String) -> Bool { false }

  /// False: layers hold their weights.
  public static func staysInFile(_ tensor: String) -> Bool { false }

  /// Bytes of the packed weights, biases and norms.
  ///
  /// This must not depend on the machine: how weights are packed is decided by it, and that decides the last digits of
  /// images.
  ///
  /// - Parameters:
  ///   - precision: Of the matrices.
  ///   - packing: Of the convolutions.
  /// - Returns: An estimate, a little too high.
  public func weightBytes(_ precision: Precision, _ packing: WeightPacking) -> Int {
    expectedTensors.reduce(0) { sum, tensor in
      let shape = tensor.shape
      guard shape.count > 1 else { return sum + 4 * shape.reduce(1, *) + 128 }
      var positions = shape.dropFirst(2).reduce(1, *)
      if positions == 9 {
        let step = tensor.name.contains("downsamplers") ? 2 : 1
        positions =
          ConvolutionAlgorithm.of(
            inputs: shape[1], outputs: shape[0], step: step, elementType: precision.elementType, packing: packing
          ).positions
      }
      // Panels of 32 outputs, with inputs in pairs; in int8 inputs in fours, and a scale and a sum per output and position.
      let outputs = (shape[0] + 31) / 32 * 32
      if precision == .int8, Self.isQuantized(tensor.name) {
        return sum + outputs * positions * ((shape[1] + 3) / 4 * 4 + 8)
      }
      return sum + outputs * ((shape[1] + 1) / 2 * 2) * positions * precision.elementType.size
    }
  }
}
