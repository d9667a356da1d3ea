import TestSupport

@testable import Tensors

extension SplitMix64 {
  init(seed: Int) { self.init(state: UInt64(bitPattern: Int64(seed)) &* 0x9E37_79B9_7F4A_7C15) }

  /// A number between -1 and 1.
  mutating func float() -> Float { Float(Int64(bitPattern: next()) >> 40) * 0x1p-23 }

  mutating func floats(_ count: Int, times scale: Float = 1) -> [Float] { (0..<count).map { _ in float() * scale } }
}

/// Aligned memory with guard values on both sides, which show a kernel that writes outside.
final class Guarded<Number: Equatable & BitwiseCopyable> {
  let start: UnsafeMutablePointer<Number>
  private let count: Int
  private let sentinel: Number

  init(_ values: [Number], sentinel: Number) {
    count = values.count
    self.sentinel = sentinel
    let total = count + 2 * guardCount
    let raw = UnsafeMutableRawPointer.allocate(byteCount: total * MemoryLayout<Number>.stride, alignment: 64)
    let all = raw.bindMemory(to: Number.self, capacity: total)
    all.update(repeating: sentinel, count: total)
    start = all + guardCount
    for (index, value) in values.enumerated() { start[index] = value }
  }

  deinit { (start - guardCount).deallocate() }

  var values: [Number] { Array(UnsafeBufferPointer(start: start, count: count)) }

  var guardsAreWhole: Bool {
    (1...guardCount).allSatisfy { start[-$0] == sentinel && start[count + $0 - 1] == sentinel }
  }
}

private let guardCount = 64

typealias GuardedFloats = Guarded<Float>

extension Guarded where Number == Float {
  convenience init(_ values: [Float]) { self.init(values, sentinel: 1234.5678) }

  convenience init(count: Int) { self.init([Float](repeating: 0, count: count)) }
}

/// bfloat16 with NaN as the guard, so that reading outside shows in the result.
extension Guarded where Number == UInt16 {
  convenience init(_ values: [UInt16]) { self.init(values, sentinel: 0x7fc0) }

  convenience init(count: Int) { self.init([UInt16](repeating: 0, count: count)) }
}

extension Compute {
  /// A sequence with these values, rounded to bf16.
  func tensor16(_ shape: [Int], _ values: [Float]) -> Tensor {
    let tensor = tensor(batch: 1, height: 1, width: shape[0], channels: shape[1], elementType: .bf16)
    for (index, value) in values.enumerated() { tensor.base16[index] = narrowed(value) }
    return tensor
  }
}

/// The largest difference, relative to the largest expected value (at least 1e-3).
func relativeDifference(_ found: [Float], _ expected: [Float]) -> Float {
  guard found.count == expected.count else { return .infinity }
  let scale = max(expected.map(\.magnitude).max() ?? 0, 1e-3)
  return zip(found, expected).reduce(0) { worst, pair in
    let difference = (pair.0 - pair.1).magnitude
    return difference.isNaN ? .infinity : max(worst, difference)
  } / scale
}

/// The largest difference in units in the last place: 1 if results were rounded to neighbouring bfloat16 numbers. Differences
/// below 1e-5 of the largest value are ignored, because sums that nearly cancel have few correct digits.
func roundedDifference(_ found: [UInt16], _ expected: [UInt16]) -> Float {
  guard found.count == expected.count else { return .infinity }
  let values = expected.map(widened)
  let scale = values.map(\.magnitude).max() ?? 0
  return zip(found.map(widened), values).reduce(0) { worst, pair in
    let difference = (pair.0 - pair.1).magnitude
    if difference.isNaN { return .infinity }
    return difference <= 1e-5 * scale ? worst : max(worst, difference / (pair.1.magnitude * 0x1p-7))
  }
}
