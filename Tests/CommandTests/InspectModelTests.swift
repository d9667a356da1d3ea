import Foundation
import JSON
import TensorFiles
import Testing
import TestSupport

/// `sdbatch inspect` for model files: what they are, and what is wrong with them.
@Suite struct InspectModelTests {
  private func inspect(_ space: Workspace, _ path: String) async throws -> JSONValue {
    try JSONValue(parsing: try await space.run("inspect", path, "--json").output)
  }

  @Test func `a checkpoint's family, sizes, precision, parameters and hashes are shown`() async throws {
    let space = try Workspace(recipe: nil)
    let path = RandomModels.path("model.safetensors")
    let json = try await inspect(space, path)
    #expect(json["kind"] == "checkpoint" && json["family"] == "Stable Diffusion 1.x" && json["usable"] == true)
    #expect(json["layout"] == "single file" && json["container"] == "safetensors" && json["prediction"] == .null)
    let bytes = try RandomModels.data("model.safetensors")
    let sha256 = digest(bytes)
    let hashes = try #require(json["hashes"])
    #expect(hashes["sha256"]?.text == sha256 && hashes["model"]?.text == String(sha256.prefix(10)))
    #expect(hashes["old"]?.text == String(digest(bytes[0x100000..<0x110000]).prefix(8)) && hashes["lora"] == .null)
    let networks = try #require(json["networks"]?.elements)
    #expect(networks.map { $0["name"] } == ["unet", "text_encoder", "vae"])
    // Counted in the file's header with the json module of Python.
    #expect(networks.map { $0["parameters"] } == [.integer(Self.unet), .integer(Self.text), .integer(Self.vae)])
    #expect(networks.allSatisfy { $0["precision"] == .object([JSONMember("F16", $0["parameters"] ?? .null)]) })
    #expect(networks[0]["sizes"]?["cross_attention_dim"] == networks[1]["sizes"]?["hidden_size"])
    for list in ["missing", "misshapen", "mistyped", "unread"] { #expect(json[list] == []) }
    let text = try await space.run("inspect", path).output
    #expect(text.contains("Stable Diffusion 1.x") && text.contains("\(Self.unet) parameters") && text.contains(sha256))
  }

  @Test func `whether a VAE has its encoder is shown`() async throws {
    let folder = try TemporaryFolder()
    let space = try Workspace(recipe: nil)
    let fixture = try ModelFixture("one-layer")
    let whole = fixture.diffusers("vae")
    let kinds: [(word: String, tensors: [SyntheticTensor], text: String)] = [
      ("complete", whole, "vae encoder"),
      ("none", whole.filter { !$0.name.hasPrefix("encoder.") && !$0.name.hasPrefix("quant_conv.") }, "another VAE"),
      ("unusable", whole.filter { $0.name != "encoder.conv_out.bias" }, "missing: encoder.conv_out.bias [8]"),
    ]
    for kind in kinds {
      let path = try folder.write("\(kind.word).safetensors", kind.tensors)
      let json = try await inspect(space, path)
      // A VAE that only decodes is enough for most uses.
      #expect(json["kind"] == "VAE" && json["usable"] == true && json["vae_encoder"]?.text == kind.word)
      let text = try await space.run("inspect", path).output
      #expect(text.contains("vae encoder") && text.contains(kind.text))
    }
    let taesd = try await inspect(space, RandomModels.path("taesd_decoder.safetensors"))
    #expect(taesd["vae_encoder"] == .null)
  }

  static let unet: Int64 = 1_674_244
  static let text: Int64 = 154_464
  static let vae: Int64 = 367_527

  @Test func `the hash of a model is computed once, and remembered between commands`() async throws {
    let space = try Workspace(recipe: nil)
    try space.write(try RandomModels.data("model.safetensors"), to: "model.safetensors")
    let old = timespec(tv_sec: 1_700_000_000, tv_nsec: 5)
    #expect(utimensat(AT_FDCWD, space.path + "/model.safetensors", [old, old], 0) == 0)
    let first = try await inspect(space, "model.safetensors")
    // Other bytes with the old size and time: only a stored hash can be the old one.
    var bytes = try space.data("model.safetensors")
    bytes[bytes.count - 1] ^= 1
    try space.write(bytes, to: "model.safetensors")
    #expect(utimensat(AT_FDCWD, space.path + "/model.safetensors", [old, old], 0) == 0)
    #expect(try await inspect(space, "model.safetensors")["hashes"]?["sha256"] == first["hashes"]?["sha256"])
    try space.write(bytes, to: "model.safetensors")
    #expect(try await inspect(space, "model.safetensors")["hashes"]?["sha256"]?.text == digest(bytes))
  }

  @Test func `missing and unread tensors are named by the file's own names`() async throws {
    let folder = try TemporaryFolder()
    let fixture = try ModelFixture("one-layer")
    let missing = "model.diffusion_model.out.2.bias"
    let tensors = fixture.singleFile().filter { $0.name != missing } + [SyntheticTensor("some.thing", [3])]
    let path = try folder.write("model.safetensors", tensors)
    let space = try Workspace(recipe: nil)
    let json = try await inspect(space, path)
    #expect(json["missing"] == [.string(missing)] && json["unread"] == ["some.thing"] && json["usable"] == false)
    #expect(try await space.run("inspect", path).output.contains("missing: \(missing)"))
  }

  @Test func `VAEs, small decoders, folders, LoRAs, embeddings and upscalers are recognised`() async throws {
    let folder = try TemporaryFolder()
    let space = try Workspace(recipe: nil)
    let fixture = try ModelFixture("one-layer")
    let vae = try folder.write("vae.safetensors", fixture.diffusers("vae"))
    #expect(try await inspect(space, vae)["kind"] == "VAE")
    let whole = try await inspect(space, try fixture.writeFolder(to: folder, as: "model"))
    #expect(whole["kind"] == "checkpoint" && whole["layout"] == "diffusers folder" && whole["container"] == .null)
    #expect(whole["hashes"]?["old"] == .null)
    #expect(try await inspect(space, RandomModels.path("taesd_decoder.safetensors"))["kind"] == "TAESD")
    #expect(try await inspect(space, RandomModels.path("taesd"))["kind"] == "TAESD")
    let name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    let lora = try folder.write(
      "lora.safetensors",
      [
        SyntheticTensor("\(name).lora_down.weight", [4, 768]), SyntheticTensor("\(name).lora_up.weight", [320, 4]),
        SyntheticTensor("\(name).alpha", [], type: "F32", bytes: [0, 0, 0, 1]),
      ])
    let json = try await inspect(space, lora)
    #expect(json["kind"] == "LoRA" && json["family"] == "Stable Diffusion 1.x" && json["usable"] == true)
    #expect(json["networks"]?.elements?[0]["sizes"] == ["rank": 4, "layers": 1])
    // The webui hashes what follows the header.
    let bytes = try Data(contentsOf: URL(fileURLWithPath: lora))
    let header = bytes.prefix(8).enumerated().reduce(0) { $0 + Int($1.element) << (8 * $1.offset) }
    #expect(json["hashes"]?["lora"]?.text == String(digest(bytes.dropFirst(8 + header)).prefix(12)))
    let embedding = try await inspect(space, Fixtures.path("Weights/containers/embedding.pt"))
    #expect(embedding["kind"] == "textual inversion" && embedding["metadata"]?["name"] == "an embedding")
    #expect(embedding["networks"]?.elements?[0]["sizes"] == ["vectors": 2, "width": 6])
    let upscaler = try folder.write(
      "4x.safetensors", [SyntheticTensor("params_ema.body.0.rdb1.conv1.weight", [32, 64, 3, 3])])
    #expect(try await inspect(space, upscaler)["kind"] == "upscaler")
    let other = try await inspect(space, try folder.write("a.safetensors", [SyntheticTensor("a.b", [2])]))
    #expect(other["kind"] == "other" && other["usable"] == false)
    #expect(other["reason"]?.text?.contains("a file with 1 tensors, such as a.b") == true)
  }

  @Test func `a checkpoint that does not run is no VAE, and has the reason that a run gives`() async throws {
    let space = try Workspace(
      recipe: Workspace.recipe.replacingOccurrences(of: "model.safetensors", with: "wrong.safetensors"))
    let own = try TensorFile(path: RandomModels.path("model.safetensors")).tensors.values.sorted { $0.name < $1.name }
    let input = "model.diffusion_model.input_blocks.0.0.weight"
    let kinds: [(reason: String, isKept: (String) -> Bool, added: SyntheticTensor?)] = [
      ("an inpainting model", { $0 != input }, SyntheticTensor(input, [32, 9, 3, 3])),
      ("an instruct-pix2pix model", { $0 != input }, SyntheticTensor(input, [32, 8, 3, 3])),
      ("no text encoder", { !$0.hasPrefix("cond_stage_model.") }, nil),
      ("Playground 2.5", { _ in true }, SyntheticTensor("edm_mean", [1, 4, 1, 1])),
      ("missing: model.diffusion_model.out.2.bias", { $0 != "model.diffusion_model.out.2.bias" }, nil),
    ]
    for name in ["vocab.json", "merges.txt"] { try space.write(RandomModels.data(name), to: name) }
    for kind in kinds {
      let kept = try own.filter { kind.isKept($0.name) }.map {
        SyntheticTensor($0.name, $0.shape, type: "F16", bytes: try $0.withRawBytes { Array($0) })
      }
      try (kept + [kind.added].compactMap { $0 }).write(to: space.path + "/wrong.safetensors")
      let json = try await inspect(space, "wrong.safetensors")
      #expect(json["kind"] == "checkpoint" && json["usable"] == false, "\(kind.reason)")
      #expect(json["reason"]?.text?.contains(kind.reason) == true, "\(json["reason"]?.text ?? "")")
      let errors = try await space.run("recipe.yaml", exits: 10).errors
      #expect(errors.contains(kind.reason), "\(errors)")
    }
    // A folder too.
    try FileManager.default.copyItem(atPath: RandomModels.path("sd2"), toPath: space.path + "/folder")
    try FileManager.default.removeItem(atPath: space.path + "/folder/unet/diffusion_pytorch_model.safetensors")
    let folder = try await inspect(space, "folder")
    #expect(folder["kind"] == "checkpoint" && folder["usable"] == false && folder["hashes"]?["sha256"] == .null)
    #expect(folder["reason"]?.text?.contains("no weights are here") == true)
    try space.write("", to: "folder/unet/model.onnx")
    #expect(try await inspect(space, "folder")["reason"]?.text?.contains("model.onnx, which is for ONNX") == true)
  }

  @Test func `plan, run and inspect report the VAE and the configuration next to a checkpoint`() async throws {
    let space = try Workspace(
      recipe: Workspace.recipe.replacingOccurrences(of: "model.safetensors", with: "own.safetensors"))
    try space.write(try RandomModels.data("model.safetensors"), to: "own.safetensors")
    try space.write(try RandomModels.data("model.safetensors"), to: "own.vae.safetensors")
    try space.write("model:\n  params:\n    parameterization: \"v\"\n", to: "own.yaml")
    try FileManager.default.copyItem(atPath: RandomModels.path("merges.txt"), toPath: space.path + "/merges.txt")
    for arguments in [["plan", "recipe.yaml"], ["recipe.yaml"]] {
      let child = try space.start([Child.program] + arguments, environment: [:])
      #expect(try await child.wait() == .exited(0))
      #expect(child.errors.contains("note: ") && child.errors.contains("own.vae.safetensors next to it"))
    }
    #expect(
      try space.manifestJobs().allSatisfy { $0["infotext"]?.text?.contains("VAE: own.vae.safetensors, ") == true })
    let json = try await inspect(space, "own.safetensors")
    #expect(json["prediction"] == "v_prediction" && json["prediction_source"] == "own.yaml")
    #expect(json["default_vae"]?.text?.hasSuffix("/own.vae.safetensors") == true)
    let text = try await space.run("inspect", "own.safetensors").output
    #expect(text.contains("v_prediction (own.yaml)") && text.contains("own.vae.safetensors"))
  }

