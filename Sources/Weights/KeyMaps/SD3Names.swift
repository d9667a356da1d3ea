import TensorFiles

extension TransformerKind {
  /// Stable Diffusion 3 and 3.5.
  package static let sd3 = TransformerKind(
    title: "Stable Diffusion 3", className: "SD3Transformer2DModel",
    markers: [
      ["joint_blocks.0.context_block.attn.qkv.weight"],
      ["pos_embed.proj.weight", "transformer_blocks.0.attn.add_q_proj.weight"],
    ],
    authorsTensor: "joint_blocks.0.context_block.attn.qkv.weight"
  ) { .sd3(prefix: $0, $1) }
}

/// The names of a Stable Diffusion 3 transformer: those of its authors, and those of the diffusers library.
///
/// In code, the halves of the last modulations of text and image are separate tensors, because their order differs between the
/// namings.
extension KeyMap {
  /// The key map for some tensors.
  static func sd3(prefix: String, _ tensors: [String: StoredTensor]) -> KeyMap {
    let isOriginal = tensors[prefix + "joint_blocks.0.context_block.attn.qkv.weight"] != nil
    let width = tensors[prefix + (isOriginal ? "x_embedder.proj.weight" : "pos_embed.proj.weight")]?.shape.first ?? 0
    let blocks = blockCount(tensors, prefix + (isOriginal ? "joint_blocks." : "transformer_blocks."))
    return sd3(prefix: prefix, isOriginal: isOriginal, width: width, blocks: blocks)
  }

  /// The names of a transformer in adapters: those of the authors and of diffusers.
  package static func sd3Namings(width: Int, blocks: Int) -> [KeyMap] {
    [true, false].map { sd3(prefix: "", isOriginal: $0, width: width, blocks: blocks) }
  }

  private static func sd3(prefix: String, isOriginal: Bool, width: Int, blocks: Int) -> KeyMap {
    let last = "transformer_blocks.\(blocks - 1).norm1_context"
    var rules = lastModulation(
      isOriginal ? "final_layer.adaLN_modulation.1" : "norm_out.linear", code: "norm_out", isShiftFirst: isOriginal,
      width: width)
    rules += lastModulation(
      isOriginal ? "joint_blocks.\(blocks - 1).context_block.adaLN_modulation.1" : "\(last).linear", code: last,
      isShiftFirst: isOriginal, width: width)
    guard isOriginal else { return KeyMap(prefix: prefix, rules: rules, unused: []) }
    rules += [
      KeyRule("pos_embed.pos_embed", "pos_embed"), KeyRule("pos_embed.proj", "x_embedder.proj"),
      KeyRule("time_text_embed.timestep_embedder.linear_1", "t_embedder.mlp.0"),
      KeyRule("time_text_embed.timestep_embedder.linear_2", "t_embedder.mlp.2"),
      KeyRule("time_text_embed.text_embedder.linear_1", "y_embedder.mlp.0"),
      KeyRule("time_text_embed.text_embedder.linear_2", "y_embedder.mlp.2"),
      KeyRule("proj_out", "final_layer.linear"),
    ]
    for block in 0..<blocks {
      rules.append(KeyRule("transformer_blocks.\(block)", "joint_blocks.\(block)", inside: sd3Block))
    }
    return KeyMap(prefix: prefix, rules: rules, unused: [])
  }

  private static let sd3Block: [KeyRule] = {
    func projections(_ code: String, _ layers: [String], _ file: String) -> [KeyRule] {
      layers.enumerated().flatMap { index, layer in
        ["weight", "bias"].map { ending in
          KeyRule("\(code).\(layer).\(ending)", "\(file).qkv.\(ending)", form: .part(index, of: 3))
        }
      }
    }
    var rules =
      projections("attn", ["to_q", "to_k", "to_v"], "x_block.attn")
      + projections("attn", ["add_q_proj", "add_k_proj", "add_v_proj"], "context_block.attn")
      + projections("attn2", ["to_q", "to_k", "to_v"], "x_block.attn2")
    rules += [
      KeyRule("attn.to_out.0", "x_block.attn.proj"), KeyRule("attn.to_add_out", "context_block.attn.proj"),
      KeyRule("attn2.to_out.0", "x_block.attn2.proj"), KeyRule("attn.norm_q", "x_block.attn.ln_q"),
      KeyRule("attn.norm_k", "x_block.attn.ln_k"), KeyRule("attn.norm_added_q", "context_block.attn.ln_q"),
      KeyRule("attn.norm_added_k", "context_block.attn.ln_k"), KeyRule("attn2.norm_q", "x_block.attn2.ln_q"),
      KeyRule("attn2.norm_k", "x_block.attn2.ln_k"), KeyRule("attn2", "x_block.attn2"),
      KeyRule("norm1.linear", "x_block.adaLN_modulation.1"),
      KeyRule("norm1_context.linear", "context_block.adaLN_modulation.1"),
      KeyRule("ff.net.0.proj", "x_block.mlp.fc1"), KeyRule("ff.net.2", "x_block.mlp.fc2"),
      KeyRule("ff_context.net.0.proj", "context_block.mlp.fc1"), KeyRule("ff_context.net.2", "context_block.mlp.fc2"),
    ]
    return rules
  }()
}
