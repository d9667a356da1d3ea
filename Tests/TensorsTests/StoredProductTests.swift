import CKernels
import Testing
import TestSupport

@testable import Tensors

/// Random rows in a file's format, with finite scales.
struct StoredRowsSample {
  let form: StoredWeights
  let outputs: Int
  let inputs: Int
  let bytes: [UInt8]
  let factors: StoredFactors?

  init(_ form: StoredWeights, outputs: Int, inputs: Int) throws {
    let rowBytes = try #require(form.rowBytes(inputs: inputs))
    (self.form, self.outputs, self.inputs) = (form, outputs, inputs)
    var random = SplitMix64(seed: outputs * 10_000 + inputs)
    var bytes = (0..<outputs * rowBytes).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    for start in stride(from: 0, to: bytes.count, by: form.block.bytes) {
      switch form {
      case .q4_0, .q8_0, .fp16, .bf16: bytes[start + 1] &= 0xBF
      case .q4_K, .q5_K:
        bytes[start + 1] &= 0xBF
        bytes[start + 3] &= 0xBF
      case .q6_K: bytes[start + 209] &= 0xBF
      case .f8E4M3: if bytes[start] & 0x7F == 0x7F { bytes[start] = 0 }
      case .f8E5M2: bytes[start] &= 0xBF
      case .int8: break
      }
    }
    self.bytes = bytes
    switch form {
    case .f8E4M3, .f8E5M2, .int8:
      let blocks = (inputs + 63) / 64
      factors = StoredFactors(factors: random.floats(outputs * blocks, times: 0.01), inputsOfFactor: 64)
    default: factors = nil
    }
  }

  /// The weights as floats, decoded by portable C.
  func weights() throws -> [Float] {
    let rows = try #require(StoredRows(form, rows: outputs, inputs: inputs, factors: factors))
    bytes.withUnsafeBytes { bytes in
      if let base = bytes.baseAddress { rows.row(0).copyMemory(from: base, byteCount: bytes.count) }
    }
    let width = Kernels.portable.panelWidth
    let panel = GuardedFloats(count: inputs * width)
    var weights = [Float](repeating: 0, count: outputs * inputs)
    for first in stride(from: 0, to: outputs, by: width) {
      let columns: [Int?] = (0..<width).map { first + $0 < outputs ? first + $0 : nil }
      #expect(
        rows.unpack(
          columns: columns, inputs: 0..<inputs, panel: 0, .fp32, into: panel.start, Kernels.portable.table))
      for (column, row) in columns.enumerated() {
        guard let row else { continue }
        for input in 0..<inputs { weights[row * inputs + input] = panel.start[input * width + column] }
      }
    }
    #expect(panel.guardsAreWhole)
    return weights
  }

  func matrix(_ layer: PanelMatrix.Layer, bias: [Float], _ compute: Compute) throws -> PanelMatrix {
    let rowBytes = try #require(form.rowBytes(inputs: inputs))
    let matrix = PanelMatrix(
      stored: form, factors: factors, outputs: outputs, inputs: inputs, bias: bias, layer: layer, compute: compute
    ) { rows, destination in
      bytes.withUnsafeBytes { bytes in
        if let base = bytes.baseAddress {
          destination.copyMemory(from: base + rows.lowerBound * rowBytes, byteCount: rows.count * rowBytes)
        }
      }
    }
    return try #require(matrix)
  }
}

/// Products whose weights stay as a file stores them, compared with packed weights bit for bit.
@Suite struct StoredProductTests {
  struct Shape: Sendable {
    let rows: Int
    let inputs: Int
    let outputs: Int
    var isGated = false

    /// Partial panels and tiles, several passes in each precision, and several parts of rows.
    static let all = [
      Shape(rows: 1, inputs: 256, outputs: 3), Shape(rows: 77, inputs: 768, outputs: 70),
      Shape(rows: 9, inputs: 4608, outputs: 40), Shape(rows: 2051, inputs: 256, outputs: 33),
      Shape(rows: 70, inputs: 512, outputs: 84, isGated: true), Shape(rows: 3, inputs: 8704, outputs: 35),
    ]
  }

  private func input(_ shape: Shape, _ compute: Compute) -> Tensor {
    var random = SplitMix64(seed: shape.rows)
    let x = compute.tensor(batch: 1, height: 1, width: shape.rows, channels: shape.inputs, elementType: .fp32)
    for index in 0..<x.count { x.base[index] = random.float() }
    return compute.converted(x)
  }

  private func bits(_ y: Tensor) -> [UInt32] {
    switch y.elementType {
    case .fp32: (0..<y.count).map { y.base[$0].bitPattern }
    case .bf16: (0..<y.count).map { UInt32(y.base16[$0]) }
    }
  }