  @Test func `an image of a UNet that another checkpoint completes is reproduced`() async throws {
    let space = try Workspace(
      recipe: """
        model: unet
        text_encoder: ssd
        prompt: a small boat
        width: 64
        height: 64
        steps: 2
        output: run

        """)
    let own = try TensorFile(path: RandomModels.path("ssd.safetensors")).tensors.values
    let tensors = try own.filter { $0.name.hasPrefix("model.diffusion_model.") }.sorted { $0.name < $1.name }.map {
      SyntheticTensor($0.name, $0.shape, type: "F16", bytes: try $0.withRawBytes { Array($0) })
    }
    try tensors.write(to: space.path + "/unet.safetensors")
    let json = try await inspect(space, "unet.safetensors")
    #expect(json["usable"] == false && json["reason"]?.text?.contains("text_encoder:") == true)
    try await space.run("recipe.yaml")
    let infotext = try #require(space.manifestJobs().first?["infotext"]?.text)
    #expect(infotext.contains("Text encoder: ssd ["))
    let file = try #require(space.images().keys.first)
    #expect(try await space.run("reproduce", "run/images/\(file)").output.contains("same"))
    let shown = try JSONValue(parsing: try await space.run("inspect", "run/images/\(file)", "--json").output)
    #expect(shown["complete"] == true)
    #expect(shown["recipe"]?.text?.contains("text_encoder: \"ssd\"") == true, "\(shown["recipe"]?.text ?? "")")
  }

