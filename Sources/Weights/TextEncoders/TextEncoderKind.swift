/// The kinds of text encoders that may be in separate files.
public enum TextEncoderKind: String, Sendable, CaseIterable {
  /// Qwen3 of any size: Z-Image, FLUX.2 klein.
  case qwen3
  /// The encoder of T5 v1.1: Stable Diffusion 3, Flux.1.
  case t5
  /// CLIP's text encoder of either size, with the names of the transformers library.
  case clip

  /// The name for messages.
  public var title: String {
    switch self {
    case .qwen3: "Qwen3"
    case .t5: "T5 v1.1"
    case .clip: "CLIP"
    }
  }

  /// The endings of names that show the encoder; what comes before them is its prefix.
  var marks: [String] {
    switch self {
    case .qwen3: ["layers.0.self_attn.q_norm.weight", "blk.0.attn_q_norm.weight"]
    case .t5:
      ["encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", "enc.blk.0.attn_rel_b.weight"]
    case .clip: ["text_model.encoder.layers.0.self_attn.q_proj.weight", "encoder.layers.0.self_attn.q_proj.weight"]
    }
  }
}
