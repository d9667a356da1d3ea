import TestSupport

extension SplitMix64 {
  init(seed: Int) { self.init(state: UInt64(bitPattern: Int64(seed)) &* 0x9E37_79B9_7F4A_7C15) }

  /// Between -1 and 1.
  mutating func float() -> Float { Float(Int64(bitPattern: next()) >> 40) * 0x1p-23 }

  mutating func floats(_ count: Int, times scale: Float = 1) -> [Float] { (0..<count).map { _ in float() * scale } }
}

/// Aligned memory with a guard on both sides, to catch a kernel that writes where it may not.
final class GuardedFloats {
  let start: UnsafeMutablePointer<Float>
  private let count: Int
  private static let guardCount = 64
  private static let sentinel: Float = 1234.5678

  init(_ values: [Float]) {
    count = values.count
    let total = (count + 2 * Self.guardCount) * 4
    let raw = UnsafeMutableRawPointer.allocate(byteCount: total, alignment: 64)
    let all = raw.bindMemory(to: Float.self, capacity: total / 4)
    all.update(repeating: Self.sentinel, count: total / 4)
    start = all + Self.guardCount
    for (index, value) in values.enumerated() { start[index] = value }
  }

  convenience init(count: Int) { self.init([Float](repeating: 0, count: count)) }

  deinit { (start - Self.guardCount).deallocate() }

  var values: [Float] { Array(UnsafeBufferPointer(start: start, count: count)) }

  var guardsAreWhole: Bool {
    (1...Self.guardCount).allSatisfy { start[-$0] == Self.sentinel && start[count + $0 - 1] == Self.sentinel }
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
