/// The random numbers of dynamic prompts: SplitMix64 (Steele, Lea and Flood, 2014), with every step defined, so that the
/// same seed gives the same prompts on every machine.
///
/// The state starts at `mix(seed + stream)`. Each draw adds 0x9E3779B97F4A7C15 to it and mixes the result. Among n equally
/// likely values, a draw x selects number x·n / 2^64. Among weighted values, let u be x's upper 53 bits / 2^53: the draw
/// selects the first value whose cumulative weight exceeds u times the sum of all weights. The manual documents this.
package struct DynamicDraws: Sendable {
  private var state: UInt64

  /// With a weight above this, the digits of the other weights would be lost.
  static let largestWeight = 1e15

  /// Creates the draws of one text.
  ///
  /// - Parameters:
  ///   - seed: The seed.
  ///   - stream: Distinguishes the texts of one seed: 0 for prompts, 1 for negative prompts.
  package init(seed: Int64, stream: UInt64) {
    state = Self.mixed(UInt64(bitPattern: seed) &+ stream &* 0xD1B5_4A32_D192_ED03)
  }

  private static func mixed(_ value: UInt64) -> UInt64 {
    var mixed = value
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// The next 64 bits.
  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    return Self.mixed(state)
  }

  /// A number below `count`, which is at least 1.
  package mutating func index(below count: Int) -> Int {
    Int(next().multipliedFullWidth(by: UInt64(count)).high)
  }

  /// The index of one of several weights (at least one), given their cumulative sums. If all weights are 0, each is equally
  /// likely.
  package mutating func index(sums: [Double]) -> Int {
    guard let total = sums.last, total > 0 else { return index(below: max(1, sums.count)) }
    let wanted = Double(next() >> 11) * 0x1p-53 * total
    // Find the first sum above the target.
    var (low, high) = (0, sums.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if sums[middle] > wanted { high = middle } else { low = middle + 1 }
    }
    return low
  }

  /// The index of one of several weights.
  package mutating func index(weights: [Double]) -> Int {
    var sum = 0.0
    return index(
      sums: weights.map { weight in
        sum += weight
        return sum
      })
  }
}
