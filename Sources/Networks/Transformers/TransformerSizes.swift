import Weights

extension ModelFiles.Network {
  /// Throws `WeightError.configuration` unless each of these block counts is one that a real network may have.
  func requireBlocks(_ counts: [Int]) throws(WeightError) {
    for count in counts where !NetworkLimit.transformerBlocks.contains(count) {
      throw .configuration(
        path: store.path, key: "number of blocks", found: "\(count)",
        expected: "\(NetworkLimit.transformerBlocks.lowerBound) to \(NetworkLimit.transformerBlocks.upperBound)")
    }
  }
}
