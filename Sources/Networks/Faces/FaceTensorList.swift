import Weights

/// The tensors of a network for face restoration, added layer by layer under their names in the file.
struct FaceTensorList {
  private(set) var tensors: [ExpectedTensor] = []

  mutating func add(_ name: String, _ shape: Int...) { tensors.append(ExpectedTensor(name, shape)) }

  /// `weight`, and `bias` if the layer has one.
  mutating func convolution(_ name: String, _ inputs: Int, _ outputs: Int, kernel: Int = 3, hasBias: Bool = true) {
    add("\(name).weight", outputs, inputs, kernel, kernel)
    if hasBias { add("\(name).bias", outputs) }
  }

  mutating func linear(_ name: String, _ inputs: Int, _ outputs: Int, hasBias: Bool = true) {
    add("\(name).weight", outputs, inputs)
    if hasBias { add("\(name).bias", outputs) }
  }

  /// A group or layer norm.
  mutating func norm(_ name: String, _ channels: Int) {
    add("\(name).weight", channels)
    add("\(name).bias", channels)
  }

  /// A batch norm with the mean and variance of the training.
  mutating func batchNorm(_ name: String, _ channels: Int) {
    norm(name, channels)
    add("\(name).running_mean", channels)
    add("\(name).running_var", channels)
  }
}

extension WeightScope {
  /// The number of consecutive children, numbered from 0, that have the tensor `mark`; limited, because files may be hostile.
  func count(having mark: String) -> Int { (0..<256).first { !contains("\($0).\(mark)") } ?? 256 }

  /// A dimension of a tensor.
  ///
  /// - Parameters:
  ///   - name: The tensor.
  ///   - dimension: 0 for outputs, 1 for inputs.
  /// - Returns: The size, at least 1.
  /// - Throws: `WeightError` if the tensor is missing, or larger than in any network.
  func size(_ name: String, _ dimension: Int = 0) throws(WeightError) -> Int {
    let fullName = path.isEmpty ? name : "\(path).\(name)"
    guard let shape = shape(of: name) else { throw .file(.damaged(path: store.path, reason: "it has no \(fullName)")) }
    guard dimension < shape.count, (1...8192).contains(shape[dimension]) else {
      throw .configuration(
        path: store.path, key: "the shape of \(fullName)", found: "\(shape)", expected: "sizes from 1 to 8192")
    }
    return shape[dimension]
  }
}
