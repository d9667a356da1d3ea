import CKernels
import TensorFiles
import Testing
import TestSupport

@testable import Tensors

/// The operations of transformers, compared with PyTorch's, diffusers' and transformers' results
/// (`Tests/FixtureScripts/make_transformer_operations.py`), and every slot with portable C.
@Suite struct TransformerOperationTests {
  private let file: SafetensorsFile

  init() throws { file = try SafetensorsFile(path: Fixtures.path("Transformers/operations.safetensors")) }

  private func floats(_ name: String) throws -> [Float] { try #require(file.tensors[name]).floats() }

  /// A sequence; the dimensions after the tokens are its channels.
  private func sequence(_ name: String, _ compute: Compute) throws -> Tensor {
    let shape = try #require(file.tensors[name]).shape
    return compute.tensor([shape[0], shape.dropFirst().reduce(1, *)], try floats(name))
  }

  /// The same operation in fp32, within rounding, and in bf16, within the rounding of its input and output.
  private func check(
    _ name: String, input: String, _ kernels: Kernels, output: String = "output",
    _ operation: (Compute, (Tensor) -> Tensor, Tensor) throws -> Tensor
  ) throws {
    let expected = try floats("\(name).\(output)")
    for type in ElementType.allCases {
      let compute = Compute(kernels: kernels, threadCount: 2, elementType: type)
      let precise = compute.with(.fp32)
      let x = compute.converted(try sequence(input, precise))
      let found = try operation(compute, { compute.converted($0) }, x).values
      let difference = relativeDifference(found, expected)
      #expect(difference < (type == .fp32 ? 1e-6 : 1.2e-2), "\(kernels.name) \(type) \(name) differs by \(difference)")
    }
  }

  @Test(arguments: Kernels.available)
  func `RMS norm over rows agrees with PyTorch`(kernels: Kernels) throws {
    let gamma = try floats("rms.gamma")
    try check("rms", input: "rms.x", kernels, output: "plain") { compute, _, x in
      compute.rmsNorm(x, gamma: gamma, epsilon: 1e-5)
    }
    try check("rms", input: "rms.x", kernels) { compute, converted, x in
      let residual = converted(try sequence("rms.residual", compute.with(.fp32)))
      return compute.rmsNorm(x, gamma: gamma, epsilon: 1e-5, residual: residual)
    }
  }

  @Test(arguments: Kernels.available)
  func `RMS norm over heads agrees with PyTorch`(kernels: Kernels) throws {
    try check("heads", input: "heads.x", kernels) { compute, _, x in
      compute.takeHeads(x, gamma: try floats("heads.gamma"), epsilon: 1e-6, into: x, headWidth: 20)
      return x
    }
  }

  @Test(arguments: Kernels.available)
  func `neighbours turn as in diffusers`(kernels: Kernels) throws {
    let numbers = try floats("pairs.positions").map(Int.init)
    let positions = (0..<numbers.count / 3).map { Array(numbers[3 * $0..<3 * $0 + 3]) }
    try check("pairs", input: "pairs.x", kernels) { compute, _, x in
      let axes = [4, 8, 8].map { RotaryTable.Axis(width: $0, theta: 10_000) }
      let table = RotaryTable(positions: positions, axes: axes, pairing: .neighbours, compute: compute)
      compute.takeHeads(x, rotation: table, into: x, headWidth: 20)
      return x
    }
  }

  @Test(arguments: Kernels.available)
  func `halves turn as in transformers`(kernels: Kernels) throws {
    try check("halves", input: "halves.x", kernels) { compute, _, x in
      // The first row of the table is not the position of the first token.
      let table = RotaryTable(
        positions: (0..<11).map { [$0 - 2] }, axes: [RotaryTable.Axis(width: 20, theta: 1e6)], pairing: .halves,
        compute: compute)
      compute.takeHeads(x, rotation: table, row: 2, into: x, headWidth: 20)
      return x
    }
  }

  @Test(arguments: Kernels.available)
  func `gates, tanh GELU and scaled sums agree with PyTorch`(kernels: Kernels) throws {
    try check("gelu", input: "gelu.x", kernels) { compute, _, x in
      compute.applyGELUTanh(x)
      return x
    }
    try check("swiglu", input: "swiglu.x", kernels) { compute, _, x in compute.gated(x, by: .silu) }
    try check("swiglu", input: "swiglu.x", kernels) { compute, _, x in
      // Gates and values in separate tensors.
      let gate = compute.tensor(batch: 1, height: 1, width: 9, channels: 19)
      let value = compute.tensor(batch: 1, height: 1, width: 9, channels: 19)
      compute.takeHeads(x, into: gate, headWidth: 19)
      compute.takeHeads(x, firstChannel: 19, into: value, headWidth: 19)
      return compute.gated(value, by: gate, .silu)
    }
    try check("geglu", input: "geglu.x", kernels) { compute, _, x in compute.gated(x, by: .geluTanh) }
    try check("scaled", input: "scaled.x", kernels) { compute, converted, x in
      let residual = converted(try sequence("scaled.residual", compute.with(.fp32)))
      return compute.addScaled(x, by: try floats("scaled.scale"), to: residual)
    }
  }

  @Test func `heads are taken from some channels and put behind other tokens`() throws {
    let compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: 2)
    let x = try sequence("heads.x", compute)
    let y = compute.tensor([12, 40], [Float](repeating: 7, count: 480))
    compute.takeHeads(x, firstChannel: 20, into: y, at: 2, headWidth: 20)
    let (source, found) = (x.values, y.values)
    for token in 0..<12 {
      for c in 0..<40 {
        let isWritten = (2..<11).contains(token)
        #expect(found[token * 40 + c] == (isWritten ? source[(token - 2) * 60 + 20 + c] : 7))
      }
    }
  }

