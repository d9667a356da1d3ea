import Tensors
import Weights

extension WeightScope {
  /// A whole tensor as 32-bit floats, in the file's order, with what adapters change; the file's pages are let go of
  /// afterwards.
  func floats(_ name: String, shape: [Int]) throws(WeightError) -> [Float] {
    let weight = try tensor(name, shape: shape)
    var values = try weight.floats()
    weight.releasePages()
    let rowSize = shape.dropFirst().reduce(1, *)
    let patch = try patch(name)?.prepared(shape: shape, parallel: { (0..<$0).forEach($1) }) {
      (rows, destination) throws(WeightError) in
      try weight.read(elements: rows.lowerBound * rowSize..<rows.upperBound * rowSize, into: destination)
    }
    if let patch {
      values.withUnsafeMutableBufferPointer { values in
        if let base = values.baseAddress { patch.apply(to: base, rows: 0..<shape[0]) }
      }
    }
    return values
  }

  /// A whole tensor, `[outputs, inputs]` or with a kernel's height and width behind, with what adapters change, packed for
  /// products; its pages are let go of afterwards.
  func matrix(
    _ name: String, shape: [Int], bias: [Float]?, algorithm: ConvolutionAlgorithm = .direct, isGated: Bool = false,
    compute: Compute
  ) throws(WeightError) -> PanelMatrix {
    let weight = try tensor(name, shape: shape)
    let taps = shape.dropFirst(2).reduce(1, *)
    let rowSize = shape[1] * taps
    func read(_ rows: Range<Int>, into destination: UnsafeMutablePointer<Float>) throws(WeightError) {
      try weight.read(elements: rows.lowerBound * rowSize..<rows.upperBound * rowSize, into: destination)
    }
    let patch = try patch(name)?.prepared(shape: shape, parallel: compute.pool.run, read: read)
    let matrix = try PanelMatrix(
      outputs: shape[0], inputs: shape[1], taps: taps, bias: bias, algorithm: algorithm, isGated: isGated,
      compute: compute
    ) { (rows, destination) throws(WeightError) in
      try read(rows, into: destination)
      patch?.apply(to: destination, rows: rows)
    }
    weight.releasePages()
    return matrix
  }
}
