/// The names of the language models that encode prompts. In code they are those of the transformers library (for T5 without
/// `encoder.`); llama.cpp has its own names in GGUF files.
extension KeyMap {
  /// Qwen3, whose names start with `prefix`, such as `model.`.
  static func qwen3(prefix: String) -> KeyMap {
    KeyMap(prefix: prefix, rules: [], unused: prefix.isEmpty ? ["lm_head."] : [])
  }

  /// Qwen3 in a GGUF file.
  static let llamaCppQwen3 = KeyMap(
    prefix: "",
    rules: [
      KeyRule("embed_tokens", "token_embd"), KeyRule("norm", "output_norm"),
      layers(
        "layers", "blk",
        [
          ("self_attn.q_proj", "attn_q"), ("self_attn.k_proj", "attn_k"), ("self_attn.v_proj", "attn_v"),
          ("self_attn.o_proj", "attn_output"), ("self_attn.q_norm", "attn_q_norm"),
          ("self_attn.k_norm", "attn_k_norm"), ("input_layernorm", "attn_norm"),
          ("post_attention_layernorm", "ffn_norm"), ("mlp.gate_proj", "ffn_gate"), ("mlp.up_proj", "ffn_up"),
          ("mlp.down_proj", "ffn_down"),
        ]),
    ],
    unused: ["output.", "rope_freqs."])

  /// T5's encoder, whose names start with `prefix`; `names` are those of the file, without the prefix.
  ///
  /// The file has the table of tokens once or twice, under either of two names. The decoder of a whole T5 is not needed.
  static func t5(prefix: String, names: Set<Substring>) -> KeyMap {
    let table = "encoder.embed_tokens"
    let isShared = names.contains("shared.weight")
    return KeyMap(
      prefix: prefix,
      rules: [
        KeyRule("shared", isShared ? "shared" : table), KeyRule("block", "encoder.block"),
        KeyRule("final_layer_norm", "encoder.final_layer_norm"),
      ],
      unused: ((isShared ? [table + "."] : []) + ["decoder.", "lm_head."]).map { prefix + $0 })
  }

  /// T5's encoder in a GGUF file.
  static let llamaCppT5 = KeyMap(
    prefix: "",
    rules: [
      KeyRule("shared", "token_embd"), KeyRule("final_layer_norm", "enc.output_norm"),
      layers(
        "block", "enc.blk",
        [
          ("layer.0.SelfAttention.q", "attn_q"), ("layer.0.SelfAttention.k", "attn_k"),
          ("layer.0.SelfAttention.v", "attn_v"), ("layer.0.SelfAttention.o", "attn_o"),
          ("layer.0.SelfAttention.relative_attention_bias", "attn_rel_b"), ("layer.0.layer_norm", "attn_norm"),
          ("layer.1.DenseReluDense.wi_0", "ffn_gate"), ("layer.1.DenseReluDense.wi_1", "ffn_up"),
          ("layer.1.DenseReluDense.wo", "ffn_down"), ("layer.1.layer_norm", "ffn_norm"),
        ]),
    ],
    unused: ["dec.", "output."])

  private static func layers(_ name: String, _ fileName: String, _ parts: [(String, String)]) -> KeyRule {
    KeyRule(
      name, fileName,
      inside: (0..<layerLimit).map { layer in
        KeyRule("\(layer)", "\(layer)", inside: parts.map { KeyRule($0.0, $0.1) })
      })
  }
}
