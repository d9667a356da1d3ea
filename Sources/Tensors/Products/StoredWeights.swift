import CKernels

/// How a file stores the weights of a linear layer: the forms that products can unpack.
public enum StoredWeights: Sendable, CaseIterable {
  case q4_0
  case q8_0
  case q4_K
  case q5_K
  case q6_K
  case f8E4M3
  case f8E5M2
  case int8
  case fp16
  case bf16

  /// The smallest part of a row that can be decoded separately, as a number of weights and of bytes.
  public var block: (weights: Int, bytes: Int) {
    switch self {
    case .q4_0: (32, 18)
    case .q8_0: (32, 34)
    case .q4_K: (256, 144)
    case .q5_K: (256, 176)
    case .q6_K: (256, 210)
    case .f8E4M3, .f8E5M2, .int8: (1, 1)
    case .fp16, .bf16: (1, 2)
    }
  }

  /// The size in bytes of one output's weights; nil if the inputs are not whole blocks, or not whole groups of 32, which the
  /// kernels need.
  public func rowBytes(inputs: Int) -> Int? {
    inputs.isMultiple(of: block.weights) && inputs.isMultiple(of: 32)
      ? inputs / block.weights * block.bytes : nil
  }

  /// Whether rows of this form take less memory than packed ones.
  ///
  /// - Parameters:
  ///   - inputs: The number of weights in a row.
  ///   - precision: The precision of the layer.
  /// - Returns: True if they do; false also for inputs that are not whole blocks.
  public func isSmaller(inputs: Int, than precision: Precision) -> Bool {
    guard let bytes = rowBytes(inputs: inputs) else { return false }
    return bytes < inputs * (precision == .int8 ? 1 : precision.elementType.size)
  }

  /// The kernels' name of the form.
  var kernelType: ck_stored {
    switch self {
    case .q4_0: CK_Q4_0
    case .q8_0: CK_Q8_0
    case .q4_K: CK_Q4_K
    case .q5_K: CK_Q5_K
    case .q6_K: CK_Q6_K
    case .f8E4M3: CK_F8_E4M3
    case .f8E5M2: CK_F8_E5M2
    case .int8: CK_I8
    case .fp16: CK_F16
    case .bf16: CK_BF16
    }
  }
}

/// The factors of stored weights: each row has one for every `inputsOfFactor` inputs.
public struct StoredFactors: Sendable {
  /// `[rows][ceil(inputs / inputsOfFactor)]`.
  public let factors: [Float]
  /// The number of inputs that share a factor, a multiple of 32.
  public let inputsOfFactor: Int

  /// Creates factors, which are multiplied with the stored numbers of FP8 and int8.
  public init(factors: [Float], inputsOfFactor: Int) {
    self.factors = factors
    self.inputsOfFactor = inputsOfFactor
  }
}

/// The rows of a matrix in the form of the file. Products unpack some inputs of a panel at a time into the cache, just before
/// they multiply with it. The unpacked numbers are the same as in a packed matrix.
final class StoredRows {
  private let type: StoredWeights
  private let rowBytes: Int
  /// The size of all rows in bytes.
  let bytes: Int
  private let memory: UnsafeMutableRawPointer
  private let factors: StoredFactors?
  private let factorsInRow: Int
  /// 1 / scale of each column of quantised panels.
  private var inverses: [Float] = []

  /// Allocates memory with arbitrary content for the rows of a matrix; nil if the inputs are not whole blocks.
  init?(_ type: StoredWeights, rows: Int, inputs: Int, factors: StoredFactors?) {
    guard let rowBytes = type.rowBytes(inputs: inputs) else { return nil }
    self.type = type
    self.rowBytes = rowBytes
    self.factors = factors
    factorsInRow = factors.map { (inputs + $0.inputsOfFactor - 1) / $0.inputsOfFactor } ?? 0
    bytes = max(rows * rowBytes, 1)
    memory = Workspace.allocate(bytes)
    precondition(factors.map { $0.factors.count == rows * factorsInRow } ?? true, "each row has its factors")
  }

  deinit { Workspace.deallocate(memory, bytes) }

  /// The first byte of a row.
  func row(_ index: Int) -> UnsafeMutableRawPointer { memory + index * rowBytes }

  /// Sets the scales with which ``unpack(columns:inputs:panel:_:into:_:)`` quantises to bytes.
  func setScales(_ columns: QuantizedColumns, panels: Int, panelWidth: Int) {
    inverses = (0..<panels * panelWidth).map { index in
      let inverse = 1 / columns.scales(index / panelWidth)[index % panelWidth]
      // The same as in the kernel that quantises: for the smallest scales it is infinite, and all numbers become zero.
      return inverse <= 3.0e38 ? inverse : 0
    }
  }

  /// Unpacks some inputs of a panel.
  ///
  /// - Parameters:
  ///   - columns: The row for each column, or nil.
  ///   - inputs: A range of multiples of 32.
  ///   - panel: The panel's index.
  ///   - weights: The type of the panel's weights.
  ///   - destination: `[inputs, in groups][panel width]`.
  ///   - table: The kernels.
  /// - Returns: False if a weight is NaN or infinite; this is only checked for panels in floats.
  @discardableResult
  func unpack(
    columns: [Int?], inputs: Range<Int>, panel: Int, _ weights: PanelWeights,
    into destination: UnsafeMutableRawPointer, _ table: UnsafePointer<ck_table>
  ) -> Bool {
    withUnsafeTemporaryAllocation(of: UnsafePointer<UInt8>?.self, capacity: columns.count) { starts in
      withUnsafeTemporaryAllocation(of: UnsafePointer<Float>?.self, capacity: columns.count) { scales in
        (factors?.factors ?? []).withUnsafeBufferPointer { factors in
          for (index, row) in columns.enumerated() {
            starts[index] = row.map { UnsafePointer(memory.assumingMemoryBound(to: UInt8.self) + $0 * rowBytes) }
            scales[index] = row.flatMap { row in factors.baseAddress.map { $0 + row * factorsInRow } }
          }
          return inverses.withUnsafeBufferPointer { inverses in
            var call = ck_unpacking()
            call.stored = type.kernelType
            call.rows = UnsafePointer(starts.baseAddress)
            if let of = self.factors?.inputsOfFactor {
              call.factors = UnsafePointer(scales.baseAddress)
              call.factor_inputs = of
            }
            call.first = inputs.lowerBound
            call.count = inputs.count
            call.panel = destination
            switch weights {
            case .fp32: return table.pointee.unpack(&call) != 0
            case .bf16: table.pointee.unpack_bf16(&call)
            case .int8:
              call.inverse = inverses.baseAddress.map { $0 + panel * columns.count }
              table.pointee.unpack_int8(&call)
            }
            return true
          }
        }
      }
    }
  }
}
