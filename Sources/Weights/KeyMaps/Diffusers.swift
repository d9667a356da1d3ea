/// The names in a folder written by the diffusers library: those of the code, except for changes between its versions.
extension KeyMap {
  static func diffusersUNet(prefix: String = "") -> KeyMap { KeyMap(prefix: prefix, rules: [], unused: []) }

  /// The VAE's decoder, whose attention had other names in early versions. `names` are those of the file, without `prefix`.
  static func diffusersVAE(prefix: String, names: [Substring]) -> KeyMap {
    KeyMap(prefix: prefix, rules: diffusersVAEAttention("decoder", names), unused: vaeUnused(prefix: prefix))
  }

  /// The VAE's encoder, in the same way.
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

  /// The text encoder, in a folder or in a single file; `names` are those of the file, without `prefix`.
  ///
  /// The transformers library wrote `text_model.` before its names up to version 4, but no longer does.
  static func textEncoder(prefix: String, names: [Substring]) -> KeyMap {
    let inner = names.contains { $0.hasPrefix("text_model.") } ? "text_model." : ""
    return KeyMap(
      prefix: prefix,
      rules: ["embeddings", "encoder", "final_layer_norm"].map { KeyRule($0, inner + $0) },
      // These belong to a whole CLIP.
      unused: [inner + "text_projection", "text_projection", "vision_model.", "visual_projection."].map { prefix + $0 })
  }

  /// The prefixes of a VAE's encoder.
  static let vaeEncoderPrefixes = ["encoder.", "quant_conv."]

  /// The prefixes that the decoder does not need: those of the encoder, which is a separate network, and leftovers of training.
  static func vaeUnused(prefix: String) -> [String] {
    (vaeEncoderPrefixes + ["loss.", "model_ema."]).map { prefix + $0 }
  }
}
