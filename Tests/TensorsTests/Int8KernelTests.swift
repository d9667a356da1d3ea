import CKernels
import Foundation
import Testing
import TestSupport

@testable import Tensors

/// Every slot for 8-bit integers of every instruction set of this machine, compared with 64-bit integers, the formula in double
/// precision and portable C, with guards around every output.
@Suite struct Int8KernelTests {
  struct ProductShape: Sendable {
    let taps: Int
    let quads: Int
    let m: Int
    let n: Int
  }

  /// Full and partial tiles, full, half and partial panels, and the longest sum of SD 1.5.
  static let productShapes = [
    ProductShape(taps: 1, quads: 1, m: 1, n: 1), ProductShape(taps: 1, quads: 3, m: 5, n: 3),
    ProductShape(taps: 9, quads: 2, m: 8, n: 16), ProductShape(taps: 9, quads: 10, m: 13, n: 9),
    ProductShape(taps: 1, quads: 80, m: 33, n: 16), ProductShape(taps: 3, quads: 16, m: 64, n: 15),
    ProductShape(taps: 2, quads: 4, m: 11, n: 8), ProductShape(taps: 9, quads: 640, m: 3, n: 4),
  ]

  /// A product's arguments. Many bytes are the largest possible ones: sums of two of their products exceed 16 bits.
  private struct Operands {
    let shape: ProductShape
    let stride: Int
    let a: Guarded<UInt8>
    let weights: [Int8]
    let panel: Guarded<Int8>
    let width: Int

    init(_ shape: ProductShape, _ kernels: Kernels, columns: Int? = nil) {
      self.shape = shape
      var random = SplitMix64(seed: shape.quads * 100 + shape.m)
      width = kernels.panelWidth
      stride = 4 * shape.quads + 4
      a = Guarded(
        (0..<shape.taps * shape.m * stride).map { _ in
          let bits = random.next()
          return bits & 0x300 == 0 ? 255 : UInt8(truncatingIfNeeded: bits)
        }, sentinel: 99)
      let columns = columns ?? shape.n
      weights = (0..<shape.taps * 4 * shape.quads * columns).map { _ in
        let bits = random.next()
        return bits & 0x300 == 0
          ? (bits & 0x400 == 0 ? 127 : -127) : Int8(truncatingIfNeeded: Int(bits & 0xff) % 255 - 127)
      }
      panel = Guarded([Int8](repeating: 0, count: shape.taps * 4 * shape.quads * width), sentinel: 99)
      for tap in 0..<shape.taps {
        for k in 0..<4 * shape.quads {
          for j in 0..<columns {
            let at = ((tap * shape.quads + k / 4) * width + j) * 4 + k % 4
            panel.start[at] = weights[(tap * 4 * shape.quads + k) * columns + j]
          }
        }
      }
    }

    /// The sum of one result over some taps, in 64 bits.
    func sum(_ i: Int, _ j: Int, taps: Range<Int>? = nil) -> Int {
      var sum = 0
      for tap in taps ?? 0..<shape.taps {
        for k in 0..<4 * shape.quads {
          let columns = weights.count / (shape.taps * 4 * shape.quads)
          sum +=
            Int(a.start[(tap * shape.m + i) * stride + k]) * Int(weights[(tap * 4 * shape.quads + k) * columns + j])
        }
      }
      return sum
    }

    func columnSum(_ j: Int) -> Int {
      let columns = weights.count / (shape.taps * 4 * shape.quads)
      return stride(from: j, to: weights.count, by: columns).reduce(0) { $0 + Int(weights[$1]) }
    }

    private func stride(from: Int, to: Int, by: Int) -> StrideTo<Int> { Swift.stride(from: from, to: to, by: by) }

    func withCall(_ body: (inout ck_int8_product) -> Void) {
      let taps = (0..<shape.taps).map { Optional(UnsafePointer(a.start + $0 * shape.m * stride)) }
      taps.withUnsafeBufferPointer { taps in
        var call = ck_int8_product()
        call.taps = shape.taps
        call.tap = taps.baseAddress
        call.row_stride = stride
        call.quads = shape.quads
        call.panel = UnsafePointer(panel.start)
        call.m = shape.m
        call.n = shape.n
        body(&call)
      }
    }
  }

