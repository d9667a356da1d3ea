import TensorFiles

extension TransformerKind {
  /// Z-Image.
  package static let zImage = TransformerKind(
    title: "Z-Image", className: "ZImageTransformer2DModel",
    markers: [["all_x_embedder.2-1.weight"], ["cap_embedder.0.weight", "layers.0.adaLN_modulation.0.weight"]],
    authorsTensor: "x_embedder.weight"
  ) { .zImage(prefix: $0, $1) }
}

/// The names of a Z-Image transformer: those of its authors, and those of the diffusers library, which the code uses.
extension KeyMap {
  static func zImage(prefix: String, _ tensors: [String: StoredTensor]) -> KeyMap {
    let unused = [prefix + "norm_final."]
    guard tensors[prefix + "all_x_embedder.2-1.weight"] == nil else {
      return KeyMap(prefix: prefix, rules: [], unused: unused)
    }
    return zImage(prefix: prefix, unused: unused) { blockCount(tensors, "\(prefix)\($0).") }
  }

  /// The names of a transformer in adapters: those of the authors and of diffusers.
  package static func zImageNamings(layers: Int, refinerLayers: Int) -> [KeyMap] {
    [
      zImage(prefix: "", unused: []) { $0 == "layers" ? layers : refinerLayers },
      KeyMap(prefix: "", rules: [], unused: []),
    ]
  }

  private static func zImage(prefix: String, unused: [String], blocks: (String) -> Int) -> KeyMap {
    var rules = [
      KeyRule("all_x_embedder.2-1", "x_embedder"), KeyRule("all_final_layer.2-1", "final_layer"),
    ]
    let attention =
      ["to_q", "to_k", "to_v"].enumerated().map { index, layer in
        KeyRule("\(layer).weight", "qkv.weight", form: .part(index, of: 3))
      } + [KeyRule("to_out.0", "out"), KeyRule("norm_q", "q_norm"), KeyRule("norm_k", "k_norm")]
    for name in ["layers", "noise_refiner", "context_refiner"] {
      for block in 0..<blocks(name) {
        let name = "\(name).\(block).attention"
        rules.append(KeyRule(name, name, inside: attention))
      }
    }
    return KeyMap(prefix: prefix, rules: rules, unused: unused)
  }
}