  @Test func `files that are no models are named under any ending`() async throws {
    let space = try Workspace(recipe: nil)
    for (name, bytes, word) in [
      ("a.onnx", [8, 7, 0x12, 7] + Array("pytorch".utf8), "an ONNX model"),
      ("a.7z", Array("7z".utf8) + [0xBC, 0xAF, 0x27, 0x1C, 0, 4], "7z archive"),
      ("a.msgpack", [0x81, 0xA6] + Array("params".utf8) + [0x81], "a Flax model"),
      ("a.zip", ZipBytes([ZipBytes.Entry("model.ckpt", [1])]).bytes, "zip archive"),
    ] as [(String, [UInt8], String)] {
      try space.write(Data(bytes), to: name)
      #expect(try await space.run("inspect", name, exits: 10).errors.contains(word))
    }
  }

  @Test func `quantised and half precision are shown by their shares`() async throws {
    let space = try Workspace(recipe: nil)
    let json = try await inspect(space, Fixtures.path("Weights/containers/quantised.gguf"))
    #expect(json["container"] == "GGUF" && json["metadata"]?["general.architecture"] == "sd")
    let precision = json["networks"]?.elements?[0]["precision"]
    #expect(precision?["Q8_0"] == 192 && precision?["Q6_K"] == 1536 && precision?["BF16"] == 15)
  }

