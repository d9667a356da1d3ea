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
    let isPatched = patch(name) != nil
    // Layers that adapters change are packed from the file. Weights that are already small in the file need no copy.
    let isKept =
      layer.taps == 1 && weight.keptForm(inputs: shape[1], compute.precision, compute.storage) != nil
    let copy = isPatched || isKept ? nil : packedNetwork(compute)
    let copyName = "\(path).\(name) \(layer)"
    if let copy,
      let packed = PanelMatrix(
        copy: copy, name: copyName, outputs: shape[0], inputs: shape[1], bias: bias, layer: layer, compute: compute)
    {
      return packed
    }
    let matrix = try packedMatrix(weight, name, shape: shape, bias: bias, layer: layer, compute: compute)
    copy?.keep(matrix, as: copyName)
    return matrix
  }

  /// The copies of this network's packed weights; nil if there are none, or if the network is so small that packing takes no
  /// time.
  private func packedNetwork(_ compute: Compute) -> PackedNetwork? {
    guard let copies = compute.machine.packedCopies, let digest = store.contentDigest else { return nil }
    let prefix = store.filePrefix.filter { $0.isLetter || $0.isNumber || $0 == "." || $0 == "_" }
    return copies.network(
      "\(digest)-\(prefix)-\(compute.precision)-\(compute.packing)-\(compute.kernels.name)")
  }

  private func packedMatrix(
    _ weight: StoredTensor, _ name: String, shape: [Int], bias: [Float]?, layer: PanelMatrix.Layer, compute: Compute
  ) throws(WeightError) -> PanelMatrix {
    let patch = try WeightError.wrapping(
      try patch(name)?.prepared(
        shape: shape, parallel: compute.pool.run,
        read: { (rows, destination) throws(TensorFileError) in try weight.read(rows: rows, into: destination) }))
    if patch == nil, let kept = try weight.kept(shape: shape, bias: bias, layer: layer, compute: compute) {
      return kept
    }
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
  /// A linear layer's weights in the form of the file; nil if they must be packed. That is the case if the compute requests it,
  /// if they are not smaller, or if one of them is NaN or infinite, which packing reports by name.
  fileprivate func kept(
    shape: [Int], bias: [Float]?, layer: PanelMatrix.Layer, compute: Compute
  ) throws(WeightError) -> PanelMatrix? {
    guard layer.taps == 1, let stored = keptForm(inputs: shape[1], compute.precision, compute.storage),
      let scale = rowFactors
    else { return nil }
    let factors = scale.factors.map { StoredFactors(factors: $0, inputsOfFactor: scale.columnsOfFactor) }
    return try WeightError.wrapping(
      try PanelMatrix(
        stored: stored, factors: factors, outputs: shape[0], inputs: shape[1], bias: bias, layer: layer,
        compute: compute,
        read: { (rows, destination) throws(TensorFileError) in try readBytes(rows: rows, into: destination) }))
  }

  /// The form in which a linear layer keeps this tensor; nil if it packs the tensor.
  func keptForm(inputs: Int, _ precision: Precision, _ storage: WeightStorage) -> StoredWeights? {
    guard storage == .kept, hasWholeRows, let form = StoredWeights(elementType),
      form.isSmaller(inputs: inputs, than: precision), let scale = rowFactors,
      scale.factors == nil || scale.columnsOfFactor.isMultiple(of: 32)
    else { return nil }
    return form
  }

  /// Converts some rows, which are the outputs of a layer, to Float32.
  fileprivate func read(rows: Range<Int>, into destination: UnsafeMutablePointer<Float>) throws(TensorFileError) {
    let rowSize = shape.dropFirst().reduce(1, *)
    try read(elements: rows.lowerBound * rowSize..<rows.upperBound * rowSize, into: destination)
  }
}

extension StoredWeights {
  /// The form of weights for a file's element type; nil if products cannot unpack it.
  init?(_ elementType: StoredElementType) {
    switch elementType {
    case .q4_0: self = .q4_0
    case .q8_0: self = .q8_0
    case .q4_K: self = .q4_K
    case .q5_K: self = .q5_K
    case .q6_K: self = .q6_K
    case .f8E4M3: self = .f8E4M3
    case .f8E5M2: self = .f8E5M2
    case .f16: self = .fp16
    case .bf16: self = .bf16
    default: return nil
    }
  }
}

extension WeightStore {
  /// The size in bytes of a network's weights in memory, in the form in which its layers store them: an estimate, slightly too
  /// high.
  ///
  /// - Parameters:
  ///   - tensors: The tensors of the network.
  ///   - precision: The precision of its linear layers.
  ///   - storage: How linear layers store their weights. Convolutions are packed; for those, nine positions are counted.
  /// - Returns: The size in bytes.
  public func weightBytes(of tensors: [ExpectedTensor], _ precision: Precision, _ storage: WeightStorage) -> Int {
    tensors.reduce(0) { sum, tensor in
      let shape = tensor.shape
      guard shape.count > 1 else { return sum + 4 * shape.reduce(1, *) + 128 }
      let positions = shape.dropFirst(2).reduce(1, *)
      if positions == 1, let stored = try? peek(tensor.name, shape: tensor.shape),
        let form = stored.keptForm(inputs: shape[1], precision, storage), let bytes = form.rowBytes(inputs: shape[1])
      {
        let factors = stored.rowFactors?.factors?.count ?? 0
        return sum + shape[0] * (bytes + 8) + 4 * factors
      }
      let outputs = (shape[0] + 31) / 32 * 32
      let size = precision == .int8 ? 1 : precision.elementType.size
      return sum + outputs * positions * ((shape[1] + 3) / 4 * 4 * size + 8)
    }
  }
}