  @Test(arguments: Kernels.accelerated, Shape.all)
  func `kept weights give the bits of packed ones`(kernels: Kernels, shape: Shape) throws {
    var random = SplitMix64(seed: 5)
    let bias = random.floats(shape.outputs)
    for form in StoredWeights.allCases {
      let sample = try StoredRowsSample(form, outputs: shape.outputs, inputs: shape.inputs)
      let weights = try sample.weights()
      for precision in Precision.allCases where !shape.isGated || precision == .int8 {
        let compute = Compute(kernels: kernels, threadCount: 2, precision: precision)
        let layer: PanelMatrix.Layer = shape.isGated ? .gatedLinear : .linear
        let packed = PanelMatrix(
          weights: weights, bias: bias, outputs: shape.outputs, inputs: shape.inputs, layer: layer, compute: compute)
        let kept = try sample.matrix(layer, bias: bias, compute)
        let x = input(shape, compute)
        let expected = compute.product(x, packed)
        #expect(
          bits(compute.product(x, kept)) == bits(expected), "\(kernels.name) \(form) \(precision) \(shape)")
        #expect(
          bits(compute.product(x, kept, residual: expected)) == bits(compute.product(x, packed, residual: expected)),
          "\(kernels.name) \(form) \(precision) \(shape) with a residual")
      }
    }
  }

  @Test(arguments: Precision.allCases)
  func `any number of threads gives the same bits`(precision: Precision) throws {
    let shape = Shape(rows: 2100, inputs: 1536, outputs: 200)
    let sample = try StoredRowsSample(.q5_K, outputs: shape.outputs, inputs: shape.inputs)
    let bias = [Float](repeating: 0.5, count: shape.outputs)
    let results = try [1, 2, 3, 7].map { threads in
      let compute = Compute(
        kernels: Kernels.available[Kernels.available.count - 1], threadCount: threads, precision: precision)
      return bits(compute.product(input(shape, compute), try sample.matrix(.linear, bias: bias, compute)))
    }
    #expect(results.allSatisfy { $0 == results[0] })
  }

  /// Portable C is checked against ggml's and PyTorch's numbers in `StoredLinearTests`.
  @Test(arguments: Kernels.accelerated, StoredWeights.allCases)
  func `unpacked panels have the bits of portable C`(kernels: Kernels, form: StoredWeights) throws {
    let sample = try StoredRowsSample(form, outputs: kernels.panelWidth - 1, inputs: 768)
    let weights = try sample.weights()
    let width = kernels.panelWidth
    let rows = try #require(StoredRows(form, rows: sample.outputs, inputs: 768, factors: sample.factors))
    sample.bytes.withUnsafeBytes { bytes in
      if let base = bytes.baseAddress { rows.row(0).copyMemory(from: base, byteCount: bytes.count) }
    }
    let columns: [Int?] = (0..<width).map { $0 < sample.outputs ? $0 : nil }
    for inputs in [0..<768, 32..<96, 224..<608] {
      let panel = GuardedFloats([Float](repeating: -3, count: inputs.count * width))
      #expect(rows.unpack(columns: columns, inputs: inputs, panel: 0, .fp32, into: panel.start, kernels.table))
      #expect(panel.guardsAreWhole)
      for (index, input) in inputs.enumerated() {
        for column in 0..<width {
          let expected = column < sample.outputs ? weights[column * 768 + input] : 0
          #expect(panel.start[index * width + column].bitPattern == expected.bitPattern, "\(form) \(input) \(column)")
        }
      }
    }
  }

  @Test func `weights that are NaN or infinite are not kept`() throws {
    let compute = Compute(kernels: Kernels.available[Kernels.available.count - 1], threadCount: 2)
    let damage: [(StoredWeights, at: Int, [UInt8])] = [
      (.q8_0, 34 * 3, [0, 0x7C]), (.q4_K, 144, [1, 0x7C]), (.f8E4M3, 100, [0xFF]), (.bf16, 20, [0x80, 0x7F]),
    ]
    for (form, at, found) in damage {
      let sample = try StoredRowsSample(form, outputs: 40, inputs: 256)
      let rowBytes = try #require(form.rowBytes(inputs: 256))
      var bytes = sample.bytes
      bytes.replaceSubrange(at..<at + found.count, with: found)
      let matrix = PanelMatrix(
        stored: form, factors: sample.factors, outputs: 40, inputs: 256, bias: nil, layer: .linear, compute: compute
      ) { rows, destination in
        bytes.withUnsafeBytes { bytes in
          if let base = bytes.baseAddress {
            destination.copyMemory(from: base + rows.lowerBound * rowBytes, byteCount: rows.count * rowBytes)
          }
        }
      }
      #expect(matrix == nil, "\(form)")
    }
  }
}
