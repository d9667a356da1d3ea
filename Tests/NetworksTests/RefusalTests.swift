import Foundation
import Testing
import TestSupport
import Weights

@testable import Networks

struct RefusalTests {
  private let folder: TemporaryFolder
  private let fixture: ModelFixture

  init() throws {
    folder = try TemporaryFolder()
    fixture = try ModelFixture("one-layer")
  }

  private func found(_ path: String) throws -> String {
    let error = try #require(#expect(throws: WeightError.self) { try ModelArchive.open(path: path) })
    guard case .unsupported(_, let found, _) = error else { return "\(error)" }
    #expect("\(error)".contains("not supported by this version"))
    return found
  }

  @Test(arguments: [
    ("depth_model.model.pretrained.act_postprocess3.0.project.0.bias", "a depth-to-image model"),
    ("embedder.model.ln_final.weight", "an unCLIP model"),
    ("cond_stage_model.roberta.embeddings.word_embeddings.weight", "an AltDiffusion model"),
    ("edm_mean", "a Playground 2.5 model"),
    ("model.diffusion_model.joint_blocks.0.x_block.mlp.fc1.weight", "Stable Diffusion 3"),
    ("model.diffusion_model.double_blocks.0.img_attn.proj.bias", "Flux"),
  ])
  func `checkpoints of other families are refused by name`(tensor: String, name: String) throws {
    let tensors = fixture.singleFile(["unet", "vae"]) + [SyntheticTensor(tensor, [1])]
    #expect(try found(try folder.write("other.safetensors", tensors)).contains(name))
  }

  @Test(arguments: [
    ("lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight", "a LoRA"), ("emb_params", "textual inversion"),
    ("control_model.input_blocks.0.0.weight", "ControlNet"), ("down_blocks.0.resnets.0.conv1.weight", "a UNet alone"),
    ("decoder.conv_in.weight", "a VAE alone"), ("text_model.final_layer_norm.weight", "a text encoder alone"),
    ("something.else", "a file with 1 tensors, such as something.else"),
  ])
  func `files that are not checkpoints are refused by name`(tensor: String, name: String) throws {
    #expect(try found(try folder.write("other.safetensors", [SyntheticTensor(tensor, [1])])).contains(name))
  }

  @Test(arguments: [(9, "an inpainting model"), (8, "an instruct-pix2pix model"), (5, "a depth-to-image model")])
  func `UNets with more inputs than a latent are refused in both layouts`(channels: Int, name: String) throws {
    let tensors = fixture.singleFile().map { tensor in
      tensor.name == "model.diffusion_model.input_blocks.0.0.weight"
        ? SyntheticTensor(tensor.name, [32, channels, 3, 3]) : tensor
    }
    #expect(try found(try folder.write("model.safetensors", tensors)).hasPrefix(name))
    let path = try fixture.writeFolder(to: folder, as: "model")
    let configuration = try fixture.configuration("unet")
      .replacingOccurrences(of: "\"in_channels\": 4", with: "\"in_channels\": \(channels)")
    try folder.write("model/unet/config.json", configuration)
    #expect(try found(path).hasPrefix(name))
  }

  @Test func `folders of other families are refused by name`() throws {
    let path = try ModelFixture("three-layers").writeFolder(to: folder, as: "model")
    try folder.write("model/text_encoder_2/config.json", "{}")
    #expect(try found(path).contains("two text encoders"))
    let unet = try ModelFixture("three-layers").configuration("unet")
      .replacingOccurrences(of: "\"class_embed_type\": null", with: "\"class_embed_type\": \"projection\"")
    try folder.write("model/unet/config.json", unet)
    #expect(try found(path) == "an unCLIP model")
    try folder.write("qwen/transformer/config.json", #"{"_class_name": "QwenImageTransformer2DModel"}"#)
    #expect(try found(folder("qwen")) == "a Qwen-Image model")
    try folder.write("empty/transformer/config.json", "{}")
    #expect(try found(folder("empty")).contains("no _class_name"))
  }

  @Test func `pickles with more than tensors are refused, alone and in a folder`() throws {
    let call = [0x80, 2] + Array("cposix\nsystem\n.".utf8)
    let ckpt = try folder.write("model.ckpt", call)
    #expect(try found(ckpt).contains("imports posix.system"))
    let path = try fixture.writeFolder(to: folder, as: "model")
    try FileManager.default.removeItem(atPath: folder("model/vae/diffusion_pytorch_model.safetensors"))
    try folder.write("model/vae/diffusion_pytorch_model.bin", call)
    #expect(try found(path).contains("imports posix.system"))
    try FileManager.default.removeItem(atPath: folder("model/vae/diffusion_pytorch_model.bin"))
    #expect(try found(path).contains("no weights are here, expected diffusion_pytorch_model or model.safetensors"))
    try FileManager.default.removeItem(atPath: folder("model/unet/config.json"))
    #expect(try found(path).contains("unet/config.json: this file of a diffusers folder is missing"))
  }

  @Test func `a path without a usable file is reported`() throws {
    #expect(try found(folder("absent")).contains("cannot open: No such file"))
    #expect(try found(folder.path).contains("a folder without unet/ and text_encoder/"))
    for tensors in [[], fixture.singleFile(["unet"]), fixture.diffusers("text_encoder")] {
      let path = try folder.write("vae.safetensors", tensors)
      let error = #expect(throws: WeightError.self) { try ModelArchive.openVAE(path: path) }
      #expect("\(try #require(error))".contains("without the decoder"))
    }
  }
}
