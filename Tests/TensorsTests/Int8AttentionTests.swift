import CKernels
import Testing
import TestSupport

@testable import Tensors

/// Attention whose scores are products of bytes, compared with the formula in double precision.
@Suite struct Int8AttentionTests {
  static let shapes = [
    AttentionShape(queries: 70, keys: 231, heads: 2, width: 80, mask: .none),
    AttentionShape(queries: 33, keys: 1300, heads: 3, width: 40, mask: .none),
    AttentionShape(queries: 9, keys: 128, heads: 1, width: 13, mask: .none),
    AttentionShape(queries: 40, keys: 520, heads: 1, width: 256, mask: .none),
    AttentionShape(queries: 150, keys: 150, heads: 2, width: 64, mask: .causal),
    AttentionShape(queries: 49, keys: 257, heads: 1, width: 160, mask: .none),
  ]

  /// Every instruction set of this machine, including those without fast bytes: the kernel is the same.
  private static func output(
    _ shape: AttentionShape, _ q: [Float], _ k: [Float], _ v: [Float], _ compute: Compute
  ) throws -> [UInt16] {
    let channels = shape.heads * shape.width
    let source = KeysValues(
      keys: compute.tensor16([shape.keys, channels], k), values: compute.tensor16([shape.keys, channels], v), image: 0,
      heads: shape.heads, compute: compute)
    try #require(source.hasByteKeys)
    let y = compute.attention(compute.tensor16([shape.queries, channels], q), [source], mask: shape.mask)
    return (0..<y.count).map { y.base16[$0] }
  }

  private static func rounded(_ values: [Float]) -> [Float] { values.map { widened(narrowed($0)) } }

  /// The root mean square of the differences, relative to that of the expected values.
  private static func relativeError(_ found: [UInt16], _ expected: [Float]) -> Float {
    var (squares, differences) = (0.0, 0.0)
    for (found, expected) in zip(found.map(widened), expected) {
      squares += Double(expected * expected)
      differences += Double((found - expected) * (found - expected))
    }
    return Float((differences / squares).squareRoot())
  }

  private static var sets: [Kernels] { Kernels.available.filter(\.isFastInInt8) }

  @Test(arguments: sets, shapes)
  func `scores of bytes cost less than three per cent`(kernels: Kernels, shape: AttentionShape) throws {
    var random = SplitMix64(seed: shape.keys)
    let compute = Compute(kernels: kernels, threadCount: 2, precision: .int8)
    let channels = shape.heads * shape.width
    let q = Self.rounded(random.floats(shape.queries * channels, times: 3))
    let k = Self.rounded(random.floats(shape.keys * channels, times: 2))
    let v = Self.rounded(random.floats(shape.keys * channels))
    let error = Self.relativeError(try Self.output(shape, q, k, v, compute), shape.expected(q, k, v))
    #expect(error < 0.03, "\(kernels.name) \(shape): \(error)")
  }

  /// The mean of all keys adds the same to all scores of a query, but would take most of the bytes' range.
  @Test(arguments: sets)
  func `a mean of the keys that is far larger than their differences does not matter`(kernels: Kernels) throws {
    let shape = Self.shapes[1]
    var random = SplitMix64(seed: 3)
    let compute = Compute(kernels: kernels, threadCount: 2, precision: .int8)
    let channels = shape.heads * shape.width
    let means = random.floats(channels, times: 30)
    let q = Self.rounded(random.floats(shape.queries * channels))
    let k = Self.rounded(random.floats(shape.keys * channels, times: 2).enumerated().map { $1 + means[$0 % channels] })
    let v = Self.rounded(random.floats(shape.keys * channels))
    let error = Self.relativeError(try Self.output(shape, q, k, v, compute), shape.expected(q, k, v))
    #expect(error < 0.02, "\(error)")
  }

  @Test(arguments: sets)
  func `any number of threads gives the same bits`(kernels: Kernels) throws {
    let shape = Self.shapes[1]
    var random = SplitMix64(seed: 8)
    let channels = shape.heads * shape.width
    let q = random.floats(shape.queries * channels)
    let k = random.floats(shape.keys * channels)
    let v = random.floats(shape.keys * channels)
    let results = try [1, 2, 3, 7].map { threads in
      try Self.output(shape, q, k, v, Compute(kernels: kernels, threadCount: threads, precision: .int8))
    }
    #expect(results.allSatisfy { $0 == results[0] })
  }

  /// One panel of keys, packed by each set.
  private struct Panel: Equatable {
    var bytes: [Int8]
    var scales: [UInt32]
    var sums: [Int32]

    init(_ kernels: Kernels, _ keys: [UInt16], _ mean: [Float], width: Int) {
      let nr = kernels.panelWidth
      let panel = Guarded([Int8](repeating: 1, count: (width + 3) / 4 * 4 * nr), sentinel: 99)
      let scale = GuardedFloats(count: nr)
      let sum = Guarded([Int32](repeating: 1, count: nr), sentinel: 99)
      let x = Guarded(keys)
      let means = GuardedFloats(mean)
      var call = ck_quantized_keys()
      (call.x, call.x_stride, call.rows, call.d) = (UnsafePointer(x.start), width, keys.count / width, width)
      (call.mean, call.panel, call.scale, call.sum) = (UnsafePointer(means.start), panel.start, scale.start, sum.start)
      kernels.table.pointee.quantize_keys(&call)
      #expect(panel.guardsAreWhole && scale.guardsAreWhole && sum.guardsAreWhole)
      // The columns of the first keys, which are in panels of every width.
      let columns = 16
      bytes = (0..<(width + 3) / 4).flatMap { quad in
        (0..<columns * 4).map { panel.start[quad * nr * 4 + $0] }
      }
      scales = (0..<columns).map { scale.start[$0].bitPattern }
      sums = (0..<columns).map { sum.start[$0] }
    }
  }

  @Test(arguments: Kernels.accelerated, [1, 8, 40, 77, 256])
  func `keys have the bytes of portable C`(kernels: Kernels, width: Int) {
    var random = SplitMix64(seed: width)
    let keys = random.floats(11 * width, times: 4).map(narrowed)
    let mean = random.floats(width)
    #expect(
      Panel(kernels, keys, mean, width: width) == Panel(Kernels.portable, keys, mean, width: width), "\(kernels.name)")
  }
}
