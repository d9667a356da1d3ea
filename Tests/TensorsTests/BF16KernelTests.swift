import CKernels
import Testing
import TestSupport

@testable import Tensors

/// Every bfloat16 slot of every instruction set of this machine, compared with portable C, with guards around every output.
@Suite struct BF16KernelTests {
  /// Products of two bfloat16 numbers are exact in float32, so sums differ only by their order, like sums of floats. A result
  /// in bfloat16 may be rounded to the other neighbour.
  @Test(arguments: Kernels.accelerated, ProductShape.all)
  func `products agree with portable C`(kernels: Kernels, shape: ProductShape) {
    for activation in [CK_IDENTITY, CK_SILU, CK_GELU, CK_QUICK_GELU] {
      let expected = product(Kernels.portable, shape, activation: activation)
      let found = product(kernels, shape, activation: activation)
      #expect(found.isWhole)
      let difference = relativeDifference(found.floats, expected.floats)
      #expect(difference < 4e-6, "\(kernels.name) \(shape) differs by \(difference)")
      let rounded = roundedDifference(found.rounded, expected.rounded)
      #expect(rounded <= 1, "\(kernels.name) \(shape) differs by \(rounded) units of rounding")
    }
  }

  /// The product in two calls, with results in floats, and in one call, with results in bfloat16.
  private func product(
    _ kernels: Kernels, _ shape: ProductShape, activation: ck_activation
  ) -> (floats: [Float], rounded: [UInt16], isWhole: Bool) {
    var random = SplitMix64(seed: shape.k * 100 + shape.m)
    let width = kernels.panelWidth
    let stride = shape.k + 3
    let a = Guarded(random.floats(shape.taps * shape.m * stride).map(narrowed))
    let weights = random.floats(shape.taps * shape.k * shape.n).map(narrowed)
    let bias = Guarded(random.floats(shape.n) + [Float](repeating: 0, count: width - shape.n))
    let residual = Guarded(random.floats(shape.m * (shape.n + 2)).map(narrowed))
    let pairs = (shape.k + 1) / 2
    let panel = Guarded<UInt16>(count: shape.taps * pairs * width * 2)
    for tap in 0..<shape.taps {
      for k in 0..<shape.k {
        for j in 0..<shape.n {
          panel.start[((tap * pairs + k / 2) * width + j) * 2 + k % 2] = weights[(tap * shape.k + k) * shape.n + j]
        }
      }
    }
    let floats = GuardedFloats(count: shape.m * (shape.n + 1))
    let rounded = Guarded<UInt16>(count: shape.m * (shape.n + 1))
    let sums = GuardedFloats(count: shape.m * width)
    let taps = (0..<shape.taps).map { Optional(UnsafePointer(a.start + $0 * shape.m * stride)) }
    taps.withUnsafeBufferPointer { taps in
      var call = ck_bf16_product()
      call.tap = taps.baseAddress
      call.row_stride = stride
      call.k = shape.k
      call.panel = UnsafePointer(panel.start)
      call.m = shape.m
      call.n = shape.n
      call.bias = UnsafePointer(bias.start)
      call.activation = activation
      call.residual = UnsafePointer(residual.start)
      call.residual_stride = shape.n + 2
      call.out_stride = shape.n + 1
      // The first taps leave their sums; the last continues from there.
      call.taps = shape.taps - 1
      call.sums = sums.start
      if call.taps > 0 {
        kernels.table.pointee.product_bf16(&call)
        call.continues = 1
      }
      call.taps = 1
      call.tap = taps.baseAddress.map { $0 + shape.taps - 1 }
      call.panel = UnsafePointer(panel.start + (shape.taps - 1) * pairs * width * 2)
      call.finishes = 1
      call.out32 = floats.start
      kernels.table.pointee.product_bf16(&call)
      // All at once.
      call.tap = taps.baseAddress
      call.taps = shape.taps
      call.panel = UnsafePointer(panel.start)
      call.continues = 0
      call.sums = nil
      call.out32 = nil
      call.out = rounded.start
      kernels.table.pointee.product_bf16(&call)
    }
    return (floats.values, rounded.values, floats.guardsAreWhole && rounded.guardsAreWhole && sums.guardsAreWhole)
  }

  @Test(arguments: Kernels.available)
  func `numbers are rounded to the nearest, ties to even`(kernels: Kernels) {
    // Every exponent and sign, with ties, their neighbours, and numbers that round up to the next exponent.
    var values: [Float] = []
    for high in stride(from: UInt32(0), to: 0x10000, by: 0x55) {
      values += ([0, 1, 0x7fff, 0x8000, 0x8001, 0xffff] as [UInt32]).map { Float(bitPattern: high << 16 | $0) }
    }
    let found = Guarded<UInt16>(count: values.count)
    let widened = GuardedFloats(count: values.count)
    kernels.table.pointee.narrow(values, values.count, found.start)
    kernels.table.pointee.widen(UnsafePointer(found.start), values.count, widened.start)
    #expect(found.guardsAreWhole && widened.guardsAreWhole)
    for (index, value) in values.enumerated() {
      let (bits, expected) = (found.start[index], Self.nearest(value))
      if value.isNaN {
        #expect(widened.start[index].isNaN)
      } else if value.isSubnormal || value.isZero {
        // Instructions may round subnormal numbers to zero.
        #expect(bits == expected || bits & 0x7fff == 0)
      } else {
        #expect(bits == expected, "\(kernels.name): \(value) became \(bits), expected \(expected)")
        #expect(widened.start[index].bitPattern == UInt32(bits) << 16)
      }
    }
  }

