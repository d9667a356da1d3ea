import Tensors
import Weights

/// The sizes of a network. They determine which tensors it has, and how much memory it needs.
public protocol NetworkConfiguration: Hashable, Sendable {
  /// All tensors of the network, with their diffusers names; loading is audited against them.
  var expectedTensors: [ExpectedTensor] { get }

  /// Whether a matrix is kept in 8 bits when the network runs in int8.
  ///
  /// - Parameter tensor: The tensor's name.
  /// - Returns: False by default.
  static func isQuantized(_ tensor: String) -> Bool

  /// Whether a tensor is read from its file whenever it is needed, and is not kept in memory.
  ///
  /// - Parameter tensor: The tensor's name.
  /// - Returns: False by default.
  static func staysInFile(_ tensor: String) -> Bool
}

extension NetworkConfiguration {
  /// Number of parameters in all tensors.
  public var parameterCount: Int { expectedTensors.reduce(0) { $0 + $1.shape.reduce(1, *) } }

  /// False by default.
  public static func isQuantized(_ tensor: String) -> Bool { false }

  /// False by default.
  public static func staysInFile(_ tensor: String) -> Bool { false }

  /// The size of the packed weights, biases and norms in bytes.
  ///
  /// It must not depend on the machine, because it decides how weights are packed, and that decides the last digits of images.
  ///
  /// - Parameters:
  ///   - precision: The precision of the matrices.
  ///   - packing: The packing of the convolutions.
  /// - Returns: An estimate, slightly too high.
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
      // Panels of 32 outputs, with inputs in pairs. In int8: inputs in groups of four, and a scale and a sum for each output
      // and position.
      let outputs = (shape[0] + 31) / 32 * 32
      if precision == .int8, Self.isQuantized(tensor.name) {
        return sum + outputs * positions * ((shape[1] + 3) / 4 * 4 + 8)
      }
      return sum + outputs * ((shape[1] + 1) / 2 * 2) * positions * precision.elementType.size
    }
  }
}
