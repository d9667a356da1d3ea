import Testing
import TestSupport
import Weights

/// The names that programs give a model's layers in LoRAs. ComfyUI's names come from its `model_lora_keys_clip` and
/// `model_lora_keys_unet`, LyCORIS's and OneTrainer's from what these packages write.
@Suite struct AdapterNameTests {
  private static let unet = [
    "time_embedding.linear_1", "conv_in", "down_blocks.0.resnets.0.conv1", "mid_block.resnets.1.norm2",
    "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0",
    "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q", "up_blocks.1.attentions.0.proj_in",
  ]
  private static let text = [
    "encoder.layers.0.self_attn.q_proj", "encoder.layers.1.mlp.fc1", "final_layer_norm", "embeddings.token_embedding",
    "text_projection",
  ]

  private func names(_ family: ModelFamily) -> AdapterNames {
    var names = AdapterNames()
    names.addUNet(
      Self.unet, structure: BlockStructure(blockCount: 2, layersPerBlock: 1, endsInTransformer: [true, true]),
      network: 0)
    for (index, encoder) in family.textEncoders.enumerated() {
      names.addTextEncoder(Self.text, encoder, network: index + 1)
    }
    return names
  }

  @Test(arguments: [
    // kohya, in both layouts.
    ("lora_unet_mid_block_resnets_1_norm2", 0, "mid_block.resnets.1.norm2"),
    ("lora_unet_middle_block_2_out_layers_0", 0, "mid_block.resnets.1.norm2"),
    ("lora_te_text_model_encoder_layers_0_self_attn_q_proj", 1, "encoder.layers.0.self_attn.q_proj"),
    ("lora_te1_text_model_encoder_layers_1_mlp_fc1", 1, "encoder.layers.1.mlp.fc1"),
    ("lora_te2_text_model_encoder_layers_1_mlp_fc1", 2, "encoder.layers.1.mlp.fc1"),
    ("lora_te2_text_projection", 2, "text_projection"),
    // ComfyUI.
    ("diffusion_model.time_embed.0", 0, "time_embedding.linear_1"),
    ("diffusion_model.input_blocks.0.0", 0, "conv_in"),
    ("diffusion_model.input_blocks.1.0.in_layers.2", 0, "down_blocks.0.resnets.0.conv1"),
    ("text_encoders.clip_l.transformer.text_model.encoder.layers.1.mlp.fc1", 1, "encoder.layers.1.mlp.fc1"),
    ("text_encoders.clip_g.transformer.text_model.final_layer_norm", 2, "final_layer_norm"),
    ("text_encoders.clip_g.transformer.text_projection", 2, "text_projection"),
    ("text_encoders.clip_l.transformer.text_model.embeddings.token_embedding", 1, "embeddings.token_embedding"),
    ("clip_g.transformer.text_model.encoder.layers.1.mlp.fc1", 2, "encoder.layers.1.mlp.fc1"),
    // LyCORIS, and its wrapper around a single network.
    ("lycoris_unet_down_blocks_0_resnets_0_conv1", 0, "down_blocks.0.resnets.0.conv1"),
    ("lycoris_down_blocks_0_resnets_0_conv1", 0, "down_blocks.0.resnets.0.conv1"),
    ("lycoris_text_model_encoder_layers_1_mlp_fc1", 1, "encoder.layers.1.mlp.fc1"),
    ("lycoris_te2_text_model_encoder_layers_1_mlp_fc1", 2, "encoder.layers.1.mlp.fc1"),
    // OneTrainer.
    ("lora_unet.down_blocks.0.resnets.0.conv1", 0, "down_blocks.0.resnets.0.conv1"),
    ("lora_te1.text_model.encoder.layers.1.mlp.fc1", 1, "encoder.layers.1.mlp.fc1"),
    ("clip_l.text_model.encoder.layers.1.mlp.fc1", 1, "encoder.layers.1.mlp.fc1"),
    ("clip_g.text_model.encoder.layers.1.mlp.fc1", 2, "encoder.layers.1.mlp.fc1"),
    ("unet.input_blocks.1.0.in_layers.2", 0, "down_blocks.0.resnets.0.conv1"),
    // diffusers, new and old, and PEFT.
    ("unet.up_blocks.1.attentions.0.proj_in", 0, "up_blocks.1.attentions.0.proj_in"),
    (
      "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_out", 0,
      "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0"
    ),
    ("text_encoder.text_model.encoder.layers.0.self_attn.to_q", 1, "encoder.layers.0.self_attn.q_proj"),
    ("text_encoder_2.text_model.encoder.layers.0.self_attn.q_proj", 2, "encoder.layers.0.self_attn.q_proj"),
    ("base_model.model.conv_in", 0, "conv_in"), ("unet.base_model.model.conv_in", 0, "conv_in"),
    ("base_model.model.text_model.final_layer_norm", 1, "final_layer_norm"),
  ])
  func `each program's name of a layer is found`(name: String, network: Int, layer: String) {
    let found = names(.sdxl)[name]
    #expect(found?.network == network && found?.name == layer)
  }

  @Test func `the text encoder of 2.x is ComfyUI's clip_h, that of the refiner its clip_g`() {
    let name = "transformer.text_model.encoder.layers.1.mlp.fc1"
    #expect(names(.sd2)["text_encoders.clip_h." + name]?.network == 1)
    #expect(names(.sdxlRefiner)["text_encoders.clip_g." + name]?.network == 1)
    #expect(names(.sd1)["text_encoders.clip_g." + name] == nil)
  }

  @Test(arguments: [
    "lora_unet_conv_inn", "lora_te3_text_model_final_layer_norm", "text_encoders.t5xxl.transformer.shared",
    "diffusion_model.double_blocks.0.img_attn.qkv", "", "lora_unet_", "base_model.model.",
  ])
  func `other names are not`(name: String) {
    #expect(names(.sdxl)[name] == nil)
  }

  @Test(arguments: [
    ("a.oft_blocks", "OFT"), ("a.oft_diag", "OFT"), ("a.boft_blocks", "BOFT"), ("a.a1.weight", "GLoRA"),
    ("a.b2.weight", "GLoRA"), ("a.ia3_l", "IA3 of PEFT"), ("a.vera_lambda_b", "VeRA"), ("a.set_weight", "set_weight"),
    ("a.reshape_weight", "reshape_weight"), ("a.lora_E", "AdaLoRA"), ("a.bias", "whole bias"),
    ("a.weight", "whole weight"),
    ("a.modules_to_save.weight", "modules_to_save"), ("bundle_emb.", "not part of"), ("b", "not part of"),
  ])
  func `kinds that are not applied are reported by name`(tensor: String, word: String) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(
      "a.safetensors",
      [
        SyntheticTensor("lora_unet_conv_in.lora_up.weight", [4, 2]),
        SyntheticTensor("lora_unet_conv_in.lora_down.weight", [2, 4]), SyntheticTensor(tensor, [4, 4]),
      ])
    let error = #expect(throws: WeightError.self) { try AdapterFile(path: path) }
    #expect(error?.description.contains(word) == true, "\(error?.description ?? "")")
    #expect(error?.description.contains(tensor) == true || tensor == "a.weight")
  }

  @Test func `every unknown tensor counts`() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("a.safetensors", ["x", "y", "z"].map { SyntheticTensor($0, [2]) })
    let error = #expect(throws: WeightError.self) { try AdapterFile(path: path) }
    #expect(error?.description.contains("x and 2 others") == true)
  }
}
