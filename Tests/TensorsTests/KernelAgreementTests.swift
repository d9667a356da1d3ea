import CKernels
import Testing
import TestSupport

@testable import Tensors

/// Every float32 slot of every instruction set of this machine, compared with portable C, with guards around every output.
@Suite struct KernelAgreementTests {
  /// Sums of k products in another order differ by about √k · 2⁻²⁴ of a term. A missing product would change a result by about
  /// 1/√k of its size, a thousand times as much.
  @Test(arguments: Kernels.accelerated, ProductShape.all)
  func `products agree with portable C`(kernels: Kernels, shape: ProductShape) {
    for accumulates in [false, true] {
      for hasExtras in [false, true] {
        let expected = product(Kernels.portable, shape, accumulates: accumulates, hasExtras: hasExtras)
        let found = product(kernels, shape, accumulates: accumulates, hasExtras: hasExtras)
        #expect(found.guardsAreWhole)
        let difference = relativeDifference(found.values, expected.values)
        #expect(difference < 4e-6, "\(kernels.name) \(shape) differs by \(difference)")
      }
    }
  }

  private func product(
    _ kernels: Kernels, _ shape: ProductShape, accumulates: Bool, hasExtras: Bool
  ) -> GuardedFloats {
    var random = SplitMix64(seed: shape.k * 100 + shape.m)
    let stride = shape.k + 3
    let a = GuardedFloats(random.floats(shape.taps * shape.m * stride))
    let weights = random.floats(shape.taps * shape.k * shape.n)
    let bias = GuardedFloats(random.floats(shape.n) + [Float](repeating: 0, count: kernels.panelWidth - shape.n))
    let residual = GuardedFloats(random.floats(shape.m * (shape.n + 2)))
    let out = GuardedFloats(random.floats(shape.m * (shape.n + 1)))
    let panel = GuardedFloats(count: shape.taps * shape.k * kernels.panelWidth)
    for row in 0..<shape.taps * shape.k {
      for j in 0..<shape.n { panel.start[row * kernels.panelWidth + j] = weights[row * shape.n + j] }
    }
    let taps = (0..<shape.taps).map { Optional(UnsafePointer(a.start + $0 * shape.m * stride)) }
    taps.withUnsafeBufferPointer { taps in
      var call = ck_product()
      call.taps = shape.taps
      call.tap = taps.baseAddress
      call.row_stride = stride
      call.k = shape.k
      call.panel = UnsafePointer(panel.start)
      call.m = shape.m
      call.n = shape.n
      call.out = out.start
      call.out_stride = shape.n + 1
      call.accumulate = accumulates ? 1 : 0
      if hasExtras {
        call.bias = UnsafePointer(bias.start)
        call.residual = UnsafePointer(residual.start)
        call.residual_stride = shape.n + 2
      }
      kernels.table.pointee.product(&call)
    }
    return out
  }

  /// A softmax is positive and adds up to 1, so the error is that of the scores, about 1e-6, and of exp.
  @Test(arguments: Kernels.available, AttentionShape.all)
  func `attention agrees with the formula in double precision`(kernels: Kernels, shape: AttentionShape) {
    let compute = Compute(kernels: kernels, threadCount: 2)
    var random = SplitMix64(seed: shape.keys)
    let channels = shape.heads * shape.width
    let q = compute.tensor([shape.queries, channels], random.floats(shape.queries * channels, times: 3))
    let k = compute.tensor([shape.keys, channels], random.floats(shape.keys * channels))
    let v = compute.tensor([shape.keys, channels], random.floats(shape.keys * channels))
    let source = KeysValues(keys: k, values: v, image: 0, heads: shape.heads, compute: compute)
    let found = compute.attention(q, [source], mask: shape.mask).values
    let expected = shape.expected(q.values, k.values, v.values)
    let difference = relativeDifference(found, expected)
    #expect(difference < 2e-5, "\(kernels.name) \(shape) differs by \(difference)")
  }

  /// The polynomials of exp and erf have an error of about 3e-7 for results of size 1.
  @Test(arguments: Kernels.accelerated, [1, 7, 8, 15, 16, 17, 100])
  func `activations agree with portable C from very negative to very large`(kernels: Kernels, count: Int) {
    let far = (0..<count).map { Float($0 - count / 2) * 200 / Float(count) }
    let near = (0..<count).map { Float($0 - count / 2) * 8 / Float(count) }
    for x in [far, near] {
      let source = GuardedFloats(x + x)
      for (name, slot) in pointwise {
        let (expected, found) = (GuardedFloats(count: 2 * count), GuardedFloats(count: 2 * count))
        slot(Kernels.portable.table.pointee)(source.start, 2 * count, expected.start)
        slot(kernels.table.pointee)(source.start, 2 * count, found.start)
        let difference = relativeDifference(found.values, expected.values)
        #expect(found.guardsAreWhole && difference < 1e-6, "\(kernels.name) \(name) differs by \(difference)")
      }
      let (expected, found) = (GuardedFloats(count: count), GuardedFloats(count: count))
      Kernels.portable.table.pointee.geglu(source.start, 1, count, expected.start)
      kernels.table.pointee.geglu(source.start, 1, count, found.start)
      #expect(found.guardsAreWhole && relativeDifference(found.values, expected.values) < 1e-6)
    }
  }

