/// An unsupported architecture of networks for images, recognised by tensors that only it has.
package struct UpscalerKind: Hashable, Sendable, CustomStringConvertible {
  /// The name for messages.
  package let name: String
  /// What the network does.
  private let role: Role

  private enum Role: String, Hashable, Sendable {
    case upscaler = "an upscaler of the kind"
    case restorer = "a network that restores images, of the kind"
    case faces = "a network that restores faces, of the kind"
    case inpainter = "a network that fills in images, of the kind"
    case video = "an upscaler for video, of the kind"
    case discriminator = "the discriminator of a training, which judges images:"
  }

  /// The kind as messages call it.
  package var description: String { "\(role.rawValue) \(name)" }

  /// The architecture of a file with tensors of these names; nil if it is unknown or supported.
  ///
  /// Names may have any prefix, because files wrap networks in dictionaries.
  package static func unsupported(_ names: some Collection<String>) -> UpscalerKind? {
    guard names.count <= nameLimit else { return nil }
    let endings = Endings(names)
    return signs.first { sign in sign.alternatives.contains { $0.allSatisfy(endings.contain) } }?.kind
  }

  /// Larger files are models of other kinds.
  private static let nameLimit = 20_000

  private struct Sign {
    let kind: UpscalerKind
    /// The kind is recognised if a file has all tensors of one of these lists.
    let alternatives: [[String]]

    init(_ name: String, _ alternatives: [String]...) {
      kind = UpscalerKind(name: name, role: .upscaler)
      self.alternatives = alternatives
    }

    init(_ name: String, _ role: Role, _ alternatives: [String]...) {
      kind = UpscalerKind(name: name, role: role)
      self.alternatives = alternatives
    }
  }

  /// The names of a file's tensors, which can be looked up by their last components.
  private struct Endings {
    private var endings: Set<Substring> = []

    init(_ names: some Collection<String>) {
      for name in names {
        // The longest sign below has fewer components than this.
        var parts = 0
        var start = name.endIndex
        endings.insert(name[...])
        while parts < 12, let dot = name[..<start].lastIndex(of: ".") {
          endings.insert(name[name.index(after: dot)...])
          start = dot
          parts += 1
        }
      }
    }

    func contain(_ ending: String) -> Bool { endings.contains(ending[...]) }
  }

  /// If one architecture contains another's tensors, it comes first.
  private static let signs = [
    Sign("MM-RealSR", ["de_net.conv_first.0.weight"], ["dd_embed.0.weight", "conv_first.weight"]),
    // Transformers with windows.
    Sign("ATD", ["residual_group.td"], ["residual_group.layers.0.attn_atd.scale"], ["residual_group.layers.0.sigma"]),
    Sign(
      "HAT", ["residual_group.overlap_attn.relative_position_bias_table"], ["residual_group.overlap_attn.qkv.weight"],
      ["residual_group.blocks.0.conv_block.cab.0.weight"]),
    Sign("SRFormer", ["blocks.0.attn.aligned_relative_position_index"]),
    Sign(
      "DRCT", ["layers.0.swin1.norm1.weight"], ["layers.0.swin1.attn.relative_position_bias_table"],
      ["layers.0.adjust1.weight"]),
    Sign(
      "Swin2SR", ["residual_group.blocks.0.attn.logit_scale"], ["residual_group.blocks.0.attn.cpb_mlp.0.weight"],
      ["residual_group.blocks.0.attn.q_bias"], ["residual_group.blocks.0.norm1.weight", "patch_embed.proj.weight"]),
    Sign(
      "GRL", ["blocks.0.attn.window_attn.attn_transform.logit_scale"],
      ["blocks.0.attn.stripe_attn.attn_transform1.logit_scale"], ["norm_start.weight", "norm_end.weight"]),
    Sign("CRAFT", ["residual_group.hf_blocks.0.attn.temperature"], ["residual_group.hf_blocks.0.norm1.weight"]),
    Sign(
      "SwinIR", ["residual_group.blocks.0.attn.relative_position_bias_table"],
      ["residual_group.blocks.0.attn.relative_position_index"], ["residual_group.blocks.0.norm1.weight"],
      ["residual_group.blocks.0.attn.qkv.weight"]),
    Sign(
      "RGT", ["layers.0.blocks.0.gamma"],
      ["layers.0.blocks.0.attn.attns.0.rpe_biases", "layers.0.blocks.0.mlp.fc1.weight"]),
    Sign(
      "DAT", ["blocks.0.attn.attns.0.rpe_biases"], ["blocks.0.attn.channel_interaction.1.weight"],
      ["before_RG.1.weight"]),
    Sign(
      "FDAT", ["groups.0.blocks.0.inter.cg.1.weight"], ["groups.0.blocks.0.attn.bias"], ["groups.0.blocks.0.n1.weight"]),
    Sign("DITN", ["UFONE.0.ITLs.0.attn.temperature"], ["UFONE.0.ITLs.0.ffn.project_in.weight"]),
    Sign("DCTLSA", ["B1.body.0.transformer_body.0.blocks.0.attn.qkv.weight"]),
    Sign("IPT", ["head.0.1.body.0.weight", "tail.0.1.weight"], ["body.encoder.layers.0.self_attn.in_proj_weight"]),
    // Convolutions.
    Sign("SPAN", ["block_1.c1_r.sk.weight"], ["block_1.c1_r.eval_conv.weight"], ["conv_1.eval_conv.weight"]),
    Sign("OmniSR", ["residual_layer.0.residual_layer.0.layer.0.fn.0.weight"], ["residual_layer.0.esa.conv1.weight"]),
    Sign(
      "SAFMN BCIE", ["feats.0.layers.0.safm.mfr.0.weight"], ["feats.0.layers.0.safm.mfr.0.0.weight"],
      ["feats.0.layers.0.ccm.ccm.0.weight"]),
    Sign("SAFMN", ["feats.0.safm.mfr.0.weight"], ["feats.0.safm.aggr.weight"], ["feats.0.ccm.ccm.0.weight"]),
    Sign(
      "PLKSR", ["feats.1.lk.conv.weight"], ["feats.1.lk.convs.0.weight"], ["feats.1.lk.mn_conv.weight"],
      ["feats.1.channe_mixer.0.weight"], ["feats.1.channel_mixer.0.weight"], ["feats.1.refine.weight"]),
    Sign("MoSR", ["gblocks.1.norm.weight"], ["gblocks.0.weight"]),
    Sign("MoESR", ["blocks.0.blocks.0.conv.dwconv_hw.weight"], ["in_to_dim.weight"]),
    Sign(
      "SeemoRe", ["body.0.local_block.norm_1.weight"], ["body.0.global_block.norm_1.weight"],
      ["body.0.local_block.block.conv_1.0.weight"]),
    Sign("RCAN", ["body.0.body.0.body.3.conv_du.0.weight"], ["body.0.body.3.conv_du.0.weight"]),
    Sign("EDSR", ["head.0.weight", "body.0.body.0.weight"]),
    Sign("RealCUGAN", ["unet1.conv1.conv.0.weight"], ["unet2.conv1.conv.0.weight"]),
    Sign("waifu2x (UpCUNet)", ["conv1.conv.0.weight", "conv_bottom.weight"]),
    Sign("Swift-SRGAN", ["initial.cnn.depthwise.weight"], ["final_conv.pointwise.weight"]),
    Sign(
      "SRResNet", ["conv_first.weight", "body.0.conv1.weight"], ["conv_first.weight", "recon_trunk.0.conv1.weight"]),
    Sign("AuraSR", ["mid_block2.block1.proj.weights"], ["mid_attn.layers.0.0.to_out.weight"]),
    Sign("LDSR (a latent diffusion model)", ["first_stage_model.quantize.embedding.weight"]),
    Sign("FeMaSR", .restorer, ["multiscale_encoder.in_conv.weight"]),
    // Video.
    Sign(
      "BasicVSR", .video, ["spynet.basic_module.0.basic_module.0.weight"],
      ["spynet.basic_module.0.basic_module.0.conv.weight"]),
    Sign("EDVR", .video, ["pcd_align.offset_conv1.l1.weight"], ["pcd_align.L1_offset_conv1.weight"]),
    // Faces.
    Sign(
      "GFPGAN", .faces, ["stylegan_decoder.style_mlp.1.weight"], ["stylegan_decoderdotstyle_mlpdot1.weight"],
      ["toRGB.0.weight", "final_linear.weight"]),
    Sign(
      "CodeFormer", .faces, ["fuse_convs_dict.32.encode_enc.conv1.weight"],
      ["ft_layers.0.self_attn.in_proj_weight", "quantize.embedding.weight"], ["ft_layers.0.self_attn.in_proj_weight"]),
    Sign(
      "RestoreFormer", .faces, ["quantize.embedding.weight", "encoder.conv_in.weight", "decoder.conv_out.weight"]),
    Sign("GPEN", .faces, ["ecd0.0.1.weight"], ["generator.style.1.weight", "final_linear.0.weight"]),
    // Restoration.
    Sign("SCUNet", .restorer, ["m_head.0.weight"], ["m_tail.0.weight"]),
    Sign("FBCNN", .restorer, ["qf_pred.0.res.0.weight"], ["m_body_encoder.0.res.0.weight"]),
    Sign("DRUNet", .restorer, ["m_head.weight", "m_tail.weight"], ["m_down1.0.res.0.weight"]),
    Sign("Uformer", .restorer, ["input_proj.proj.0.weight"], ["encoderlayer_0.blocks.0.norm1.weight"]),
    Sign("KBNet", .restorer, ["middle_blks.0.w"], ["encoders.0.0.attgamma"], ["latent.0.ffn.qkv.weight"]),
    Sign(
      "NAFNet", .restorer, ["middle_blks.0.beta"], ["intro.weight", "ending.weight"], ["middle_blks.0.conv1.weight"]),
    Sign("FFTformer", .restorer, ["encoder_level1.0.ffn.fft"]),
    Sign("Restormer", .restorer, ["encoder_level1.0.attn.temperature"]),
    Sign("MixDehazeNet", .restorer, ["layer1.blocks.0.conv3_19.weight"]),
    Sign("RetinexFormer", .restorer, ["body.0.estimator.conv1.weight"], ["body.0.denoiser.embedding.weight"]),
    Sign("HVI-CIDNet", .restorer, ["HVE_block0.1.weight"], ["trans.density_k"], ["HV_LCA1.gdfn.project_in.weight"]),
    Sign("MPRNet", .restorer, ["shallow_feat1.0.weight"]),
    Sign("MIRNetv2", .restorer, ["feat_extract.0.weight", "body.0.0.conv.weight"]),
    Sign("DDColor", .restorer, ["encoder.arch.downsample_layers.0.0.weight"]),
    Sign(
      "DnCNN", .restorer, ["model.0.weight", "model.2.weight", "model.4.weight", "model.6.weight", "model.8.weight"]),
    // Inpainting.
    Sign("LaMa", .inpainter, ["model.1.bn_l.running_mean"], ["model.1.ffc.convl2l.weight"]),
    Sign(
      "MAT", .inpainter, ["synthesis.first_stage.conv_first.conv.weight"],
      ["synthesis.first_stage.enc_conv.0.conv0.weight"]),
    // The other network of an adversarial training, which is downloaded by mistake.
    Sign("a U-Net", .discriminator, ["conv0.weight", "conv9.weight"], ["conv0.weight", "conv1.weight_orig"]),
    Sign("VGG", .discriminator, ["conv0_0.weight", "linear1.weight"]),
  ]
}
