import Diffusion
import Foundation
import Prompts
import Settings
import Testing
import TestSupport
import TensorFiles
import Weights

/// LoRAs that cannot be used are reported before any image is made, with what to do.
@Suite struct AdapterRefusalTests {
  private func settings(_ prompt: String, in folder: TemporaryFolder) -> ImageSettings {
    var settings = ImageSettings()
    settings.model = ModelReference(name: "model", path: RandomModels.path("model.safetensors"))
    settings.prompt = prompt
    settings.adapterFolders = [folder.path, "/nonexistent"]
    return settings
  }

  private func message(_ prompt: String, in folder: TemporaryFolder) throws -> String {
    let settings = settings(prompt, in: folder)
    let error = #expect(throws: (any Error).self) { try Engine.forTests().ingredients(for: settings) }
    return error.map { "\($0)" } ?? ""
  }

  /// A module for a layer of the small model, whose matrix is 64 by 64.
  private func module(_ name: String, outputs: Int = 64, inputs: Int = 64) -> [SyntheticTensor] {
    [
      SyntheticTensor("\(name).lora_up.weight", [outputs, 2]),
      SyntheticTensor("\(name).lora_down.weight", [2, inputs]),
    ]
  }

  private let layer = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"

  @Test func `a name without a file is reported with the folders that were searched`() throws {
    let folder = try TemporaryFolder()
    try folder.write("lora/Ink.safetensors", module(layer))
    let message = try message("a boat <lora:ink:1>", in: folder)
    #expect(message.contains(#"found no LoRA called "ink" in"#))
    #expect(message.contains(folder("lora")) && message.contains("/nonexistent/Lora"))
    #expect(message.contains(#"did you mean "Ink"?"#))
  }

  @Test func `layers that the model does not have are reported by name`() throws {
    let folder = try TemporaryFolder()
    try folder.write("lora/a.safetensors", module(layer) + module("lora_te_text_model_encoder_layers_7_mlp_fc1"))
    let message = try message("<lora:a:1>", in: folder)
    #expect(message.contains(": lora_te_text_model_encoder_layers_7_mlp_fc1"))
    #expect(message.contains("Stable Diffusion 1.x"))
  }

  @Test func `a LoRA for another family is reported with that family`() throws {
    let folder = try TemporaryFolder()
    try folder.write("lora/xl.safetensors", module("lora_te2_text_model_encoder_layers_0_self_attn_q_proj"))
    #expect(try message("<lora:xl:1>", in: folder).contains("looks like one for Stable Diffusion XL"))
    try folder.write("lora/flux.safetensors", module("lora_unet_double_blocks_0_img_attn_qkv"))
    #expect(try message("<lora:flux:1>", in: folder).contains("looks like one for Flux"))
    try folder.write(
      "lora/v2.safetensors",
      module("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k", outputs: 32, inputs: 1024))
    let message = try message("<lora:v2:1>", in: folder)
    #expect(message.contains("changes 32x1024 numbers of a weight of 32x64"))
    #expect(message.contains("looks like one for Stable Diffusion 2.x"))
  }

  @Test(arguments: [
    ("a.oft_blocks", "OFT"), ("a.oft_diag", "OFT"), ("a.a1.weight", "GLoRA"),
    ("bundle_emb.x", "not part of"), ("a.what", "not part of"),
  ])
  func `unsupported kinds are rejected by name`(tensor: String, kind: String) throws {
    let folder = try TemporaryFolder()
    try folder.write("lora/a.safetensors", module(layer) + [SyntheticTensor(tensor, [2, 2])])
    #expect(try message("<lora:a:1>", in: folder).contains(kind))
  }

  @Test func `modules whose parts do not match are refused`() throws {
    let folder = try TemporaryFolder()
    func expect(_ tensors: [SyntheticTensor], _ text: String) throws {
      try folder.write("lora/a.safetensors", tensors)
      #expect(try message("<lora:a:1>", in: folder).contains(text))
    }
    try expect([SyntheticTensor("\(layer).lora_up.weight", [64, 2])], "has no lora_down.weight")
    try expect([SyntheticTensor("\(layer).alpha", [])], "has no weights, only alpha")
    try expect(
      [SyntheticTensor("\(layer).lora_up.weight", [64, 3]), SyntheticTensor("\(layer).lora_down.weight", [2, 64])],
      "whose ranks differ")
    try expect(module(layer) + [SyntheticTensor("\(layer).diff", [64, 64])], "is of two kinds")
    try expect(
      module(layer) + [SyntheticTensor("\(layer).dora_scale", [1, 63])], "has 63 lengths for a weight of 64x64")
    try expect(
      [SyntheticTensor("\(layer).lokr_w1", [4, 4]), SyntheticTensor("\(layer).lokr_w2", [16, 8])],
      "changes 64x32 numbers of a weight of 64x64")
    try expect(
      module(layer).dropLast() + [SyntheticTensor("\(layer).lora_down.weight", [2, 0])], "sizes that are not zero")
  }

