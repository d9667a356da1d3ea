import Weights

extension TransformerArchive {
  /// Finds the layers that adapters change; their files may have the authors' names or diffusers', joined by dots or underscores.
  ///
  /// - Parameter files: The adapters.
  /// - Returns: A match for each file; the transformer is the only network.
  /// - Throws: `WeightError.adapter` for an adapter that is not for this model.
  public func match(_ files: [AdapterFile]) throws(WeightError) -> [AdapterMatch] {
    let tensors = configuration.expectedTensors
    var names = AdapterNames()
    names.addTransformer(tensors, keyMaps: configuration.namings, network: 0)
    let shapes = Dictionary(tensors.map { ($0.name, $0.shape) }, uniquingKeysWith: { a, _ in a })
    var matches: [AdapterMatch] = []
    for file in files {
      matches.append(try AdapterMatch(file, names: names, shapes: [shapes], model: path, title: title))
    }
    return matches
  }
}