  /// Sums of squares are added in another order, and a bfloat16 result may be rounded to the other neighbour.
  @Test(arguments: Kernels.accelerated, [2, 6, 16, 34, 96, 130])
  func `the slots agree with portable C and write nothing else`(kernels: Kernels, width: Int) {
    var random = SplitMix64(seed: width)
    let (rows, heads) = (5, 3)
    let stride = 2 * heads * width + 3
    let x = random.floats(rows * stride, times: 3)
    let gamma = GuardedFloats(random.floats(heads * width))
    let cosines = GuardedFloats(random.floats(rows * width))
    let sines = GuardedFloats(random.floats(rows * width))
    for isNarrow in [false, true] {
      func outputs(_ table: ck_table) -> (values: [Float], isWhole: Bool) {
        let wide = GuardedFloats(x)
        let narrow = Guarded(x.map(narrowed))
        let source = isNarrow ? UnsafeRawPointer(narrow.start) : UnsafeRawPointer(wide.start)
        var (values, isWhole): ([Float], Bool) = ([], true)
        func output(_ count: Int, _ body: (UnsafeMutableRawPointer) -> Void) {
          if isNarrow {
            let y = Guarded<UInt16>(count: count)
            body(UnsafeMutableRawPointer(y.start))
            values += y.values.map(widened)
            isWhole = isWhole && y.guardsAreWhole
          } else {
            let y = GuardedFloats(count: count)
            body(UnsafeMutableRawPointer(y.start))
            values += y.values
            isWhole = isWhole && y.guardsAreWhole
          }
        }
        for hasResidual in [false, true] {
          output(rows * heads * width) { y in
            var call = ck_rms_norm()
            (call.x, call.x_stride, call.rows, call.width) = (source, stride, rows, heads * width)
            (call.gamma, call.epsilon, call.y, call.y_stride) = (UnsafePointer(gamma.start), 1e-6, y, heads * width)
            if hasResidual { (call.residual, call.residual_stride) = (source, stride) }
            isNarrow ? table.rms_norm_bf16(&call) : table.rms_norm(&call)
          }
        }
        for (isNormed, isTurned, halves) in [(true, false, 0), (false, true, 0), (true, true, 1), (true, true, 0)] {
          output(rows * heads * width) { y in
            var call = ck_heads()
            (call.x, call.x_stride, call.rows, call.heads, call.d) = (source, stride, rows, heads, width)
            (call.epsilon, call.halves, call.y, call.y_stride) = (1e-6, Int32(halves), y, heads * width)
            if isNormed { call.gamma = UnsafePointer(gamma.start) }
            if isTurned { (call.cosines, call.sines) = (UnsafePointer(cosines.start), UnsafePointer(sines.start)) }
            isNarrow ? table.heads_bf16(&call) : table.heads(&call)
          }
        }
        for activation in [CK_IDENTITY, CK_SILU, CK_GELU, CK_QUICK_GELU, CK_GELU_TANH] {
          output(rows * width) { y in
            var call = ck_gate()
            (call.gate, call.gate_stride, call.rows, call.width) = (source, stride, rows, width)
            (call.x, call.x_stride) = (source + width * (isNarrow ? 2 : 4), stride)
            (call.activation, call.y, call.y_stride) = (activation, y, width)
            isNarrow ? table.gate_bf16(&call) : table.gate(&call)
          }
        }
        output(rows * heads * width) { y in
          if isNarrow {
            table.add_scaled_bf16(
              narrow.start, narrow.start + 1, rows, heads * width, gamma.start, y.assumingMemoryBound(to: UInt16.self))
          } else {
            table.add_scaled(
              wide.start, wide.start + 1, rows, heads * width, gamma.start, y.assumingMemoryBound(to: Float.self))
          }
        }
        return (values, isWhole && wide.guardsAreWhole && narrow.guardsAreWhole)
      }
      let expected = outputs(Kernels.portable.table.pointee)
      let found = outputs(kernels.table.pointee)
      #expect(found.isWhole)
      let difference = relativeDifference(found.values, expected.values)
      #expect(difference < (isNarrow ? 8e-3 : 2e-6), "\(kernels.name) \(isNarrow) differs by \(difference)")
    }
  }
}
