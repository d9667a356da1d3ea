import TensorFiles
import Tensors
import Weights

extension WeightScope {
  /// A whole tensor as 32-bit floats, in the file's order, with the adapters' changes.
  func floats(_ name: String, shape: [Int]) throws(WeightError) -> [Float] {
    let weight = try tensor(name, shape: shape)
    var values = try WeightError.wrapping(try weight.floats())
    let patch = try WeightError.wrapping(
      try patch(name)?.prepared(
        shape: shape, parallel: { (0..<$0).forEach($1) },
        read: { (rows, destination) throws(TensorFileError) in try weight.read(rows: rows, into: destination) }))
    if let patch {
      values.withUnsafeMutableBufferPointer { values in
        if let base = values.baseAddress { patch.apply(to: base, rows: 0..<shape[0]) }
      }
    }
    return values
  }

  /// A whole tensor, `[outputs, inputs]` or `[outputs, inputs, height, width]`, with the adapters' changes, packed for
  /// products.
  func matrix(
    _ name: String, shape: [Int], bias: [Float]?, layer: PanelMatrix.Layer, compute: Compute
  ) throws(WeightError) -> PanelMatrix {
    let weight = try tensor(name, shape: shape)
    let patch = try WeightError.wrapping(
      try patch(name)?.prepared(
        shape: shape, parallel: compute.pool.run,
        read: { (rows, destination) throws(TensorFileError) in try weight.read(rows: rows, into: destination) }))
    return try WeightError.wrapping(
      try PanelMatrix(
        outputs: shape[0], inputs: shape[1], bias: bias, layer: layer, compute: compute,
        read: { (rows, destination) throws(TensorFileError) in
          try weight.read(rows: rows, into: destination)
          patch?.apply(to: destination, rows: rows)
        }))
  }
}

extension StoredTensor {
  /// Converts some rows, which are the outputs of a layer, to Float32.
  fileprivate func read(rows: Range<Int>, into destination: UnsafeMutablePointer<Float>) throws(TensorFileError) {
    let rowSize = shape.dropFirst().reduce(1, *)
    try read(elements: rows.lowerBound * rowSize..<rows.upperBound * rowSize, into: destination)
  }
}