  @Test func `two files with the same training name can only be used by their file names`() throws {
    let folder = try TemporaryFolder()
    let data = try Fixtures.data("Engine/adapters/lora/plain.safetensors")
    for name in ["one", "two"] { try folder.write("lora/\(name).safetensors", data) }
    let message = try message("<lora:trained as plain:1>", in: folder)
    #expect(message.contains("2 files") && message.contains("one.safetensors") && message.contains("two.safetensors"))
    let found = try Engine.forTests().ingredients(for: settings("<lora:two:1>", in: folder))
    #expect(found.loras?.first?.path == folder("lora/two.safetensors"))
  }

  @Test func `hypernetworks and malformed tags are refused`() throws {
    let folder = try TemporaryFolder()
    #expect(try message("a <hypernet:x:1>", in: folder).contains("hypernetworks are not supported"))
    #expect(try message("a <lora:x:much>", in: folder).contains("expected a number"))
  }

  @Test func `a LoRA that changes before it is loaded is rejected`() throws {
    let folder = try TemporaryFolder()
    try folder.write("lora/a.safetensors", Fixtures.data("Engine/adapters/lora/plain.safetensors"))
    var settings = settings("<lora:a:1>", in: folder)
    (settings.width, settings.height, settings.steps) = (64, 64, 1)
    let engine = try Engine.forTests()
    _ = try engine.ingredients(for: settings)
    let path = folder("lora/a.safetensors")
    try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSince1970: 1e9)], ofItemAtPath: path)
    #expect(throws: TensorFileError.changed(path: path)) { try engine.generate(settings) { _ in } }
  }

  // MARK: PEFT

  /// An adapter as PEFT saves it, in a separate folder.
  private func writePEFT(_ name: String, _ folder: TemporaryFolder, alpha: Int) throws {
    let layer = "base_model.model.text_model.encoder.layers.0.self_attn.q_proj"
    try folder.write(
      "lora/\(name)/adapter_model.safetensors",
      [SyntheticTensor("\(layer).lora_A.weight", [2, 64]), SyntheticTensor("\(layer).lora_B.weight", [64, 2])])
    try folder.write("lora/\(name)/adapter_config.json", #"{"peft_type": "LORA", "r": 2, "lora_alpha": \#(alpha)}"#)
  }

  @Test func `the settings of PEFT are part of a LoRA's digest`() throws {
    let folder = try TemporaryFolder()
    func digest() throws -> String? {
      let settings = settings("<lora:ink:1>", in: folder)
      return try Engine.forTests().ingredients(for: settings).loras?.first?.sha256
    }
    try writePEFT("ink", folder, alpha: 2)
    let first = try #require(try digest())
    try writePEFT("ink", folder, alpha: 4)
    let second = try #require(try digest())
    #expect(first != second)
    try writePEFT("ink", folder, alpha: 2)
    #expect(try digest() == first)
    // Without settings, it is the digest of the file, as before.
    try FileManager.default.removeItem(atPath: folder("lora/ink/adapter_config.json"))
    #expect(try digest() == FileDigest.sha256(ofFileAt: folder("lora/ink/adapter_model.safetensors")))
  }

  @Test func `adapters of PEFT are known by their folders, because all have one file name`() throws {
    let folder = try TemporaryFolder()
    try writePEFT("ink", folder, alpha: 2)
    func path(_ name: String) throws -> String? {
      try Engine.forTests().ingredients(for: settings("<lora:\(name):1>", in: folder)).loras?.first?.path
    }
    #expect(try path("adapter_model") == folder("lora/ink/adapter_model.safetensors"))
    try writePEFT("oil", folder, alpha: 2)
    #expect(try path("oil") == folder("lora/oil/adapter_model.safetensors"))
    #expect(try path("ink/adapter_model.safetensors") == folder("lora/ink/adapter_model.safetensors"))
    #expect(try message("<lora:adapter_model:1>", in: folder).contains("use the name of one of them: ink, oil"))
    #expect(try message("<lora:Oil:1>", in: folder).contains(#"did you mean "oil"?"#))
  }

  @Test func `settings of PEFT that are not supported stop the job before it starts`() throws {
    let folder = try TemporaryFolder()
    try writePEFT("ink", folder, alpha: 2)
    try folder.write("lora/ink/adapter_config.json", #"{"peft_type": "LORA", "r": 2, "init_lora_weights": "pissa"}"#)
    #expect(try message("<lora:ink:1>", in: folder).contains("init_lora_weights"))
  }
}
