/// Names in a folder written by the diffusers library: those of the code, but for what changed between its versions.
extension KeyMap {
  static let diffusersUNet = KeyMap(prefix: "", rules: [], unused: [])

  /// The VAE's decoder, whose attention had other names in early versions; `names` tell which, without `prefix`.
  static func diffusersVAE(prefix: String, names: [Substring]) -> KeyMap {
    KeyMap(prefix: prefix, rules: diffusersVAEAttention("decoder", names), unused: vaeUnused(prefix: prefix))
  }

  /// The VAE's encoder, likewise.
  static func diffusersVAEEncoder(prefix: String, names: [Substring]) -> KeyMap {
    KeyMap(prefix: prefix, rules: diffusersVAEAttention("encoder", names), unused: [])
  }

  private static func diffusersVAEAttention(_ half: String, _ names: [Substring]) -> [KeyRule] {
    let attention = half + ".mid_block.attentions.0"
    let hasOldAttention = names.contains { $0.hasPrefix(attention + ".query.") || $0.hasPrefix(attention + ".key.") }
    let old = [
      KeyRule("to_q", "query"), KeyRule("to_k", "key"), KeyRule("to_v", "value"), KeyRule("to_out.0", "proj_attn"),
    ]
    return hasOldAttention ? [KeyRule(attention, attention, inside: old)] : []
  }

  /// The text encoder, in a folder or in a single file; `names` are the file's, without `prefix`.
  ///
  /// The transformers library wrote `text_model.` before its names up to version 4, and writes nothing since.
  static func textEncoder(prefix: String, names: [Substring]) -> KeyMap {
    let inner = names.contains { $0.hasPrefix("text_model.") } ? "text_model." : ""
    return KeyMap(
      prefix: prefix,
      rules: ["embeddings", "encoder", "final_layer_norm"].map { KeyRule($0, inner + $0) },
      // The numbers 0 to 76; the rest belongs to a whole CLIP, of which this is the text side.
      unused: [
        inner + "embeddings.position_ids", inner + "text_projection", "logit_scale", "text_projection", "vision_model.",
        "visual_projection.",
      ].map { prefix + $0 })
  }

  /// What the names of a VAE's encoder begin with.
  static let vaeEncoderBeginnings = ["encoder.", "quant_conv."]

  /// The encoder is a network of its own here; the rest is left over from training.
  static func vaeUnused(prefix: String) -> [String] {
    (vaeEncoderBeginnings + ["loss.", "model_ema."]).map { prefix + $0 }
  }
}
