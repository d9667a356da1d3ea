import TensorFiles
import Text

/// A kind of transformer that this version runs instead of a UNet: how its files are recognised, and how its tensors are named.
/// The value of each kind is next to its key map.
package struct TransformerKind: Equatable, Sendable {
  /// The name for messages.
  package let title: String
  /// The class in a diffusers folder's `transformer/config.json`.
  let className: String
  /// Tensors that only this kind has: all names of one of the lists.
  let markers: [[String]]
  /// A tensor that only files with the authors' names have.
  let authorsTensor: String
  /// The key map for the names after a prefix.
  let keyMap: @Sendable (_ prefix: String, _ tensors: [String: StoredTensor]) -> KeyMap

  /// All kinds. FLUX.2 comes before Flux.1, because its files also have Flux.1's markers.
  package static let all = [flux2, zImage, sd3, flux1]

  /// Whether both are the same kind, which is decided by the class.
  package static func == (a: TransformerKind, b: TransformerKind) -> Bool { a.className == b.className }

  /// Whether the names after a prefix are those of the authors.
  func isOriginal(prefix: String, _ tensors: [String: StoredTensor]) -> Bool {
    tensors[prefix + authorsTensor] != nil
  }

  /// The names of the kinds for messages, as a choice.
  static var titles: String { all.map(\.title).joined(separator: " or ") }

  /// The prefixes of a transformer's names: the webui's and ComfyUI's, those of other programs, none.
  static let prefixes = ["model.diffusion_model.", "diffusion_model.", "transformer.", ""]

  /// The transformer among a file's tensors, and the prefix of its names; nil if there is none of these kinds.
  package static func find(_ tensors: [String: StoredTensor]) -> (kind: TransformerKind, prefix: String)? {
    for prefix in prefixes {
      for kind in all {
        if kind.markers.contains(where: { names in names.allSatisfy { tensors[prefix + $0] != nil } }) {
          return (kind, prefix)
        }
      }
    }
    return nil
  }
}

