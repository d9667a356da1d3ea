import CKernels
import Testing
import TestSupport

@testable import Tensors

/// Every slot of every instruction set that this machine runs, against portable C, with guards around every output.
@Suite struct KernelAgreementTests {
  /// Sums of k products in other orders differ by about √k · 2⁻²⁴ of the terms' size; a missing product would change the
  /// result by some 1/√k of its size, a thousand times as much.
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

  /// The weights of a softmax are positive and sum to 1, so the error is that of the scores (some 1e-6) and of exp.
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

  /// The polynomials of exp and erf err by some 3e-7 of a result of size 1.
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

  /// Means far from zero would lose digits in a sum of squares; the second pass keeps them.
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
}
