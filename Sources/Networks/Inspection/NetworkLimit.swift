import Weights

/// Limits that are larger than in any real network, so that a hostile file causes an error instead of exhausting the memory.
enum NetworkLimit {
  static let blocks = 1...16
  static let layers = 1...16
  static let textLayers = 1...128
  static let transformerBlocks = 1...999
  static let heads = 1...1024
  static let channels = 1...65536
  static let vocabulary = 1...1_000_000
}

extension ConfigurationFile {
  /// An integer, or a list that repeats it for each block.
  func sameInteger(
    _ key: String, default absent: Int, in range: ClosedRange<Int>, count: Int
  ) throws(WeightError) -> Int {
    let integers = try integers(key, default: absent, in: range, count: count)
    guard let first = integers.first, integers.allSatisfy({ $0 == first }) else {
      throw unusable(key, expected: "the same number for all blocks")
    }
    return first
  }
}
