import Foundation
import Networks
import TensorFiles
import Tensors
import Testing
import TestSupport
import Weights

/// Files of upscalers as training programs write them, other architectures, and damaged files.
@Suite struct UpscalerFileTests {
  /// The tensors of a fixture, to write them under other names.
  private static func tensors(_ file: String) throws -> [SyntheticTensor] {
    try TensorFile(path: Fixtures.path("Upscalers/\(file)")).tensors.values.sorted { $0.name < $1.name }.map {
      SyntheticTensor($0.name, $0.shape, floats: try $0.floats())
    }
  }

  private static func output(_ path: String) throws -> [Float] {
    let compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: 1)
    let network = try UpscalerArchive(path: path).read(compute)
    let input = compute.tensor(batch: 1, height: 8, width: 8, channels: 3, elementType: .fp32)
    for index in 0..<8 * 8 * 3 { input.base[index] = Float(index * 37 % 101) / 101 }
    return network.forward(input).values
  }

  private static func message(_ path: String) -> String {
    do {
      _ = try UpscalerArchive(path: path)
      return ""
    } catch {
      return "\(error)"
    }
  }

  // MARK: Wrappers

  private static let advice =
    "which is not supported by this version; use a model of the architecture ESRGAN (RRDBNet) or Real-ESRGAN"

  @Test(arguments: [
    "model_state_dict.", "state_dict.", "params_ema.", "params-ema.", "params.", "model.", "net.", "module.", "netG.",
    "generator.", "anything.", "params_ema.module.", "state_dict.model.netG.", "model.params.",
  ])
  func `a network is found in every wrapper`(wrapper: String) throws {
    for file in ["trunk1x.safetensors", "numbered1x.safetensors", "realesrgan1x.safetensors"] {
      let folder = try TemporaryFolder()
      var tensors = try Self.tensors(file)
      for index in tensors.indices { tensors[index].name = wrapper + tensors[index].name }
      // A single key is unwrapped, whatever its name is. Next to other values, only known wrappers are.
      if wrapper != "anything." {
        tensors.append(SyntheticTensor("optimizer.state.0.exp_avg", [3]))
        tensors.append(SyntheticTensor("iter", []))
      }
      let path = try folder.write("a.safetensors", tensors)
      #expect(try Self.output(path) == Self.output(Fixtures.path("Upscalers/\(file)")), "\(wrapper) \(file)")
    }
  }

  @Test func `averaged weights are preferred to those of the last step`() throws {
    let folder = try TemporaryFolder()
    let tensors = try Self.tensors("trunk1x.safetensors")
    for wrapper in ["params_ema.", "params-ema."] {
      let path = try folder.write(
        "a.safetensors",
        tensors.map { SyntheticTensor("params." + $0.name, $0.shape) }
          + tensors.map { tensor in
            var tensor = tensor
            tensor.name = wrapper + tensor.name
            return tensor
          })
      #expect(try Self.output(path) == Self.output(Fixtures.path("Upscalers/trunk1x.safetensors")))
    }
  }

  // MARK: Other architectures

  /// For each architecture, some of the tensors by which spandrel detects it.
  private static let kinds: [(name: String, tensors: [String])] = [
    ("Swin2SR", ["conv_first.weight", "patch_embed.proj.weight", "layers.0.residual_group.blocks.0.norm1.weight"]),
    ("SwinIR", ["conv_first.weight", "layers.0.residual_group.blocks.0.norm1.weight"]),
    ("SwinIR", ["conv_first.1.weight", "layers.0.residual_group.blocks.0.attn.relative_position_index"]),
    ("HAT", ["conv_first.weight", "layers.0.residual_group.overlap_attn.relative_position_bias_table"]),
    ("ATD", ["relative_position_index_SA", "conv_first.weight", "layers.0.residual_group.td"]),
    ("DRCT", ["conv_first.weight", "layers.0.swin1.norm1.weight", "layers.0.adjust1.weight"]),
    ("RGT", ["conv_first.weight", "before_RG.1.weight", "layers.0.blocks.0.gamma"]),
    ("DAT", ["conv_first.weight", "before_RG.1.weight", "layers.0.blocks.0.attn.attns.0.rpe_biases"]),
    ("SRFormer", ["conv_first.weight", "layers.0.residual_group.blocks.0.attn.aligned_relative_position_index"]),
    ("GRL", ["model_g.conv_first.weight", "model_g.norm_start.weight", "model_g.norm_end.weight"]),
    ("CRAFT", ["conv_first.weight", "layers.0.residual_group.hf_blocks.0.attn.temperature"]),
    ("OmniSR", ["residual_layer.0.residual_layer.0.layer.0.fn.0.weight", "input.weight", "up.0.weight"]),
    ("SPAN", ["conv_1.sk.weight", "block_1.c1_r.sk.weight", "upsampler.0.weight"]),
    ("SAFMN", ["to_feat.weight", "feats.0.safm.mfr.0.weight", "to_img.0.weight"]),
    ("SAFMN BCIE", ["to_feat.1.weight", "feats.0.layers.0.safm.mfr.0.weight", "to_img.0.weight"]),
    ("PLKSR", ["feats.0.weight", "feats.1.lk.conv.weight", "feats.1.refine.weight"]),
    ("SCUNet", ["m_head.0.weight", "m_tail.0.weight"]), ("DRUNet", ["m_head.weight", "m_tail.weight"]),
    ("FBCNN", ["m_head.weight", "m_tail.weight", "qf_pred.0.res.0.weight"]),
    ("GFPGAN", ["toRGB.0.weight", "stylegan_decoder.style_mlp.1.weight"]),
    ("CodeFormer", ["quantize.embedding.weight", "ft_layers.0.self_attn.in_proj_weight"]),
    ("RestoreFormer", ["quantize.embedding.weight", "encoder.conv_in.weight", "decoder.conv_out.weight"]),
    ("LDSR", ["model.diffusion_model.out.2.weight", "first_stage_model.quantize.embedding.weight"]),
    ("MM-RealSR", ["conv_first.weight", "body.0.rdb1.conv1.weight", "de_net.conv_first.0.weight"]),
    ("RealCUGAN", ["unet1.conv1.conv.0.weight", "unet2.conv1.conv.0.weight"]),
    (
      "RCAN",
      ["head.0.weight", "tail.1.weight", "body.0.body.0.body.0.weight", "body.0.body.0.body.3.conv_du.0.weight"]
    ),
    ("EDSR", ["head.0.weight", "body.0.body.0.weight", "tail.0.0.weight"]),
    ("SRResNet", ["conv_first.weight", "body.0.conv1.weight", "upconv1.weight"]),
    ("DnCNN", (0..<8).map { "model.\(2 * $0).weight" }), ("NAFNet", ["intro.weight", "ending.weight"]),
    ("KBNet", ["intro.weight", "middle_blks.0.w"]), ("Uformer", ["input_proj.proj.0.weight"]),
    ("LaMa", ["generator.model.1.bn_l.running_mean"]), ("MAT", ["synthesis.first_stage.conv_first.conv.weight"]),
    ("MoSR", ["gblocks.0.weight", "gblocks.1.norm.weight"]),
    ("MoESR", ["in_to_dim.weight", "blocks.0.blocks.0.gamma"]),
    ("SeemoRe", ["conv_1.weight", "body.0.local_block.norm_1.weight"]),
    ("DITN", ["sft.weight", "UFONE.0.ITLs.0.attn.temperature"]),
    ("AuraSR", ["mid_block2.block1.proj.weights"]), ("Swift-SRGAN", ["initial.cnn.depthwise.weight"]),
    ("FDAT", ["conv_first.weight", "groups.0.blocks.0.inter.cg.1.weight"]),
    ("discriminator", ["conv0.weight", "conv9.weight"]), ("Restormer", ["encoder_level1.0.attn.temperature"]),
  ]

  @Test func `other architectures are reported by name, in one clause, whatever is around them`() throws {
    let folder = try TemporaryFolder()
    for (name, tensors) in Self.kinds {
      for prefix in ["", "params_ema."] {
        let path = try folder.write(
          "a.safetensors",
          tensors.map { SyntheticTensor(prefix + $0, $0.hasSuffix("conv_first.weight") ? [4, 3, 3, 3] : [4]) })
        let message = Self.message(path)
        #expect(message.contains(name), "\(name): \(message)")
        #expect(message.contains(Self.advice), "\(message)")
        #expect(
          !message.contains("damaged") && message.components(separatedBy: "not supported").count == 2, "\(message)")
        if name != "LDSR" {
          let report = try ModelReport(path: path)
          #expect(
            report.kind == (name == "GFPGAN" ? .face : .upscaler) && report.refusal?.contains(name) == true,
            "\(name): \(report.kind)")
        }
      }
    }
  }

  @Test func `a network that begins like another one is not taken for it`() throws {
    let folder = try TemporaryFolder()
    for tensors in [
      [SyntheticTensor("conv_first.weight", [8, 3, 3, 3]), SyntheticTensor("layers.0.something", [2])],
      [SyntheticTensor("model.0.weight", [8, 3, 3, 3]), SyntheticTensor("model.2.weight", [8, 8, 3, 3])],
      [SyntheticTensor("body.0.weight", [8, 3, 3, 3])], [SyntheticTensor("a", [1])],
    ] {
      let message = Self.message(try folder.write("a.safetensors", tensors))
      #expect(message.contains("not supported") && !message.contains("damaged"), "\(message)")
    }
    let message = Self.message(
      try folder.write(
        "a.safetensors",
        [
          SyntheticTensor("model.0.weight", [8, 3, 2, 2]),
          SyntheticTensor("model.1.sub.0.RDB1.conv1.0.weight", [4, 8, 2, 2]),
        ]))
    #expect(message.contains("ESRGAN-2c2"))
  }

  // MARK: Damaged shapes

  @Test func `networks without blocks or doublings are errors`() throws {
    let folder = try TemporaryFolder()
    let first = SyntheticTensor("conv_first.weight", [8, 3, 3, 3])
    for tensors in [
      [first, SyntheticTensor("RRDB_trunk.0.RDB1.conv1.weight", [4, 8, 3, 3])],
      [first, SyntheticTensor("RRDB_trunk.x.RDB1.conv1.weight", [4, 8, 3, 3])],
      [first, SyntheticTensor("body.0.rdb1.conv1.weight", [4, 8, 3, 3])],
      [first, SyntheticTensor("body.0.rdb1.conv1.weight", [4])],
      [SyntheticTensor("model.0.weight", [8, 3, 3, 3]), SyntheticTensor("model.1.sub.0.weight", [8, 8, 3, 3])],
      // Squares of 16 pixels that are never doubled would make the image smaller.
      [
        SyntheticTensor("conv_first.weight", [8, 48, 3, 3]), SyntheticTensor("body.0.rdb1.conv1.weight", [4, 8, 3, 3]),
      ],
    ] {
      #expect(!Self.message(try folder.write("a.safetensors", tensors)).isEmpty)
    }
  }

  @Test func `no names or shapes end the process`() throws {
    let folder = try TemporaryFolder()
    let words = [
      "conv_first", "conv_body", "conv_last", "conv_hr", "conv_up1", "conv_up9223372036854775807", "body",
      "body.0.rdb1.conv1",
      "body.99999.rdb1.conv1", "body.-3.rdb3.conv5", "RRDB_trunk.0.RDB1.conv1", "RRDB_trunk.-1.RDB1.conv1",
      "trunk_conv",
      "upconv0", "upconv1", "upconv65535", "HRconv", "model.0", "model.1.sub.0.RDB1.conv1.0", "model.1.sub.-7",
      "model.2",
      "model.9223372036854775807", "model.1.sub.9223372036854775807", "body.0", "body.1", "body.2", "body.4",
      "body.512",
      "body.0.rdb1.conv1x1", "params_ema.conv_first", "module.body.0", ".", "",
    ]
    let shapes = [
      [], [0], [3], [8], [8, 3, 3, 3], [8, 12, 3, 3], [8, 48, 3, 3], [0, 3, 3, 3], [8, 8, 3, 3], [4, 8, 3, 3],
      [12, 8, 3, 3],
      [65537, 1], [8, 3, 2, 2], [1, 1, 1, 1, 1],
    ]
    var random = SplitMix64(state: 20)
    for _ in 0..<1000 {
      var tensors: [SyntheticTensor] = []
      var names: Set<String> = []
      for _ in 0..<Int(random.next() % 9 + 1) {
        let name = words[Int(random.next() % UInt64(words.count))] + (random.next() % 4 == 0 ? ".bias" : ".weight")
        if names.insert(name).inserted {
          tensors.append(SyntheticTensor(name, shapes[Int(random.next() % UInt64(shapes.count))]))
        }
      }
      let path = try folder.write("a.safetensors", tensors)
      #expect(!Self.message(path).isEmpty)
      _ = try? ModelReport(path: path)
    }
  }
}