/// Transformers that this version does not run, and how their files are recognised.
package enum ForeignTransformer {
  /// A model that users may mistake for a supported one.
  private struct Kind {
    let title: String
    /// Beginnings of names after the transformer's prefix; a file must have all of them.
    let marks: [String]
  }

  private static let kinds = [
    Kind(title: "a Chroma model", marks: ["distilled_guidance_layer."]),
    Kind(title: "a Flux.3 model", marks: ["early_stream_modulations."]),
    Kind(title: "a SeFi model", marks: ["dual_time_embed."]),
    Kind(title: "a Z-Image Omni model", marks: ["siglip_embedder."]),
    Kind(title: "an AuraFlow model", marks: ["double_layers."]),
    Kind(title: "an AuraFlow model", marks: ["joint_transformer_blocks.", "single_transformer_blocks."]),
    Kind(title: "a Qwen-Image model", marks: ["txt_norm.", "transformer_blocks.0.img_mod.1."]),
    Kind(title: "a Lumina Image 2 model", marks: ["cap_embedder.0.", "layers.0.adaLN_modulation.1."]),
    Kind(title: "a Lumina Image 2 model", marks: ["time_caption_embed.caption_embedder.", "context_refiner."]),
    Kind(title: "a HiDream model", marks: ["double_stream_blocks."]),
    Kind(title: "a HunyuanVideo model", marks: ["txt_in.individual_token_refiner."]),
    Kind(title: "a HunyuanVideo model", marks: ["context_embedder.token_refiner."]),
    Kind(title: "a Wan video model", marks: ["text_embedding.0.", "blocks.0.self_attn."]),
    Kind(title: "a Wan video model", marks: ["condition_embedder.text_embedder."]),
    Kind(title: "an LTX video model", marks: ["patchify_proj.", "scale_shift_table"]),
    Kind(title: "an LTX video model", marks: ["proj_in.", "caption_projection.", "scale_shift_table"]),
    Kind(title: "a Mochi video model", marks: ["t5_yproj."]),
    Kind(title: "a CogVideoX model", marks: ["patch_embed.text_proj."]),
    Kind(title: "a Cosmos model", marks: ["blocks.0.adaln_modulation_self_attn."]),
    Kind(title: "a SANA model", marks: ["attention_y_norm."]),
    Kind(title: "a SANA model", marks: ["caption_norm.", "caption_projection."]),
    Kind(title: "a PixArt model", marks: ["adaln_single.", "caption_projection."]),
    Kind(title: "a PixArt model", marks: ["y_embedder.y_proj.", "t_block."]),
    Kind(title: "a Hunyuan-DiT model", marks: ["text_embedding_padding", "extra_embedder."]),
  ]

  /// Weights that other programs packed in ways that this version does not support.
  private static let packings: [(ending: String, title: String)] = [
    (".quant_state.bitsandbytes__nf4", "NF4 weights of bitsandbytes"),
    (".quant_state.bitsandbytes__fp4", "FP4 weights of bitsandbytes"), (".weight_scale_2", "NVFP4 weights"),
    (".smooth_factor", "SVDQuant weights of Nunchaku"), (".qweight", "GPTQ or AWQ weights"),
  ]

  /// Checks that a file has no transformer of another kind, and no weights in an unknown packing.
  ///
  /// - Parameters:
  ///   - tensors: All tensors of the file.
  ///   - path: The file, for messages.
  /// - Throws: `WeightError.unsupported`, which names what it has.
  package static func refuse(_ tensors: [String: StoredTensor], path: String) throws(WeightError) {
    for prefix in TransformerKind.prefixes {
      func has(_ mark: String) -> Bool { tensors.keys.contains { $0.hasPrefix(prefix + mark) } }
      if let kind = kinds.first(where: { $0.marks.allSatisfy(has) }) {
        throw .unsupported(path: path, found: kind.title, advice: advice)
      }
      if has("double_stream_modulation_img."), isFlux2Dev(tensors, prefix) {
        throw .unsupported(path: path, found: "a FLUX.2 dev model", advice: "use FLUX.2 klein 4B or 9B")
      }
    }
    if let packing = packings.first(where: { packing in tensors.keys.contains { $0.hasSuffix(packing.ending) } }) {
      throw .unsupported(
        path: path, found: "a file with \(packing.title)",
        advice: "use a file in bf16, FP8, or a GGUF with Q4_0 to Q8_0")
    }
  }

  /// Only dev takes the guidance scale as an input, and its text encoder is wider.
  private static func isFlux2Dev(_ tensors: [String: StoredTensor], _ prefix: String) -> Bool {
    let marks = ["guidance_in.", "time_guidance_embed.guidance_embedder."]
    if tensors.keys.contains(where: { name in marks.contains { name.hasPrefix(prefix + $0) } }) { return true }
    let embedder = tensors[prefix + "txt_in.weight"] ?? tensors[prefix + "context_embedder.weight"]
    return embedder?.shape.last == 15360
  }

  /// The names for messages of the diffusers classes of transformers.
  private static let classes = [
    "ChromaTransformer2DModel": "a Chroma model", "QwenImageTransformer2DModel": "a Qwen-Image model",
    "AuraFlowTransformer2DModel": "an AuraFlow model", "Lumina2Transformer2DModel": "a Lumina Image 2 model",
    "LuminaNextDiT2DModel": "a Lumina model", "HiDreamImageTransformer2DModel": "a HiDream model",
    "SanaTransformer2DModel": "a SANA model", "PixArtTransformer2DModel": "a PixArt model",
    "HunyuanDiT2DModel": "a Hunyuan-DiT model", "HunyuanVideoTransformer3DModel": "a HunyuanVideo model",
    "WanTransformer3DModel": "a Wan video model", "LTXVideoTransformer3DModel": "an LTX video model",
    "MochiTransformer3DModel": "a Mochi video model", "CogVideoXTransformer3DModel": "a CogVideoX model",
    "CogView4Transformer2DModel": "a CogView4 model", "OmniGenTransformer2DModel": "an OmniGen model",
  ]

  /// The error for a folder whose transformer has this class.
  static func refusal(className: String, path: String) -> WeightError {
    let other =
      className.isEmpty
      ? "a transformer model with no _class_name in its configuration"
      : "a transformer model of the class \(className.abridged)"
    return .unsupported(path: path, found: classes[className] ?? other, advice: advice)
  }

  private static let advice =
    "use a model of Stable Diffusion 1.x, 2.x or XL, or of "
    + TransformerKind.titles
}
