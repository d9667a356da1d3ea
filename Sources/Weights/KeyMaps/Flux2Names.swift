import TensorFiles

extension TransformerKind {
  /// FLUX.2 klein.
  package static let flux2 = TransformerKind(
    title: "FLUX.2 klein", className: "Flux2Transformer2DModel",
    markers: [["double_stream_modulation_img.lin.weight"], ["double_stream_modulation_img.linear.weight"]],
    authorsTensor: "double_stream_modulation_img.lin.weight"
  ) { .flux2(prefix: $0, $1) }
}

/// The names of a FLUX.2 transformer: those of its authors, and those of the diffusers library.
///
/// In code, the queries, keys, values and hidden layers of single blocks are separate tensors. So are the halves of the last
/// modulation, because their order differs between the namings.
extension KeyMap {
  /// What the names of a FLUX.2 transformer depend on.
  struct Flux2Sizes {
    /// Whether the names are those of the authors.
    var isOriginal: Bool
    /// The number of channels of a token.
    var width: Int
    /// The number of rows in the first matrix of a single block: queries, keys, values, hidden layer.
    var fusedRows: Int
    var doubleBlocks: Int
    var singleBlocks: Int
  }

  /// The key map for some tensors.
  static func flux2(prefix: String, _ tensors: [String: StoredTensor]) -> KeyMap {
    let isOriginal = tensors[prefix + "double_stream_modulation_img.lin.weight"] != nil
    func rows(_ name: String) -> Int { tensors[prefix + name]?.shape.first ?? 0 }
    let single = isOriginal ? "single_blocks." : "single_transformer_blocks."
    let fused =
      isOriginal ? "single_blocks.0.linear1.weight" : "single_transformer_blocks.0.attn.to_qkv_mlp_proj.weight"
    return flux2(
      prefix: prefix,
      Flux2Sizes(
        isOriginal: isOriginal, width: rows(isOriginal ? "img_in.weight" : "x_embedder.weight"),
        fusedRows: rows(fused),
        doubleBlocks: blockCount(tensors, prefix + (isOriginal ? "double_blocks." : "transformer_blocks.")),
        singleBlocks: blockCount(tensors, prefix + single)))
  }

  /// The key map of a transformer with these sizes.
  static func flux2(prefix: String, _ sizes: Flux2Sizes) -> KeyMap {
    let (isOriginal, width) = (sizes.isOriginal, sizes.width)
    let single = isOriginal ? "single_blocks" : "single_transformer_blocks"
    let fused = isOriginal ? "linear1.weight" : "to_qkv_mlp_proj.weight"
    let inner = isOriginal ? "" : ".attn"
    var rules: [KeyRule] = []
    for block in 0..<sizes.singleBlocks {
      let name = "\(single).\(block)\(inner)"
      let total = sizes.fusedRows
      var inside = ["to_q", "to_k", "to_v"].enumerated().map { index, layer in
        KeyRule("\(layer).weight", fused, form: .rows(index * width..<(index + 1) * width, of: total))
      }
      inside.append(KeyRule("to_mlp.weight", fused, form: .rows(min(3 * width, total)..<total, of: total)))
      if isOriginal {
        inside += [
          KeyRule("to_out", "linear2"), KeyRule("norm_q.weight", "norm.query_norm.scale"),
          KeyRule("norm_k.weight", "norm.key_norm.scale"),
        ]
      }
      rules.append(KeyRule("single_transformer_blocks.\(block).attn", name, inside: inside))
    }
    let last = isOriginal ? "final_layer.adaLN_modulation.1.weight" : "norm_out.linear.weight"
    let halves: [TensorForm] = [.rows(0..<width, of: 2 * width), .rows(width..<2 * width, of: 2 * width)]
    rules += [
      KeyRule("norm_out.scale.weight", last, form: isOriginal ? halves[1] : halves[0]),
      KeyRule("norm_out.shift.weight", last, form: isOriginal ? halves[0] : halves[1]),
    ]
    guard isOriginal else { return KeyMap(prefix: prefix, rules: rules, unused: []) }
    rules += [
      KeyRule("x_embedder", "img_in"), KeyRule("context_embedder", "txt_in"), KeyRule("proj_out", "final_layer.linear"),
      KeyRule("time_guidance_embed.timestep_embedder.linear_1", "time_in.in_layer"),
      KeyRule("time_guidance_embed.timestep_embedder.linear_2", "time_in.out_layer"),
    ]
    for name in ["double_stream_modulation_img", "double_stream_modulation_txt", "single_stream_modulation"] {
      rules.append(KeyRule("\(name).linear", "\(name).lin"))
    }
    for block in 0..<sizes.doubleBlocks {
      rules.append(KeyRule("transformer_blocks.\(block)", "double_blocks.\(block)", inside: fluxDoubleBlock))
    }
    return KeyMap(prefix: prefix, rules: rules, unused: [])
  }

  /// The names of a transformer in adapters: those of the authors and of diffusers.
  package static func flux2Namings(width: Int, fusedRows: Int, doubleBlocks: Int, singleBlocks: Int) -> [KeyMap] {
    [true, false].map { isOriginal in
      flux2(
        prefix: "",
        Flux2Sizes(
          isOriginal: isOriginal, width: width, fusedRows: fusedRows, doubleBlocks: doubleBlocks,
          singleBlocks: singleBlocks))
    }
  }

  /// A double block, whose queries, keys and values are one matrix.
  private static let fluxDoubleBlock: [KeyRule] = {
    var rules: [KeyRule] = []
    for (stream, layers, output, norms, feedForward) in [
      ("img", ["to_q", "to_k", "to_v"], "to_out.0", ["norm_q", "norm_k"], "ff"),
      (
        "txt", ["add_q_proj", "add_k_proj", "add_v_proj"], "to_add_out", ["norm_added_q", "norm_added_k"], "ff_context"
      ),
    ] {
      for (index, layer) in layers.enumerated() {
        rules.append(KeyRule("attn.\(layer).weight", "\(stream)_attn.qkv.weight", form: .part(index, of: 3)))
      }
      rules += [
        KeyRule("attn.\(output)", "\(stream)_attn.proj"),
        KeyRule("attn.\(norms[0]).weight", "\(stream)_attn.norm.query_norm.scale"),
        KeyRule("attn.\(norms[1]).weight", "\(stream)_attn.norm.key_norm.scale"),
        KeyRule("\(feedForward).linear_in", "\(stream)_mlp.0"),
        KeyRule("\(feedForward).linear_out", "\(stream)_mlp.2"),
      ]
    }
    return rules
  }()

  /// The number of numbered blocks that the names after a prefix have.
  static func blockCount(_ tensors: [String: StoredTensor], _ prefix: String) -> Int {
    var last = -1
    for name in tensors.keys where name.hasPrefix(prefix) {
      let number = name.dropFirst(prefix.count).prefix { $0 != "." }
      if let number = Int(number), (0..<1000).contains(number) { last = max(last, number) }
    }
    return last + 1
  }
}
