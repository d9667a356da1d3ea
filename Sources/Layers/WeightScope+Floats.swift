import Tensors
import Weights

extension WeightScope {
  /// A whole tensor as 32-bit floats, in the file's order; the file's pages are let go of afterwards.
  func floats(_ name: String, shape: [Int]) throws(WeightError) -> [Float] {
    let weight = try tensor(name, shape: shape)
    let values = try weight.floats()
    weight.releasePages()
    return values
  }

  /// A whole tensor, `[outputs, inputs]` or with a kernel's height and width behind, packed for products; its pages are let
  /// go of afterwards.
  func matrix(
    _ name: String, shape: [Int], bias: [Float]?, algorithm: ConvolutionAlgorithm = .direct, compute: Compute
  ) throws(WeightError) -> PanelMatrix {
    let weight = try tensor(name, shape: shape)
    let taps = shape.dropFirst(2).reduce(1, *)
    let rowSize = shape[1] * taps
    let matrix = try PanelMatrix(
      outputs: shape[0], inputs: shape[1], taps: taps, bias: bias, algorithm: algorithm, compute: compute
    ) { (rows, destination) throws(WeightError) in
      try weight.read(elements: rows.lowerBound * rowSize..<rows.upperBound * rowSize, into: destination)
    }
    weight.releasePages()
    return matrix
  }
}
