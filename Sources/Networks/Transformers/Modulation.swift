import Tensors

/// How the network's inputs besides its tokens change one half of a block.
struct ModulatedChange {
  /// Added after the norm.
  let shift: [Float]
  /// The norm is multiplied by 1 + scale.
  let scale: [Float]
  /// The factor of the result before it is added.
  let gate: [Float]

  /// Change number `index` in rows of shift, scale and gate, each with `width` numbers.
  init(_ rows: [Float], _ index: Int, width: Int) {
    func row(_ part: Int) -> ArraySlice<Float> {
      rows[(3 * index + part) * width..<(3 * index + part + 1) * width]
    }
    shift = Array(row(0))
    scale = row(1).map { 1 + $0 }
    gate = Array(row(2))
  }

  /// A change before keys and values only.
  init(scale: [Float], shift: [Float]) {
    self.shift = shift
    self.scale = scale
    gate = []
  }
}

/// How a stream is changed in a block.
struct StreamChanges {
  let attention: ModulatedChange
  /// nil for a stream that ends in the block.
  let feedForward: ModulatedChange?
  /// The change of the image's attention to itself, in blocks that have it.
  let secondAttention: ModulatedChange?

  /// The changes from rows of six or nine times `width` numbers.
  init(_ rows: [Float], width: Int) {
    attention = ModulatedChange(rows, 0, width: width)
    feedForward = ModulatedChange(rows, 1, width: width)
    secondAttention = rows.count >= 9 * width ? ModulatedChange(rows, 2, width: width) : nil
  }

  /// The changes of a stream that only provides keys and values.
  init(keysAndValues change: ModulatedChange) {
    (attention, feedForward, secondAttention) = (change, nil, nil)
  }
}

extension Compute {
  /// The layer norm without weights, then scaled and shifted.
  func modulated(_ x: Tensor, _ change: ModulatedChange) -> Tensor {
    layerNorm(x, gamma: change.scale, beta: change.shift, epsilon: 1e-6)
  }
}