  /// Integer sums are exact, so they are the same in every instruction set.
  @Test(arguments: Kernels.available, productShapes)
  func `sums are exact, in one call and over several`(kernels: Kernels, shape: ProductShape) {
    let operands = Operands(shape, kernels)
    let width = kernels.panelWidth
    let sums = Guarded([Int32](repeating: -7, count: shape.m * width), sentinel: 99)
    operands.withCall { call in
      call.sums = sums.start
      for tap in 0..<shape.taps {
        call.taps = 1
        call.continues = tap > 0 ? 1 : 0
        kernels.table.pointee.product_int8(&call)
        call.tap += 1
        call.panel += 4 * shape.quads * width
      }
    }
    #expect(sums.guardsAreWhole)
    for i in 0..<shape.m {
      for j in 0..<shape.n {
        #expect(Int(sums.start[i * width + j]) == operands.sum(i, j), "\(kernels.name) \(shape), row \(i), column \(j)")
      }
    }
  }

  /// After the exact sum there are a few roundings, 2⁻²⁴ each; a result in bfloat16 is rounded again.
  @Test(arguments: Kernels.available, productShapes)
  func `results agree with the formula in double precision`(kernels: Kernels, shape: ProductShape) {
    let operands = Operands(shape, kernels)
    let (width, outStride) = (kernels.panelWidth, shape.n + 1)
    var random = SplitMix64(seed: shape.n)
    let bias = Guarded(random.floats(shape.n) + [Float](repeating: 0, count: width - shape.n))
    let scales = random.floats(shape.m).map { ($0 + 2) * 1e-2 }
    let zeros = (0..<shape.m).map { Int32($0 * 37 % 256) }
    let columnScales = Guarded(random.floats(width).map { ($0 + 2) * 1e-3 })
    let columnSums = Guarded(
      (0..<width).map { $0 < shape.n ? Int32(operands.columnSum($0)) : 0 }, sentinel: 99)
    let residual = Guarded(random.floats(shape.m * (shape.n + 2)).map(narrowed))
    let floats = GuardedFloats(count: shape.m * outStride)
    let rounded = Guarded<UInt16>(count: shape.m * outStride)
    for sharesScale in [false, true] {
      operands.withCall { call in
        scales.withUnsafeBufferPointer { scales in
          zeros.withUnsafeBufferPointer { zeros in
            call.finishes = 1
            call.scale = scales.baseAddress
            call.zero = zeros.baseAddress
            call.scale_stride = sharesScale ? 0 : 1
            call.column_scale = UnsafePointer(columnScales.start)
            call.column_sum = UnsafePointer(columnSums.start)
            call.bias = UnsafePointer(bias.start)
            call.residual = UnsafePointer(residual.start)
            call.residual_stride = shape.n + 2
            call.out_stride = outStride
            call.out32 = floats.start
            kernels.table.pointee.product_int8(&call)
            call.out32 = nil
            call.out = rounded.start
            kernels.table.pointee.product_int8(&call)
          }
        }
      }
      #expect(floats.guardsAreWhole && rounded.guardsAreWhole)
      for i in 0..<shape.m {
        let of = sharesScale ? 0 : i
        for j in 0..<shape.n {
          let exact = Double(operands.sum(i, j) - Int(zeros[of]) * operands.columnSum(j))
          let product = exact * Double(columnScales.start[j]) * Double(scales[of])
          let added = Double(bias.start[j]) + Double(widened(residual.start[i * (shape.n + 2) + j]))
          let (expected, size) = (product + added, product.magnitude + 2)
          let at = i * outStride + j
          #expect((Double(floats.start[at]) - expected).magnitude <= 0x1p-21 * size)
          #expect(
            (Double(widened(rounded.start[at])) - expected).magnitude <= 0x1.1p-8 * expected.magnitude + 0x1p-21 * size)
        }
      }
    }
  }

  @Test(arguments: Kernels.available, [1, 3, 5, 8])
  func `a gated panel multiplies its first half by the GELU of its second`(kernels: Kernels, n: Int) {
    let width = kernels.panelWidth
    guard n <= width / 2 else { return }
    let shape = ProductShape(taps: 1, quads: 5, m: 11, n: n)
    let operands = Operands(shape, kernels, columns: width)
    let columnScales = [Float](repeating: 2e-4, count: width)
    let columnSums = (0..<width).map { Int32(operands.columnSum($0)) }
    let bias = (0..<width).map { Float($0) * 0.1 - 1 }
    let found = GuardedFloats([Float](repeating: 77, count: shape.m * (n + 1)))
    operands.withCall { call in
      var (scale, zero): (Float, Int32) = (0.02, 100)
      withUnsafePointer(to: &scale) { scale in
        withUnsafePointer(to: &zero) { zero in
          columnScales.withUnsafeBufferPointer { columnScales in
            columnSums.withUnsafeBufferPointer { columnSums in
              bias.withUnsafeBufferPointer { bias in
                call.finishes = 1
                call.scale = scale
                call.zero = zero
                call.column_scale = columnScales.baseAddress
                call.column_sum = columnSums.baseAddress
                call.bias = bias.baseAddress
                call.is_gated = 1
                call.out32 = found.start
                call.out_stride = n + 1
                kernels.table.pointee.product_int8(&call)
              }
            }
          }
        }
      }
    }
    func linear(_ i: Int, _ j: Int) -> Double {
      Double(operands.sum(i, j) - 100 * operands.columnSum(j)) * 2e-4 * 0.02 + Double(bias[j])
    }
    #expect(found.guardsAreWhole)
    for i in 0..<shape.m {
      for j in 0..<n {
        let gate = linear(i, width / 2 + j)
        let expected = linear(i, j) * gate * 0.5 * (1 + erf(gate / 2.0.squareRoot()))
        #expect((Double(found.start[i * (n + 1) + j]) - expected).magnitude < 1e-5 * max(1, expected.magnitude))
      }
      #expect(found.start[i * (n + 1) + n] == 77)
    }
  }

  private func quantized(
    _ kernels: Kernels, _ x: [Float], channels: Int, given: (scale: Float, zero: Int32)? = nil
  ) -> (bytes: [UInt8], scales: [Float], zeros: [Int32]) {
    let rows = x.count / channels
    let stride = (channels + 3) / 4 * 4
    let source = Guarded(x.map(narrowed))
    let bytes = Guarded([UInt8](repeating: 99, count: rows * stride), sentinel: 98)
    let scales = Guarded([Float](repeating: given?.scale ?? 0, count: given == nil ? rows : 1))
    let zeros = Guarded([Int32](repeating: given?.zero ?? 0, count: given == nil ? rows : 1), sentinel: 98)
    var call = ck_quantization()
    call.x = UnsafePointer(source.start)
    call.x_stride = channels
    call.rows = rows
    call.k = channels
    call.y = bytes.start
    call.y_stride = stride
    call.scale = scales.start
    call.zero = zeros.start
    call.scale_stride = given == nil ? 1 : 0
    kernels.table.pointee.quantize(&call)
    #expect(bytes.guardsAreWhole && scales.guardsAreWhole && zeros.guardsAreWhole)
    return (bytes.values, scales.values, zeros.values)
  }

  /// Rows of small numbers, of large ones, of one sign, and of zeros only. Every number is off by at most half a step, and zero
  /// is exact.
  @Test(arguments: Kernels.available, [1, 3, 4, 16, 37, 320])
  func `each number becomes the nearest of 256 levels, the same in every instruction set`(
    kernels: Kernels, channels: Int
  ) {
    var random = SplitMix64(seed: channels)
    var x: [Float] = []
    for size in [1, 1e-3, 1e4, 1e-30, 1e30, 0] as [Float] {
      x += random.floats(channels, times: size)
      x += random.floats(channels, times: size).map(\.magnitude)
      x += random.floats(channels, times: size).map { -$0.magnitude }
    }
    let found = quantized(kernels, x, channels: channels)
    let expected = quantized(Kernels.portable, x, channels: channels)
    #expect(found == expected)
    let stride = (channels + 3) / 4 * 4
    for (row, scale) in found.scales.enumerated() {
      for c in 0..<stride {
        let q = Int(found.bytes[row * stride + c]) - Int(found.zeros[row])
        guard c < channels else {
          #expect(found.bytes[row * stride + c] == 0)
          continue
        }
        let value = widened(narrowed(x[row * channels + c]))
        #expect((Double(scale) * Double(q) - Double(value)).magnitude <= 0.5001 * Double(scale))
        if value == 0 { #expect(q == 0) }
      }
    }
  }

  @Test(arguments: Kernels.available)
  func `with a given scale, numbers outside its range are limited`(kernels: Kernels) {
    let found = quantized(kernels, [-100, -1, -0.25, 0, 0.25, 0.75, 1, 100], channels: 8, given: (0.5, 3))
    // Ties go to even.
    #expect(found.bytes == [0, 1, 3, 3, 3, 5, 5, 203])
    #expect(quantized(kernels, [1000, -1000], channels: 2, given: (0.5, 3)).bytes == [255, 0, 0, 0])
  }

  @Test(arguments: Kernels.available, [Float.nan, .infinity, -.infinity])
  func `the scale of a row with NaN or infinity is NaN, and other rows are not affected`(kernels: Kernels, odd: Float) {
    for channels in [1, 5, 16, 40] {
      var x = [Float](repeating: 0.5, count: 3 * channels)
      x[channels + channels / 2] = odd
      let scales = quantized(kernels, x, channels: channels).scales
      #expect(scales[1].isNaN && scales[0] == 0.5 / 255 && scales[2] == 0.5 / 255, "\(kernels.name) \(channels)")
      var (smallest, largest): (Float, Float) = (0, 0)
      x.map(narrowed).withUnsafeBufferPointer {
        kernels.table.pointee.range($0.baseAddress, x.count, &smallest, &largest)
      }
      var (scale, zero): (Float, Int32) = (0, 0)
      kernels.table.pointee.range_scale(smallest, largest, &scale, &zero)
      #expect(scale.isNaN)
    }
  }

  @Test(arguments: Kernels.available, [(taps: 1, inputs: 1), (taps: 1, inputs: 37), (taps: 9, inputs: 6)])
  func `weights are off by at most half a step, and their sums are exact`(
    kernels: Kernels, shape: (taps: Int, inputs: Int)
  ) {
    var random = SplitMix64(seed: shape.inputs)
    let (width, quads) = (kernels.panelWidth, (shape.inputs + 3) / 4)
    var weights = random.floats(shape.taps * shape.inputs * width)
    // One column has only zeros, and one only negative weights.
    for i in 0..<shape.taps * shape.inputs {
      weights[i * width + 1] = 0
      weights[i * width + 2] = -weights[i * width + 2].magnitude
    }
    let source = Guarded(weights)
    let panel = Guarded([Int8](repeating: 99, count: shape.taps * quads * width * 4), sentinel: 98)
    let scales = GuardedFloats(count: width)
    let sums = Guarded([Int32](repeating: 0, count: width), sentinel: 98)
    var call = ck_quantized_panel()
    call.taps = shape.taps
    call.inputs = shape.inputs
    call.x = UnsafePointer(source.start)
    call.panel = panel.start
    call.column_scale = scales.start
    call.column_sum = sums.start
    kernels.table.pointee.quantize_panel(&call)
    #expect(panel.guardsAreWhole && scales.guardsAreWhole && sums.guardsAreWhole)
    for j in 0..<width {
      let column = (0..<shape.taps * shape.inputs).map { weights[$0 * width + j] }
      let most = column.map(\.magnitude).max() ?? 0
      #expect(scales.start[j] == (most == 0 ? 1 : most / 127))
      var sum = 0
      for tap in 0..<shape.taps {
        for k in 0..<4 * quads {
          let q = panel.start[((tap * quads + k / 4) * width + j) * 4 + k % 4]
          sum += Int(q)
          let weight = k < shape.inputs ? Double(column[tap * shape.inputs + k]) : 0
          #expect((Double(scales.start[j]) * Double(q) - weight).magnitude <= 0.5001 * Double(scales.start[j]))
        }
      }
      #expect(sum == Int(sums.start[j]))
    }
  }
}