  /// With a limit of address space that is only a little more than the program itself needs.
  @Test func `hostile files end with code 10, a reason and little memory`() async throws {
    let space = try Workspace(recipe: "model: bomb.ckpt\nprompt: a\noutput: run\n")
    var call = PickleBytes()
    call.raw("cposix\nsystem\n(")
    call.string("touch \(space.path)/harm")
    call.raw("tR.")
    let kept = Array(repeating: UInt8(0x94), count: 20 << 20)
    let many = PickleBytes.littleEndian(UInt64(1) << 60)
    let files: [(String, [UInt8], String)] = [
      ("imports posix.system", ZipBytes([ZipBytes.Entry("a/data.pkl", call.bytes)]).bytes, "ckpt"),
      ("imports posix.system", call.bytes, "pt"),
      ("far more than a model's", [0x80, 4, UInt8(ascii: "N")] + kept, "ckpt"),
      ("more than it has room for", Array("GGUF".utf8) + [3, 0, 0, 0] + many + many, "gguf"),
      ("announce a header of", many + Array("{".utf8), "safetensors"),
    ]
    for (reason, bytes, ending) in files {
      try space.write(Data(bytes), to: "bomb.\(ending)")
      for command in ["inspect bomb.\(ending)", "recipe.yaml --threads 1 --set model=bomb.\(ending)"] {
        let child = try space.startShell("ulimit -v 400000; exec \"$0\" \(command)")
        #expect(try await child.wait() == .exited(10), "\(command): \(child.output)\(child.errors)")
        #expect(child.errors.contains(reason), "\(command): \(child.errors)")
      }
    }
    #expect(!space.exists("harm") && !space.exists("run"))
  }

  @Test func `a TAESD decodes a run's images, and the text in them says so`() async throws {
    let space = try Workspace(
      recipe: """
        model: model.safetensors
        vae: taesd_decoder.safetensors
        prompt: a small boat
        width: 64
        height: 72
        steps: 2
        seed: 3
        output: run

        """)
    try await space.run("recipe.yaml")
    let job = try #require(space.manifestJobs().first)
    let infotext = try #require(job["infotext"]?.text)
    #expect(infotext.contains("VAE: taesd_decoder.safetensors, ") && infotext.contains("VAE Decoder: TAESD, "))
    let file = try #require(space.images().keys.first)
    #expect(try await space.run("reproduce", "run/images/\(file)").output.contains("same"))
    let json = try JSONValue(parsing: try await space.run("inspect", "run/images/\(file)", "--json").output)
    #expect(json["complete"] == true && json["remarks"] == [])
  }
}
