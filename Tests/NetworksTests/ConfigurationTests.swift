import Foundation
import Testing
import TestSupport
import Weights

@testable import Networks

struct ConfigurationTests {
  private let folder: TemporaryFolder
  private let path: String

  init() throws {
    folder = try TemporaryFolder()
    path = try ModelFixture("one-layer").writeFolder(to: folder, as: "model")
  }

  /// The archive after some keys of a network's configuration were changed; a null value removes the key.
  private func archive(_ network: String, _ changes: [String: String?]) throws -> ModelArchive {
    let original = try ModelFixture("one-layer").configuration(network)
    var values = try #require(
      try JSONSerialization.jsonObject(with: Data(original.utf8)) as? [String: Any])
    for (key, value) in changes {
      if let value {
        values[key] = try JSONSerialization.jsonObject(with: Data(value.utf8), options: .fragmentsAllowed)
      } else {
        values[key] = nil
      }
    }
    try folder.write("model/\(network)/config.json", try JSONSerialization.data(withJSONObject: values))
    return try ModelArchive.open(path: path)
  }

  private func expectRefusal(_ network: String, _ key: String, _ value: String) throws {
    let error = #expect(throws: WeightError.self, "\(key): \(value)") { try archive(network, [key: value]) }
    guard case .configuration("\(path)/\(network)/config.json", key, _, _) = error else {
      Issue.record("\(key): \(value) gave \(String(describing: error))")
      return
    }
  }

  @Test(arguments: [
    ("_class_name", #""UNet3DConditionModel""#), ("act_fn", #""gelu""#), ("addition_embed_type", #""text""#),
    ("attention_head_dim", "0"), ("attention_head_dim", "[8, 8]"), ("attention_head_dim", #""8""#),
    ("attention_head_dim", "null"), ("attention_head_dim", "8.5"), ("attention_type", #""gated""#),
    ("block_out_channels", "[32, 64]"), ("block_out_channels", "null"), ("block_out_channels", "[32, 64, 1e18]"),
    ("block_out_channels", "[32, 64, -96]"), ("center_input_sample", "true"), ("class_embed_type", #""timestep""#),
    ("class_embeddings_concat", "true"), ("conv_in_kernel", "1"), ("conv_out_kernel", "1"),
    ("cross_attention_dim", "[64, 64, 32]"), ("cross_attention_dim", "[[64], [64], [64]]"),
    ("cross_attention_norm", #""group_norm""#), ("down_block_types", "[]"),
    ("down_block_types", #"["DownBlock2D", "SimpleCrossAttnDownBlock2D", "DownBlock2D"]"#),
    ("down_block_types", #""DownBlock2D""#), ("downsample_padding", "0"), ("dual_cross_attention", "true"),
    ("encoder_hid_dim", "64"), ("encoder_hid_dim_type", #""text_proj""#), ("flip_sin_to_cos", "false"),
    ("flip_sin_to_cos", "null"), ("freq_shift", "1"), ("layers_per_block", "[1, 2, 1]"),
    ("layers_per_block", "1000000000"),
    ("mid_block_only_cross_attention", "true"), ("mid_block_scale_factor", "1.5"), ("mid_block_type", "null"),
    ("norm_eps", "0"), ("norm_num_groups", "null"), ("norm_num_groups", "0"),
    ("num_attention_heads", "0"), ("num_class_embeds", "10"), ("resnet_out_scale_factor", "2"),
    ("resnet_skip_time_act", "true"),
    ("resnet_time_scale_shift", #""scale_shift""#),
    ("time_cond_proj_dim", "0"), ("time_embedding_act_fn", #""silu""#), ("time_embedding_dim", "64"),
    ("time_embedding_type", #""fourier""#), ("timestep_post_act", #""silu""#),
    ("transformer_layers_per_block", "[[1], [1], [1]]"),
    ("use_linear_projection", "1"),
  ])
  func `a UNet setting that would change the arithmetic is refused by name`(key: String, value: String) throws {
    try expectRefusal("unet", key, value)
  }

  @Test(arguments: [
    ("act_fn", #""relu""#), ("block_out_channels", "[32]"),
    ("latent_channels", "-4"), ("latents_mean", "[0, 0, 0, 0]"), ("latents_std", "[1, 1, 1, 1]"),
    ("layers_per_block", "0"), ("mid_block_add_attention", "null"), ("norm_num_groups", "1.5"),
    ("scaling_factor", "0"), ("scaling_factor", "null"), ("shift_factor", "0.1"), ("up_block_types", "[]"),
    ("up_block_types", #"["UpDecoderBlock2D", "AttnUpDecoderBlock2D"]"#), ("use_post_quant_conv", #""yes""#),
    ("out_channels", "4"),
  ])
  func `a VAE setting that would change the arithmetic is refused by name`(key: String, value: String) throws {
    // Wrong numbers of channels are found by a check of the whole configuration.
    try expectRefusal("vae", key, value)
  }

  @Test(arguments: [
    ("hidden_act", #""gelu_new""#), ("hidden_size", "0"), ("layer_norm_eps", "-1"), ("model_type", #""t5""#),
    ("num_attention_heads", "null"), ("num_hidden_layers", "1000000"), ("intermediate_size", "1e30"),
    ("max_position_embeddings", #""77""#), ("vocab_size", "-1"),
  ])
  func `a text encoder's setting that would change the arithmetic is refused by name`(key: String, value: String) throws
  {
    try expectRefusal("text_encoder", key, value)
  }

  @Test func `num_attention_heads is preferred to attention_head_dim`() throws {
    #expect(try archive("unet", ["attention_head_dim": "4"]).unet.configuration.headCounts == [4, 4, 4])
    #expect(try archive("unet", ["attention_head_dim": "[1, 2, 3]"]).unet.configuration.headCounts == [1, 2, 3])
    let changes = ["attention_head_dim": "5", "num_attention_heads": "[4, 16, 32]"]
    #expect(try archive("unet", changes).unet.configuration.headCounts == [4, 16, 32])
    #expect(try archive("unet", ["attention_head_dim": nil]).unet.configuration.headCounts == [8, 8, 8])
  }

  @Test func `lists with the same number for all blocks are accepted`() throws {
    let changes = ["layers_per_block": "[1, 1, 1]", "cross_attention_dim": "[64, 64, 64]", "time_embedding_dim": "128"]
    let archive = try archive("unet", changes)
    #expect(archive.unet.configuration == Configurations.all["one-layer"]?.unet)
    #expect(archive.audit().isClean)
  }

  @Test func `numbers and switches that the arithmetic supports are read`() throws {
    let text = try archive("text_encoder", ["hidden_act": "\"gelu\"", "layer_norm_eps": "1e-6"])
    #expect(text.textEncoders[0].configuration.activation == .gelu)
    #expect(text.textEncoders[0].configuration.normEpsilon == 1e-6)

    // Together with linear projections, this activation would be the one of Stable Diffusion 2.x.
    _ = try archive("text_encoder", [:])

    let unet = try archive(
      "unet",
      [
        "norm_num_groups": "16", "norm_eps": "1e-6", "use_linear_projection": "true",
        "transformer_layers_per_block": "[1, 2, 3]", "upcast_attention": "true", "dropout": "0.1",
        "from_the_future": "\"ignored\"",
      ]
    ).unet.configuration
    #expect(unet.normGroups == 16)
    #expect(unet.normEpsilon == 1e-6)
    #expect(unet.usesLinearProjection)
    #expect(unet.downDepths == [[0], [2], [0]] && unet.upDepths == [[0, 0], [2, 2], [0, 0]])
    #expect(unet.middle == .transformer(depth: 3))
    let vae = try #require(
      try archive(
        "vae",
        [
          "scaling_factor": "0.5", "use_post_quant_conv": "false", "mid_block_add_attention": "false",
          "shift_factor": "0.0", "norm_num_groups": "8",
        ]
      ).vae?.configuration)
    #expect(vae.scalingFactor == 0.5)
    #expect(vae.normGroups == 8)
    #expect(!vae.usesPostQuantConvolution && !vae.hasMiddleAttention)
    let names = vae.expectedTensors.map(\.name)
    #expect(!names.contains { $0.contains("post_quant_conv") || $0.contains("attentions") })
  }

  @Test func `absent keys have the libraries' defaults`() throws {
    try folder.write("bare/unet/config.json", "{}")
    try folder.write("bare/vae/config.json", "{}")
    try folder.write("bare/text_encoder/config.json", "{}")
    for file in ["unet/diffusion_pytorch_model", "text_encoder/model"] {
      try folder.write("bare/\(file).safetensors", [SyntheticTensor]())
    }
    try folder.write(
      "bare/vae/diffusion_pytorch_model.safetensors",
      [SyntheticTensor("decoder.up_blocks.0.resnets.1.conv1.weight", [64, 64, 3, 3])])
    let error = #expect(throws: WeightError.self) { try ModelArchive.open(path: folder("bare")) }
    // 1280 is the UNet's default width of cross-attention, 512 is the text encoder's.
    guard case .configuration(_, "width of the UNet's cross-attention", "1280", let expected) = error else {
      Issue.record("gave \(String(describing: error))")
      return
    }
    #expect(expected.hasPrefix("512"))

    try folder.write("bare/text_encoder/config.json", #"{"hidden_size": 1280}"#)
    let archive = try ModelArchive.open(path: folder("bare"))
    var unet = UNetConfiguration()
    unet.crossAttentionWidth = 1280
    #expect(archive.unet.configuration == unet)
    var text = CLIPConfiguration()
    (text.width, text.mlpWidth, text.headCount) = (1280, 2048, 8)
    #expect(archive.textEncoders[0].configuration == text)
    var vae = VAEConfiguration()
    (vae.blockOutChannels, vae.layersPerBlock) = ([64], 1)
    #expect(archive.vae?.configuration == vae)
  }

  @Test func `the text part of a whole CLIP's configuration is read`() throws {
    let inner = try ModelFixture("one-layer").configuration("text_encoder")
    try folder.write(
      "model/text_encoder/config.json", #"{"model_type":"clip","hidden_size":7,"text_config":\#(inner)}"#)
    #expect(
      try ModelArchive.open(path: path).textEncoders[0].configuration == Configurations.all["one-layer"]?.text)
  }

  @Test(arguments: ["", "[]", "{", "{\"a\":1,\"a\":2}", "{} {}", "{\"x\": NaN}", "\u{FEFF}{}"])
  func `a configuration that is not a JSON object is damaged`(text: String) throws {
    try folder.write("model/unet/config.json", text)
    let error = #expect(throws: WeightError.self) { try ModelArchive.open(path: path) }
    guard case .file(.damaged("\(path)/unet/config.json", _)) = error else {
      Issue.record("gave \(String(describing: error))")
      return
    }
  }

  @Test(
    arguments: [
      ("{}", nil), (#"{"prediction_type": null}"#, nil), (#"{"prediction_type": "epsilon"}"#, .epsilon),
      (#"{"prediction_type": "v_prediction"}"#, .vPrediction),
    ] as [(String, TrainedPrediction?)])
  func `the scheduler's configuration gives the prediction type`(
    text: String, expected: TrainedPrediction?
  ) throws {
    try folder.write("model/scheduler/scheduler_config.json", text)
    #expect(try ModelArchive.open(path: path).predictionType == expected)
  }

  @Test func `an unknown prediction type is refused`() throws {
    try folder.write("model/scheduler/scheduler_config.json", #"{"prediction_type": "sample"}"#)
    let error = #expect(throws: WeightError.self) { try ModelArchive.open(path: path) }
    #expect("\(try #require(error))".contains(#"prediction_type is "sample", expected "epsilon" or "v_prediction""#))
  }

  @Test func `networks whose sizes do not match are refused`() throws {
    let error = #expect(throws: WeightError.self) { try archive("vae", ["latent_channels": "16"]) }
    #expect("\(try #require(error))".contains("channels of the VAE's latent is 16, expected 4"))
    let whole = try archive("vae", [:])
    try folder.write("other/config.json", #"{"latent_channels": 16, "block_out_channels": [32]}"#)
    try folder.write(
      "other/model.safetensors", [SyntheticTensor("decoder.up_blocks.0.resnets.1.conv1.weight", [32, 32, 3, 3])])
    let vae = try ModelArchive.openVAE(path: folder("other"))
    #expect(throws: WeightError.self) { try whole.requireMatch(vae) }
  }
}
