import Foundation
import JSON
import Testing
import TestSupport

/// `sdbatch inspect` for files that change models, prompts and finished images: adapters, textual inversions and upscalers.
@Suite struct InspectAdapterTests {
  private func inspect(_ space: Workspace, _ path: String) async throws -> JSONValue {
    try JSONValue(parsing: try await space.run("inspect", path, "--json").output)
  }

  private func network(_ json: JSONValue, _ name: String) throws -> JSONValue {
    try #require(json["networks"]?.elements?.first { $0["name"] == .string(name) })
  }

  // MARK: The LoRA family

  /// What `make_family_adapters.py` writes into each file, one form after the other.
  @Test func `an adapter's kinds, ranks and alphas are shown for each network`() async throws {
    let space = try Workspace(recipe: nil)
    let path = Fixtures.path("Families/adapters/lora/xl.safetensors")
    let json = try await inspect(space, path)
    #expect(json["kind"] == "LoRA" && json["family"] == "Stable Diffusion XL" && json["usable"] == true)
    #expect(json["layout"] == "names of kohya (single file)" && json["unread"] == [] && json["reason"] == .null)
    #expect(json["networks"]?.elements?.map { $0["name"] } == ["unet", "text_encoder", "text_encoder_2"])
    let unet = try network(json, "unet")
    // Twelve matrices and four convolutions.
    #expect(
      unet["modules"] == ["LoHa": 4, "LoKr": 4, "DoRA": 3, "LoRA": 3, "DoRA (LoCon)": 1, "LoCon": 1], "\(unet)")
    #expect(unet["sizes"] == ["rank": [2, 3], "layers": 16] && unet["alpha"] == [.number(2), .number(2)])
    // 4 LoRA and LoCon of 3 tensors, 4 LoHa of 5, 4 LoKr of 2, 4 DoRA of 4.
    #expect(unet["tensors"] == 56)
    for name in ["text_encoder", "text_encoder_2"] {
      #expect(try network(json, name)["modules"] == ["DoRA": 2, "LoHa": 2, "LoKr": 2, "LoRA": 2])
      #expect(try network(json, name)["tensors"] == 28)
    }
    let parameters = try #require(json["networks"]?.elements).compactMap { $0["parameters"]?.integerValue }
    #expect(json["parameters"] == .integer(parameters.reduce(0, +)))
    #expect(unet["precision"] == .object([JSONMember("F16", unet["parameters"] ?? .null)]))
    let text = try await space.run("inspect", path).output
    #expect(text.contains("4 LoHa; 4 LoKr; 3 DoRA; 3 LoRA; 1 DoRA (LoCon); 1 LoCon; alpha 2.0"))
    #expect(text.contains("rank 2 3; layers 16") && text.contains("\ntext_encoder_2  F16; "))
  }

  @Test(
    arguments: [
      ("Families/adapters/lora/xl-peft.safetensors", "diffusers", ["LoRA": 10, "LoCon": 2], [3]),
      ("Families/adapters/lora/two.safetensors", "kohya", ["DoRA": 3, "LoHa": 3, "LoKr": 3, "LoRA": 3], [2, 3]),
      ("Families/adapters/lora/two-nested.ckpt", "kohya", ["LoRA": 4], [3]),
      ("Engine/adapters/lora/peft-alone.safetensors", "PEFT", ["LoRA": 70, "LoCon": 14], [3]),
      ("Engine/adapters/lora/processors.safetensors", "diffusers before 0.18", ["LoRA": 38], [3]),
      ("Engine/adapters/lora/more/locon.safetensors", "kohya (single file)", ["LoCon": 36, "LoRA": 14], [2, 4]),
      ("Engine/adapters/lora/other.safetensors", "kohya", ["IA3": 50, "norm": 33, "full difference": 4], []),
    ] as [(String, String, [String: Int], [Int])])
  func `every style of names and every container is recognised`(
    file: String, style: String, modules: [String: Int], ranks: [Int]
  ) async throws {
    let json = try await inspect(try Workspace(recipe: nil), Fixtures.path(file))
    #expect(json["usable"] == true && json["layout"] == .string("names of " + style))
    let unet = try network(json, "unet")
    #expect(Set(unet["modules"]?.names ?? []) == Set(modules.keys))
    for (name, count) in modules { #expect(unet["modules"]?[name] == .integer(Int64(count)), "\(name)") }
    let rank = unet["sizes"]?["rank"]
    #expect((rank?.elements ?? rank.map { [$0] }) == ranks.map { .integer(Int64($0)) })
  }

  @Test func `the hash is the one of the infotext`() async throws {
    let space = try Workspace(recipe: nil)
    // The hash that the training wrote, the hash of the data after the header, and the hash of a whole pickle.
    let noted = try await inspect(space, Fixtures.path("Engine/adapters/lora/more/locon.safetensors"))
    #expect(noted["hashes"]?["lora"] == "0123456789ab")
    let bytes = try Fixtures.data("Engine/adapters/lora/plain.safetensors")
    let header = bytes.prefix(8).enumerated().reduce(0) { $0 + Int($1.element) << (8 * $1.offset) }
    let plain = try await inspect(space, Fixtures.path("Engine/adapters/lora/plain.safetensors"))
    #expect(plain["hashes"]?["lora"]?.text == String(digest(bytes.dropFirst(8 + header)).prefix(12)))
    let pickle = try await inspect(space, Fixtures.path("Families/adapters/lora/two-pickled.pt"))
    let whole = digest(try Fixtures.data("Families/adapters/lora/two-pickled.pt"))
    #expect(pickle["hashes"]?["lora"]?.text == String(whole.prefix(12)) && pickle["hashes"]?["embedding"] == .null)
  }

  @Test func `kinds that no run takes are refused by name, with the tensors that nothing reads`() async throws {
    let space = try Workspace(recipe: nil)
    let folder = try TemporaryFolder()
    let layer = "lora_unet_down_blocks_0_attentions_0_proj_in"
    let lora = [
      SyntheticTensor("\(layer).lora_down.weight", [4, 320]), SyntheticTensor("\(layer).lora_up.weight", [320, 4]),
    ]
    for (kind, tensor) in [
      ("OFT", SyntheticTensor("oft_unet_down_blocks_0_attentions_0_proj_in.oft_blocks", [4, 8, 8])),
      ("AdaLoRA", SyntheticTensor("\(layer).lora_E", [4])),
      ("GLoRA", SyntheticTensor("\(layer).a1.weight", [4, 320])),
    ] {
      for others in [[], lora] {
        let path = try folder.write("a.safetensors", others + [tensor])
        let json = try await inspect(space, path)
        #expect(json["kind"] == "LoRA" && json["usable"] == false && json["unread"] == [.string(tensor.name)])
        #expect(json["reason"]?.text?.contains("of the kind \(kind), which is not supported") == true, "\(json)")
      }
    }
    // Half of a LoRA.
    let json = try await inspect(space, try folder.write("a.safetensors", Array(lora.prefix(1))))
    #expect(json["kind"] == "LoRA" && json["usable"] == false)
    #expect(json["reason"]?.text?.contains("has no lora_up.weight") == true)
  }

  // MARK: Textual inversions

  @Test(
    arguments: [
      ("Families/adapters/embeddings/xl-star.safetensors", 2, [64, 128]),
      ("Families/adapters/embeddings/two-star.pt", 3, [128]), ("Families/adapters/embeddings/two-bin.bin", 1, [128]),
      ("Engine/inversions/embeddings/calm.pt", 1, [64]), ("Engine/inversions/embeddings/tree.safetensors", 2, [96]),
    ] as [(String, Int64, [Int64])])
  func `an embedding's vectors, widths and hash are shown`(file: String, vectors: Int64, widths: [Int64]) async throws {
    let json = try await inspect(try Workspace(recipe: nil), Fixtures.path(file))
    #expect(json["kind"] == "textual inversion" && json["usable"] == true && json["unread"] == [])
    let sizes = try network(json, "embedding")["sizes"]
    #expect(sizes?["vectors"] == .integer(vectors))
    #expect((sizes?["width"]?.elements ?? [sizes?["width"] ?? .null]) == widths.map { .integer($0) })
    #expect(json["hashes"]?["embedding"]?.text == String(digest(try Fixtures.data(file)).prefix(12)))
  }

  @Test func `an embedding's family is recognised by its widths, and a damaged one is reported`() async throws {
    let space = try Workspace(recipe: nil)
    let folder = try TemporaryFolder()
    for (family, tensors) in [
      ("Stable Diffusion 1.x", [SyntheticTensor("emb_params", [3, 768])]),
      ("Stable Diffusion 2.x", [SyntheticTensor("<word>", [1024])]),
      ("Stable Diffusion XL", [SyntheticTensor("clip_g", [3, 1280]), SyntheticTensor("clip_l", [3, 768])]),
    ] {
      #expect(
        try await inspect(space, folder.write("a.safetensors", tensors))["family"] == .string(family))
    }
    let uneven = [SyntheticTensor("clip_g", [3, 1280]), SyntheticTensor("clip_l", [2, 768])]
    let json = try await inspect(space, folder.write("a.safetensors", uneven))
    #expect(json["kind"] == "textual inversion" && json["usable"] == false)
    #expect(json["reason"]?.text?.contains("2 and 3 vectors for two text encoders") == true)
  }

  // MARK: Upscalers

  @Test(
    arguments: [
      ("realesrgan.pth", "ESRGAN (RRDBNet)", "Real-ESRGAN", ["scale": 4, "num_in_ch": 3, "num_block": 2]),
      ("numbered.pth", "ESRGAN (RRDBNet)", "ESRGAN, numbered", ["scale": 4, "num_feat": 8, "num_grow_ch": 4]),
      ("trunk.safetensors", "ESRGAN (RRDBNet)", "ESRGAN", ["scale": 4, "num_block": 2]),
      ("x2.safetensors", "ESRGAN (RRDBNet)", "Real-ESRGAN", ["scale": 2, "num_in_ch": 12, "num_block": 1]),
      ("numbered2.safetensors", "ESRGAN (RRDBNet)", "ESRGAN, numbered", ["scale": 2, "num_block": 1]),
      (
        "compact.pth", "Real-ESRGAN (compact, SRVGGNet)", "Real-ESRGAN", ["scale": 4, "num_feat": 8, "num_conv": 2]
      ),
    ] as [(String, String, String, [String: Int64])])
  func `an upscaler's kind, scale and widths are shown`(
    file: String, kind: String, names: String, sizes: [String: Int64]
  ) async throws {
    let json = try await inspect(try Workspace(recipe: nil), Fixtures.path("Upscalers/" + file))
    #expect(json["kind"] == "upscaler" && json["family"] == .string(kind) && json["usable"] == true, "\(json)")
    #expect(json["layout"] == .string("names of " + names) && json["missing"] == [] && json["unread"] == [])
    let found = try network(json, "upscaler")["sizes"]
    for (name, value) in sizes { #expect(found?[name] == .integer(value), "\(name)") }
  }

  @Test func `an upscaler of another kind is refused by name, and a damaged one by its tensors`() async throws {
    let space = try Workspace(recipe: nil)
    let folder = try TemporaryFolder()
    let attention = SyntheticTensor(
      "params.layers.0.residual_group.blocks.0.attn.relative_position_bias_table", [225, 6])
    let json = try await inspect(
      space, folder.write("a.safetensors", [attention, SyntheticTensor("params.conv_first.weight", [180, 3, 3, 3])]))
    #expect(json["kind"] == "upscaler" && json["family"] == "SwinIR" && json["usable"] == false)
    #expect(json["reason"]?.text?.contains("an upscaler of the kind SwinIR, which is not supported") == true)
    let half = [
      SyntheticTensor("conv_first.weight", [8, 3, 3, 3]), SyntheticTensor("body.0.rdb1.conv1.weight", [4, 8, 3, 3]),
      SyntheticTensor("conv_up1.weight", [8, 8, 3, 3]), SyntheticTensor("extra", [1]),
    ]
    let damaged = try await inspect(space, folder.write("b.safetensors", half))
    #expect(damaged["kind"] == "upscaler" && damaged["usable"] == false)
    #expect(damaged["missing"]?.elements?.contains("conv_first.bias") == true && damaged["unread"] == ["extra"])
  }
}