  /// The nearer of both neighbours, computed in double precision.
  private static func nearest(_ value: Float) -> UInt16 {
    let below = UInt16(value.bitPattern >> 16)
    guard value.isFinite, value.bitPattern & 0xffff != 0 else { return below }
    let above = below + 1
    func double(_ bits: UInt16) -> Double {
      // Infinity counts as the number after the largest finite one.
      bits & 0x7fff == 0x7f80 ? (bits & 0x8000 == 0 ? 1 : -1) * 0x1p128 : Double(Float(bitPattern: UInt32(bits) << 16))
    }
    let (down, up) = ((Double(value) - double(below)).magnitude, (Double(value) - double(above)).magnitude)
    return down < up || (down == up && below % 2 == 0) ? below : above
  }

  /// The softmax is rounded to 8 bits before the second product, an error of 2⁻⁹ each, which averages out over the keys. The
  /// result is rounded again.
  @Test(arguments: Kernels.available, AttentionShape.all)
  func `attention agrees with the formula in double precision`(kernels: Kernels, shape: AttentionShape) {
    let compute = Compute(kernels: kernels, threadCount: 2, elementType: .bf16)
    var random = SplitMix64(seed: shape.keys)
    let channels = shape.heads * shape.width
    // Large queries make a sharp softmax, and a running maximum that changes often.
    let q = compute.tensor16([shape.queries, channels], random.floats(shape.queries * channels, times: 6))
    let k = compute.tensor16([shape.keys, channels], random.floats(shape.keys * channels))
    let v = compute.tensor16([shape.keys, channels], random.floats(shape.keys * channels))
    let source = KeysValues(keys: k, values: v, image: 0, heads: shape.heads, compute: compute)
    let found = compute.attention(q, [source], mask: shape.mask).values
    let expected = shape.expected(q.values, k.values, v.values)
    let difference = relativeDifference(found, expected)
    #expect(difference < 6e-3, "\(kernels.name) \(shape) differs by \(difference)")
  }

  @Test(arguments: Kernels.accelerated, [1, 7, 8, 15, 16, 17, 100])
  func `activations and sums agree with portable C`(kernels: Kernels, count: Int) {
    let values = (0..<2 * count).map { Float($0 - count) * 12 / Float(count) }.map(narrowed)
    func outputs(_ table: ck_table) -> [Guarded<UInt16>] {
      var outputs: [Guarded<UInt16>] = []
      func output(_ size: Int) -> UnsafeMutablePointer<UInt16> {
        outputs.append(Guarded<UInt16>(count: size))
        return outputs[outputs.count - 1].start
      }
      table.silu_bf16(values, count, output(count))
      table.gelu_bf16(values, count, output(count))
      table.quick_gelu_bf16(values, count, output(count))
      table.geglu_bf16(values, 1, count, output(count))
      table.add_bf16(values, Array(values.reversed()), count, output(count))
      return outputs
    }
    let expected = outputs(Kernels.portable.table.pointee)
    for (index, found) in outputs(kernels.table.pointee).enumerated() {
      let difference = roundedDifference(found.values, expected[index].values)
      #expect(found.guardsAreWhole && difference <= 1, "\(kernels.name) output \(index) differs by \(difference) units")
    }
  }

  @Test(arguments: Kernels.accelerated, [1, 5, 16, 40, 97])
  func `norms agree with portable C`(kernels: Kernels, channels: Int) {
    var random = SplitMix64(seed: channels)
    let rows = 11
    let x = random.floats(rows * channels).map { narrowed($0 + 20) }
    let gamma = Guarded(random.floats(channels))
    let beta = Guarded(random.floats(channels).map { $0 + 3 })
    func outputs(_ table: ck_table) -> (floats: [Guarded<Float>], rounded: [Guarded<UInt16>]) {
      let floats = (0..<2).map { _ in GuardedFloats(count: channels) }
      let rounded = (0..<3).map { _ in Guarded<UInt16>(count: rows * channels) }
      table.moments_bf16(x, rows, channels, floats[0].start, floats[1].start)
      table.scale_shift_bf16(x, channels, rows, channels, gamma.start, beta.start, 0, rounded[0].start, channels)
      table.scale_shift_bf16(x, channels, rows, channels, gamma.start, beta.start, 1, rounded[1].start, channels)
      table.layer_norm_bf16(x, rows, channels, gamma.start, beta.start, 1e-5, rounded[2].start)
      return (floats, rounded)
    }
    let expected = outputs(Kernels.portable.table.pointee)
    let found = outputs(kernels.table.pointee)
    for (found, expected) in zip(found.floats, expected.floats) {
      #expect(found.guardsAreWhole && relativeDifference(found.values, expected.values) < 2e-5)
    }
    for (index, (found, expected)) in zip(found.rounded, expected.rounded).enumerated() {
      // The bound is relative to the largest value, because small results differ by as much as large ones.
      let difference = relativeDifference(found.values.map(widened), expected.values.map(widened))
      #expect(found.guardsAreWhole && difference < 8e-3, "\(kernels.name) output \(index) differs by \(difference)")
    }
  }
}