  private typealias Pointwise = (UnsafePointer<Float>?, Int, UnsafeMutablePointer<Float>?) -> Void
  private var pointwise: [(String, (ck_table) -> Pointwise)] {
    [("silu", { $0.silu }), ("gelu", { $0.gelu }), ("quick_gelu", { $0.quick_gelu })]
  }

  /// With means far from zero, a sum of squares would lose digits; a second pass for the deviations keeps them.
  @Test(arguments: Kernels.accelerated, [1, 5, 16, 40, 97])
  func `norms agree with portable C`(kernels: Kernels, channels: Int) {
    var random = SplitMix64(seed: channels)
    let rows = 11
    let x = GuardedFloats(random.floats(rows * channels).map { $0 + 20 })
    let gamma = GuardedFloats(random.floats(channels))
    let beta = GuardedFloats(random.floats(channels))
    func outputs(_ table: ck_table) -> [GuardedFloats] {
      let (mean, m2) = (GuardedFloats(count: channels), GuardedFloats(count: channels))
      let (affine, activated) = (GuardedFloats(count: rows * channels), GuardedFloats(count: rows * channels))
      let normal = GuardedFloats(count: rows * channels)
      table.moments(x.start, rows, channels, mean.start, m2.start)
      table.scale_shift(x.start, channels, rows, channels, gamma.start, beta.start, 0, affine.start, channels)
      table.scale_shift(x.start, channels, rows, channels, gamma.start, beta.start, 1, activated.start, channels)
      table.layer_norm(x.start, rows, channels, gamma.start, beta.start, 1e-5, normal.start)
      return [mean, m2, affine, activated, normal]
    }
    let expected = outputs(Kernels.portable.table.pointee)
    for (index, found) in outputs(kernels.table.pointee).enumerated() {
      let difference = relativeDifference(found.values, expected[index].values)
      #expect(found.guardsAreWhole && difference < 2e-5, "\(kernels.name) output \(index) differs by \(difference)")
    }
  }

  /// A sum is rounded once, so it is the same everywhere.
  @Test(arguments: Kernels.accelerated, [1, 7, 8, 15, 16, 17, 100])
  func `sums are the same as in portable C`(kernels: Kernels, count: Int) {
    var random = SplitMix64(seed: count)
    let (a, b) = (GuardedFloats(random.floats(count)), GuardedFloats(random.floats(count, times: 1e-3)))
    let (expected, found) = (GuardedFloats(count: count), GuardedFloats(count: count))
    Kernels.portable.table.pointee.add(a.start, b.start, count, expected.start)
    kernels.table.pointee.add(a.start, b.start, count, found.start)
    #expect(found.guardsAreWhole && found.values == expected.values)
  }

  @Test(arguments: Kernels.available, [1, 2, 3, 4, 5, 9])
  func `products of a row with vectors have the bits of one fused sum for each lane`(kernels: Kernels, vectors: Int) {
    let (count, stride) = (48, 53)
    var random = SplitMix64(seed: vectors)
    let a = random.floats(count)
    let x = random.floats(vectors * stride)
    let found = GuardedFloats(count: vectors * 16)
    kernels.table.pointee.lane_products(a, x, stride, vectors, count, found.start)
    let expected = (0..<vectors).flatMap { vector in
      (0..<16).map { lane in
        Swift.stride(from: lane, to: count, by: 16).reduce(Float(0)) {
          $0.addingProduct(a[$1], x[vector * stride + $1])
        }
      }
    }
    #expect(found.guardsAreWhole && found.values == expected)
  }

  /// At an odd address, where files may have them.
  @Test(arguments: Kernels.available)
  func `all half precision numbers are widened exactly, and non-finite ones are reported`(kernels: Kernels) {
    let finite = (0...UInt16.max).filter { Float16(bitPattern: $0).isFinite }
    let others = (0...UInt16.max).filter { !Float16(bitPattern: $0).isFinite }
    for halves in [finite, Array(finite.prefix(21)), others] {
      let bytes: [UInt8] = [0] + halves.flatMap { half -> [UInt8] in [UInt8(half & 0xff), UInt8(half >> 8)] }
      let found = GuardedFloats(count: halves.count)
      let isFinite = bytes.withUnsafeBytes { bytes in
        kernels.table.pointee.widen_f16(bytes.baseAddress.map { $0 + 1 }, halves.count, found.start) != 0
      }
      #expect(found.guardsAreWhole && isFinite == (halves != others))
      for (half, value) in zip(halves, found.values) {
        let expected = Float(Float16(bitPattern: half))
        #expect(expected.isNaN ? value.isNaN : value.bitPattern == expected.bitPattern)
      }
    }
  }
}
