import Weights

extension ModelArchive {
  /// The stores of the networks that adapters change: first the UNet's, then those of the text encoders.
  public var adaptedStores: [WeightStore] { [unet.weights.store] + textEncoders.map(\.weights.store) }

  /// Finds the layers that adapters change; their files may use any naming.
  ///
  /// - Parameter files: The adapters.
  /// - Returns: A match for each file; networks are numbered as in `adaptedStores`.
  /// - Throws: `WeightError.adapter` for an adapter that is not for this model.
  public func match(_ files: [AdapterFile]) throws(WeightError) -> [AdapterMatch] {
    var names = AdapterNames()
    let configuration = unet.configuration
    var shapes = [Self.shapes(configuration)]
    names.addUNet(
      Self.layers(shapes[0]),
      structure: configuration.structure, network: 0)
    for (encoder, network) in zip(family.textEncoders, textEncoders) {
      let tensors = Self.shapes(network.configuration)
      names.addTextEncoder(Self.layers(tensors), encoder, network: shapes.count)
      shapes.append(tensors)
    }
    var matches: [AdapterMatch] = []
    for file in files {
      matches.append(try AdapterMatch(file, names: names, shapes: shapes, model: path, title: family.title))
    }
    return matches
  }

  private static func shapes(_ configuration: some NetworkConfiguration) -> [String: [Int]] {
    Dictionary(configuration.expectedTensors.map { ($0.name, $0.shape) }, uniquingKeysWith: { a, _ in a })
  }

  /// The names of the layers that have a weight.
  private static func layers(_ shapes: [String: [Int]]) -> [String] {
    shapes.keys.compactMap { $0.hasSuffix(".weight") ? String($0.dropLast(".weight".count)) : nil }
  }
}
