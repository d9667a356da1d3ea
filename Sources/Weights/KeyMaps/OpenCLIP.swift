/// The names of OpenCLIP's text encoders in single files of Stable Diffusion 2.x and XL.
///
/// There, queries, keys and values are thirds of one matrix, and the text projection is transposed.
extension KeyMap {
  /// The text encoder whose names start with `prefix`; `names` are those of the file, without the prefix.
  static func openCLIP(prefix: String, names: [Substring] = []) -> KeyMap {
    // Some converters write the projection as in the transformers library, where it is not transposed.
    let isOwn = names.contains("text_projection") || !names.contains("text_projection.weight")
    return KeyMap(
      prefix: prefix,
      rules: [
        KeyRule("embeddings.token_embedding", "token_embedding"),
        KeyRule("embeddings.position_embedding.weight", "positional_embedding"),
        KeyRule(
          "encoder.layers", "transformer.resblocks",
          inside: (0..<layerLimit).map { KeyRule("\($0)", "\($0)", inside: openCLIPLayer) }),
        KeyRule("final_layer_norm", "ln_final"),
      ] + (isOwn ? [KeyRule("text_projection.weight", "text_projection", form: .transposed)] : []),
      // The projection, if it is not used, and the image encoder.
      unused: ["text_projection", "visual."].map { prefix + $0 })
  }

  static let layerLimit = 128

  /// The rules for query, key and value weights that a file stores as one matrix. Its name is `fileName` and `weight` or `bias`.
  static func thirds(of fileName: String) -> [KeyRule] {
    ["q_proj", "k_proj", "v_proj"].enumerated().flatMap { index, part in
      ["weight", "bias"].map { KeyRule("self_attn.\(part).\($0)", fileName + $0, form: .part(index, of: 3)) }
    }
  }

  private static let openCLIPLayer: [KeyRule] =
    thirds(of: "attn.in_proj_") + [
      KeyRule("self_attn.out_proj", "attn.out_proj"),
      KeyRule("layer_norm1", "ln_1"), KeyRule("layer_norm2", "ln_2"),
      KeyRule("mlp.fc1", "mlp.c_fc"), KeyRule("mlp.fc2", "mlp.c_proj"),
    ]
}
