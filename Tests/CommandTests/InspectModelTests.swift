import Foundation
import JSON
import Testing
import TestSupport

/// `sdbatch inspect` of model files: what they are, and what is wrong with them.
@Suite struct InspectModelTests {
  private func inspect(_ space: Workspace, _ path: String) async throws -> JSONValue {
    try JSONValue(parsing: try await space.run("inspect", path, "--json").output)
  }

  @Test func `a checkpoint's family, sizes, precision, parameters and hashes are told`() async throws {
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

  @Test func `whether a VAE has its encoder is told`() async throws {
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
      // A VAE that only decodes is usable for most that there is to do.
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
    // Other bytes with the old size and time: only a remembered hash can be the old one.
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

  @Test func `quantised and half precision are told by their shares`() async throws {
    let space = try Workspace(recipe: nil)
    let json = try await inspect(space, Fixtures.path("Weights/containers/quantised.gguf"))
    #expect(json["container"] == "GGUF" && json["metadata"]?["general.architecture"] == "sd")
    let precision = json["networks"]?.elements?[0]["precision"]
    #expect(precision?["Q8_0"] == 192 && precision?["Q6_K"] == 1536 && precision?["BF16"] == 15)
  }

  /// Under a limit of address space that is little more than the program itself needs.
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

  @Test func `a TAESD decodes a run's pictures, and the text in them says so`() async throws {
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
