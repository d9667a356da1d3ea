import Weights

extension WeightScope {
  /// A whole tensor as 32-bit floats, in the file's order; the file's pages are let go of afterwards.
  func floats(_ name: String, shape: [Int]) throws(WeightError) -> [Float] {
    let weight = try tensor(name, shape: shape)
    let values = try weight.floats()
    weight.releasePages()
    return values
  }
}
