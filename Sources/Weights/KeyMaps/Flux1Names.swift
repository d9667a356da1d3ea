import TensorFiles

extension TransformerKind {
  /// Flux.1.
  package static let flux1 = TransformerKind(
    title: "Flux.1", className: "FluxTransformer2DModel",
    markers: [["double_blocks.0.img_attn.norm.key_norm.scale"], ["single_transformer_blocks.0.proj_mlp.weight"]],
    authorsTensor: "img_in.weight"
  ) { .flux1(prefix: $0, $1) }
}

/// The names of a Flux.1 transformer: those of its authors, and those of the diffusers library.
///
/// In code, the two halves of the last modulation are separate tensors, because their order differs between the namings.
extension KeyMap {
  /// What the names of a Flux.1 transformer depend on.
  struct Flux1Sizes {
    /// Whether the names are those of the authors.
    var isOriginal: Bool
    /// The number of channels of a token.
    var width: Int
    /// The number of rows in the first matrix of a single block in the authors' files: queries, keys, values, hidden layer.
    var fusedRows: Int
    var doubleBlocks: Int
    var singleBlocks: Int
  }

  /// The key map for some tensors.
  static func flux1(prefix: String, _ tensors: [String: StoredTensor]) -> KeyMap {
    let isOriginal = tensors[prefix + "img_in.weight"] != nil
    func rows(_ name: String) -> Int { tensors[prefix + name]?.shape.first ?? 0 }
    return flux1(
      prefix: prefix,
      Flux1Sizes(
        isOriginal: isOriginal, width: rows(isOriginal ? "img_in.weight" : "x_embedder.weight"),
        fusedRows: rows("single_blocks.0.linear1.weight"),
        doubleBlocks: blockCount(tensors, prefix + "double_blocks."),
        singleBlocks: blockCount(tensors, prefix + "single_blocks.")))
  }

  /// The names of a transformer in adapters: those of the authors and of diffusers.
  package static func flux1Namings(width: Int, fusedRows: Int, doubleBlocks: Int, singleBlocks: Int) -> [KeyMap] {
    [true, false].map { isOriginal in
      flux1(
        prefix: "",
        Flux1Sizes(
          isOriginal: isOriginal, width: width, fusedRows: fusedRows, doubleBlocks: doubleBlocks,
          singleBlocks: singleBlocks))
    }
  }

  /// The key map of a transformer with these sizes.
  static func flux1(prefix: String, _ sizes: Flux1Sizes) -> KeyMap {
    let width = sizes.width
    var rules = lastModulation(
      sizes.isOriginal ? "final_layer.adaLN_modulation.1" : "norm_out.linear", code: "norm_out",
      isShiftFirst: sizes.isOriginal, width: width)
    guard sizes.isOriginal else { return KeyMap(prefix: prefix, rules: rules, unused: []) }
    rules += [
      KeyRule("x_embedder", "img_in"), KeyRule("context_embedder", "txt_in"), KeyRule("proj_out", "final_layer.linear"),
    ]
    for (name, file) in [
      ("timestep_embedder", "time_in"), ("text_embedder", "vector_in"), ("guidance_embedder", "guidance_in"),
    ] {
      rules += [
        KeyRule("time_text_embed.\(name).linear_1", "\(file).in_layer"),
        KeyRule("time_text_embed.\(name).linear_2", "\(file).out_layer"),
      ]
    }
    for block in 0..<sizes.doubleBlocks {
      rules.append(KeyRule("transformer_blocks.\(block)", "double_blocks.\(block)", inside: flux1DoubleBlock))
    }
    for block in 0..<sizes.singleBlocks {
      var inside: [KeyRule] = []
      for ending in ["weight", "bias"] {
        for (index, layer) in ["to_q", "to_k", "to_v"].enumerated() {
          inside.append(
            KeyRule(
              "attn.\(layer).\(ending)", "linear1.\(ending)",
              form: .rows(index * width..<(index + 1) * width, of: sizes.fusedRows)))
        }
        inside.append(
          KeyRule(
            "proj_mlp.\(ending)", "linear1.\(ending)",
            form: .rows(min(3 * width, sizes.fusedRows)..<sizes.fusedRows, of: sizes.fusedRows)))
      }
      inside += [
        KeyRule("proj_out", "linear2"), KeyRule("norm.linear", "modulation.lin"),
        KeyRule("attn.norm_q.weight", "norm.query_norm.scale"), KeyRule("attn.norm_k.weight", "norm.key_norm.scale"),
      ]
      rules.append(KeyRule("single_transformer_blocks.\(block)", "single_blocks.\(block)", inside: inside))
    }
    return KeyMap(prefix: prefix, rules: rules, unused: [])
  }

  /// The scale and shift of a norm, which are the halves of one layer.
  static func lastModulation(_ file: String, code: String, isShiftFirst: Bool, width: Int) -> [KeyRule] {
    let halves: [TensorForm] = [.rows(0..<width, of: 2 * width), .rows(width..<2 * width, of: 2 * width)]
    return ["weight", "bias"].flatMap { ending in
      [
        KeyRule("\(code).scale.\(ending)", "\(file).\(ending)", form: isShiftFirst ? halves[1] : halves[0]),
        KeyRule("\(code).shift.\(ending)", "\(file).\(ending)", form: isShiftFirst ? halves[0] : halves[1]),
      ]
    }
  }

  /// A double block, whose queries, keys and values are one matrix.
  private static let flux1DoubleBlock: [KeyRule] = {
    var rules: [KeyRule] = []
    for (stream, layers, output, norms, modulation, feedForward) in [
      ("img", ["to_q", "to_k", "to_v"], "to_out.0", ["norm_q", "norm_k"], "norm1", "ff"),
      (
        "txt", ["add_q_proj", "add_k_proj", "add_v_proj"], "to_add_out", ["norm_added_q", "norm_added_k"],
        "norm1_context", "ff_context"
      ),
    ] {
      for (index, layer) in layers.enumerated() {
        for ending in ["weight", "bias"] {
          rules.append(
            KeyRule("attn.\(layer).\(ending)", "\(stream)_attn.qkv.\(ending)", form: .part(index, of: 3)))
        }
      }
      rules += [
        KeyRule("attn.\(output)", "\(stream)_attn.proj"),
        KeyRule("attn.\(norms[0]).weight", "\(stream)_attn.norm.query_norm.scale"),
        KeyRule("attn.\(norms[1]).weight", "\(stream)_attn.norm.key_norm.scale"),
        KeyRule("\(modulation).linear", "\(stream)_mod.lin"), KeyRule("\(feedForward).net.0.proj", "\(stream)_mlp.0"),
        KeyRule("\(feedForward).net.2", "\(stream)_mlp.2"),
      ]
    }
    return rules
  }()
}
