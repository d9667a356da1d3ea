/// The names in the single files that the webui loads, which are those of the original latent diffusion code (CompVis).
///
/// That code numbers all layers of a UNet in sequence, so the numbers depend on how many layers each block has.
extension KeyMap {
  static let ldmUNetPrefix = "model.diffusion_model."
  static let ldmVAEPrefix = "first_stage_model."
  /// The prefix of a VAE, and the one that stable-diffusion.cpp uses for a VAE from a separate file.
  static let vaePrefixes = ["vae.", ldmVAEPrefix]

  /// The prefixes of names that training, averaging and other programs leave in a single file outside of the three networks.
  /// Leftovers that may have any prefix are in `Leftovers`.
  static let ldmLeftovers = [
    "sqrt_", "posterior_", "cond_stage_model.text_projection", "cond_stage_model.transformer.text_projection",
    "embedding_manager.", "conditioner.embedders.0.text_projection",
    "conditioner.embedders.0.transformer.text_projection",
  ]

  static func ldmUNet(_ structure: BlockStructure, prefix: String = ldmUNetPrefix) -> KeyMap {
    var rules = [
      KeyRule("time_embedding.linear_1", "time_embed.0"), KeyRule("time_embedding.linear_2", "time_embed.2"),
      KeyRule("add_embedding.linear_1", "label_emb.0.0"), KeyRule("add_embedding.linear_2", "label_emb.0.2"),
      KeyRule("conv_in", "input_blocks.0.0"),
      KeyRule("conv_norm_out", "out.0"), KeyRule("conv_out", "out.2"),
      KeyRule("mid_block.resnets.0", "middle_block.0", inside: ldmUNetResnet),
      KeyRule("mid_block.attentions.0", "middle_block.1"),
      KeyRule("mid_block.resnets.1", "middle_block.2", inside: ldmUNetResnet),
    ]
    // Each block takes one number for each layer, and one more for its downsampler or for the additional layer of an up block.
    let stride = structure.layersPerBlock + 1
    for block in 0..<structure.blockCount {
      let down = "down_blocks.\(block)"
      let up = "up_blocks.\(block)"
      for layer in 0..<structure.layersPerBlock {
        let number = stride * block + layer + 1
        rules += [
          KeyRule("\(down).resnets.\(layer)", "input_blocks.\(number).0", inside: ldmUNetResnet),
          KeyRule("\(down).attentions.\(layer)", "input_blocks.\(number).1"),
        ]
      }
      rules.append(KeyRule("\(down).downsamplers.0.conv", "input_blocks.\(stride * (block + 1)).0.op"))
      for layer in 0..<stride {
        let number = stride * block + layer
        rules += [
          KeyRule("\(up).resnets.\(layer)", "output_blocks.\(number).0", inside: ldmUNetResnet),
          KeyRule("\(up).attentions.\(layer)", "output_blocks.\(number).1"),
        ]
      }
      // The upsampler comes after the last layer's attention, if there is one.
      let index = structure.endsInTransformer[structure.blockCount - 1 - block] ? 2 : 1
      rules.append(KeyRule("\(up).upsamplers.0.conv", "output_blocks.\(stride * (block + 1) - 1).\(index).conv"))
    }
    return KeyMap(prefix: prefix, rules: rules, unused: [])
  }

  private static let ldmUNetResnet = [
    KeyRule("norm1", "in_layers.0"), KeyRule("conv1", "in_layers.2"), KeyRule("time_emb_proj", "emb_layers.1"),
    KeyRule("norm2", "out_layers.0"), KeyRule("conv2", "out_layers.3"), KeyRule("conv_shortcut", "skip_connection"),
  ]

  /// The VAE's decoder; `prefix` is empty in files with only a VAE.
  static func ldmVAE(prefix: String, _ structure: BlockStructure) -> KeyMap {
    var rules = ldmVAEMiddle("decoder")
    for block in 0..<structure.blockCount {
      // Both halves number their blocks by resolution, the finest first.
      let up = "decoder.up.\(structure.blockCount - 1 - block)"
      for layer in 0...structure.layersPerBlock {
        rules.append(
          KeyRule("decoder.up_blocks.\(block).resnets.\(layer)", "\(up).block.\(layer)", inside: ldmVAEResnet))
      }
      rules.append(KeyRule("decoder.up_blocks.\(block).upsamplers.0", "\(up).upsample"))
    }
    return KeyMap(prefix: prefix, rules: rules, unused: vaeUnused(prefix: prefix))
  }

  /// The VAE's encoder; `prefix` is empty in files with only a VAE.
  static func ldmVAEEncoder(prefix: String, _ structure: BlockStructure) -> KeyMap {
    var rules = ldmVAEMiddle("encoder")
    for block in 0..<structure.blockCount {
      let (name, down) = ("encoder.down_blocks.\(block)", "encoder.down.\(block)")
      for layer in 0..<structure.layersPerBlock {
        rules.append(KeyRule("\(name).resnets.\(layer)", "\(down).block.\(layer)", inside: ldmVAEResnet))
      }
      rules.append(KeyRule("\(name).downsamplers.0", "\(down).downsample"))
    }
    return KeyMap(prefix: prefix, rules: rules, unused: [])
  }

  /// The rules that both halves share.
  private static func ldmVAEMiddle(_ half: String) -> [KeyRule] {
    [
      KeyRule("\(half).conv_norm_out", "\(half).norm_out"),
      KeyRule("\(half).mid_block.resnets.0", "\(half).mid.block_1", inside: ldmVAEResnet),
      KeyRule("\(half).mid_block.attentions.0", "\(half).mid.attn_1", inside: ldmVAEAttention),
      KeyRule("\(half).mid_block.resnets.1", "\(half).mid.block_2", inside: ldmVAEResnet),
    ]
  }

  private static let ldmVAEResnet = [KeyRule("conv_shortcut", "nin_shortcut")]

  private static let ldmVAEAttention = [
    KeyRule("group_norm", "norm"), KeyRule("to_q", "q"), KeyRule("to_k", "k"), KeyRule("to_v", "v"),
    KeyRule("to_out.0", "proj_out"),
  ]
}
