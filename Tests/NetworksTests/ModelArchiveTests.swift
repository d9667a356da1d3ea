import Foundation
import Testing
import TestSupport
import TensorFiles
import Weights

@testable import Networks

struct ModelArchiveTests {
  /// The numbers 0 to 76.
  static let positions: [UInt8] = (0..<77).flatMap { number -> [UInt8] in
    [UInt8(number)] + Array(repeating: 0, count: 7)
  }

  /// Tensors in single files that belong to no network.
  static let leftovers = [
    SyntheticTensor("betas", [1000], type: "F32"), SyntheticTensor("alphas_cumprod", [1000], type: "F32"),
    SyntheticTensor("alphas_cumprod_prev", [1000]), SyntheticTensor("sqrt_alphas_cumprod", [1000]),
    SyntheticTensor("sqrt_recipm1_alphas_cumprod", [1000]), SyntheticTensor("log_one_minus_alphas_cumprod", [1000]),
    SyntheticTensor("posterior_mean_coef1", [1000]), SyntheticTensor("model_ema.decay", []),
    SyntheticTensor("model_ema.num_updates", [], type: "I64"),
    SyntheticTensor("model_ema.diffusion_modelinput_blocks00weight", [320, 4, 3, 3]),
    SyntheticTensor(
      "cond_stage_model.transformer.text_model.embeddings.position_ids", [1, 77], type: "I64", bytes: positions),
    SyntheticTensor("cond_stage_model.transformer.text_projection.weight", [768, 768]),
    SyntheticTensor("cond_stage_model.logit_scale", []), SyntheticTensor("first_stage_model.loss.logvar", []),
  ]

  /// Reads every tensor by its diffusers name, and compares it with the one that the fixture names.
  private func expectAll(
    _ fixture: ModelFixture, _ network: String, in scope: WeightScope, fileName: (ModelFixture.Tensor) -> String
  ) throws {
    for tensor in fixture.tensors(network) where !isEncoder(tensor.name) {
      #expect(try scope.tensor(tensor.name, shape: tensor.shape).name == fileName(tensor))
    }
  }

  private func isEncoder(_ name: String) -> Bool {
    name.hasPrefix("encoder.conv") || name.hasPrefix("encoder.down")
      || name.hasPrefix("encoder.mid") || name.hasPrefix("quant_conv")
  }

  private func expectConfigurations(_ archive: ModelArchive, _ name: String) throws {
    let expected = try #require(Configurations.all[name])
    #expect(archive.unet.configuration == expected.unet)
    #expect(archive.vae?.configuration == expected.vae)
    #expect(archive.textEncoders[0].configuration == expected.text)
  }

  @Test(arguments: ModelFixture.all)
  func `a single file gives all tensors, and its shapes the configurations`(name: String) throws {
    let folder = try TemporaryFolder()
    let fixture = try ModelFixture(name)
    let path = try folder.write("model.safetensors", fixture.singleFile() + Self.leftovers)
    let archive = try ModelArchive.open(path: path)
    #expect(archive.layout == .singleFile)
    #expect(archive.family == .sd1)
    #expect(archive.predictionType == nil)
    #expect(archive.tokenizerFolders.isEmpty)
    try expectConfigurations(archive, name)
    #expect(archive.audit().description == "\(path): all tensors are as expected")
    let vae = try #require(archive.vae)
    try expectAll(fixture, "unet", in: archive.unet.weights) { "model.diffusion_model." + $0.singleName }
    try expectAll(fixture, "vae", in: vae.weights) { "first_stage_model." + $0.singleName }
    try expectAll(fixture, "text_encoder", in: archive.textEncoders[0].weights) {
      "cond_stage_model.transformer." + $0.singleName
    }
    #expect(archive.unet.untaken.isEmpty)
    #expect(vae.untaken.isEmpty)
    #expect(archive.textEncoders[0].untaken.isEmpty)
  }

  @Test(arguments: ModelFixture.all)
  func `a diffusers folder gives all tensors, and its files the configurations`(name: String) throws {
    let folder = try TemporaryFolder()
    let fixture = try ModelFixture(name)
    let path = try fixture.writeFolder(to: folder, as: "model")
    try folder.write("model/scheduler/scheduler_config.json", #"{"prediction_type": "v_prediction"}"#)
    try folder.write("model/tokenizer/merges.txt", "#version: 0.2\n")
    let archive = try ModelArchive.open(path: path + "/")
    #expect(archive.layout == .diffusers)
    #expect(archive.predictionType == .vPrediction)
    #expect(archive.tokenizerFolders == ["\(path)/tokenizer"])
    try expectConfigurations(archive, name)
    #expect(archive.audit().isClean)
    let vae = try #require(archive.vae)
    try expectAll(fixture, "unet", in: archive.unet.weights) { $0.name }
    try expectAll(fixture, "vae", in: vae.weights) { $0.name }
    try expectAll(fixture, "text_encoder", in: archive.textEncoders[0].weights) { $0.name }
    #expect(archive.unet.untaken.isEmpty && vae.untaken.isEmpty && archive.textEncoders[0].untaken.isEmpty)
  }

  @Test func `a damaged model_index.json is reported, although nothing in it is needed`() throws {
    let folder = try TemporaryFolder()
    let path = try ModelFixture("one-layer").writeFolder(to: folder, as: "model")
    try folder.write("model/model_index.json", #"{"_class_name": "StableDiffusionPip"#)
    let error = #expect(throws: WeightError.self) { try ModelArchive.open(path: path) }
    #expect("\(try #require(error))".contains("model_index.json"))
    try folder.write("model/model_index.json", "{}")
    #expect(try ModelArchive.open(path: path).audit().isClean)
  }

  @Test func `a logit_scale of OpenCLIP's name does not make a model of 1.x one of 2.x`() throws {
    let folder = try TemporaryFolder()
    for name in ModelFixture.all {
      let stray = SyntheticTensor("cond_stage_model.model.logit_scale", [])
      let path = try folder.write("model.safetensors", try ModelFixture(name).singleFile() + [stray])
      let archive = try ModelArchive.open(path: path)
      #expect(archive.family == .sd1 && archive.audit().isClean, "\(name)")
    }
  }

  @Test func `the text encoder is found with and without its prefix, in both layouts`() throws {
    let folder = try TemporaryFolder()
    let fixture = try ModelFixture("one-layer")
    let bare = fixture.singleFile().map { tensor in
      var tensor = tensor
      tensor.name = tensor.name.replacingOccurrences(of: "transformer.text_model.", with: "transformer.")
      return tensor
    }
    let positions = SyntheticTensor(
      "cond_stage_model.transformer.embeddings.position_ids", [1, 77], type: "I64", bytes: Self.positions)
    let single = try ModelArchive.open(path: try folder.write("bare.safetensors", bare + [positions]))
    #expect(single.audit().isClean)
    let names = ["embeddings.token_embedding.weight", "encoder.layers.0.mlp.fc1.bias", "final_layer_norm.weight"]
    for name in names { #expect(single.textEncoders[0].weights.contains(name)) }

    let path = try fixture.writeFolder(to: folder, as: "prefixed")
    let prefixed = fixture.diffusers("text_encoder").map { tensor in
      SyntheticTensor("text_model." + tensor.name, tensor.shape)
    }
    let extras = [
      SyntheticTensor("text_model.embeddings.position_ids", [1, 77], type: "I64"),
      SyntheticTensor("text_projection.weight", [64, 64]), SyntheticTensor("logit_scale", []),
    ]
    try folder.write("prefixed/text_encoder/model.safetensors", prefixed + extras)
    let archive = try ModelArchive.open(path: path)
    #expect(archive.audit().isClean)
    for name in names { #expect(archive.textEncoders[0].weights.contains(name)) }
  }

  @Test func `the VAE's attention is found by its old names and as convolutions`() throws {
    let folder = try TemporaryFolder()
    let fixture = try ModelFixture("one-layer")
    let path = try fixture.writeFolder(to: folder, as: "old")
    let old = ["to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"]
    let tensors = fixture.diffusers("vae").map { tensor in
      var tensor = tensor
      guard tensor.name.contains("attentions.0.to_") else { return tensor }
      for (new, old) in old { tensor.name = tensor.name.replacingOccurrences(of: new, with: old) }
      if tensor.shape.count == 2 { tensor.shape += [1, 1] }
      return tensor
    }
    try folder.write("old/vae/diffusion_pytorch_model.safetensors", tensors)
    let archive = try ModelArchive.open(path: path)
    #expect(archive.audit().isClean)
    let attention = try #require(archive.vae).weights["decoder.mid_block.attentions.0"]
    for (new, old) in old {
      let tensor = try attention.tensor("\(new).weight", shape: [64, 64])
      #expect(tensor.name == "decoder.mid_block.attentions.0.\(old).weight")
      #expect(tensor.shape == [64, 64])
    }

    let linear = fixture.singleFile().map { tensor in
      var tensor = tensor
      if tensor.name.contains("attn_1") { tensor.shape = Array(tensor.shape.prefix(2)) }
      return tensor
    }
    #expect(try ModelArchive.open(path: try folder.write("linear.safetensors", linear)).audit().isClean)
  }

  @Test(arguments: ["first_stage_model.", "", "diffusers"])
  func `a separate VAE is found with and without a prefix, and by diffusers names`(kind: String) throws {
    let folder = try TemporaryFolder()
    for name in ModelFixture.all {
      let fixture = try ModelFixture(name)
      let tensors =
        kind == "diffusers"
        ? fixture.diffusers("vae")
        : fixture.tensors("vae").map { SyntheticTensor(kind + $0.singleName, $0.singleShape) }
      let training = [SyntheticTensor(kind == "diffusers" ? "loss.logvar" : kind + "loss.logvar", [])]
      let archive = try ModelArchive.openVAE(path: try folder.write("vae.safetensors", tensors + training))
      #expect(archive.layout == (kind == "diffusers" ? .diffusers : .singleFile))
      var expected = try #require(Configurations.all[name]).vae
      // The file alone does not show whose latents it decodes.
      expected.scalingFactor = nil
      let vae = try full(archive)
      #expect(vae.configuration == expected)
      #expect(archive.audit().isClean)
      try expectAll(fixture, "vae", in: vae.weights) { kind == "diffusers" ? $0.name : kind + $0.singleName }
    }
  }

  private func full(_ archive: VAEArchive) throws -> ModelArchive.Network<VAEConfiguration> {
    guard case .full(let network) = archive.decoder else {
      throw WeightError.file(.unreadable(path: "", reason: "no VAE"))
    }
    return network
  }

  @Test func `a separate VAE may be a folder, or a part of a whole model`() throws {
    let folder = try TemporaryFolder()
    let fixture = try ModelFixture("one-layer")
    let path = try fixture.writeFolder(to: folder, as: "model")
    let checkpoint = try folder.write("model.safetensors", fixture.singleFile() + Self.leftovers)
    for path in [path, path + "/vae", path + "/vae/diffusion_pytorch_model.safetensors", checkpoint] {
      let archive = try ModelArchive.openVAE(path: path)
      var expected = try #require(Configurations.all["one-layer"]).vae
      if path.hasSuffix(".safetensors") { expected.scalingFactor = nil }
      #expect(try full(archive).configuration == expected)
      #expect(archive.audit().isClean)
      try ModelArchive.open(path: checkpoint).requireMatch(archive)
    }
  }

  @Test func `a checkpoint without a VAE opens, one without a text encoder does not`() throws {
    let folder = try TemporaryFolder()
    let fixture = try ModelFixture("one-layer")
    let archive = try ModelArchive.open(
      path: try folder.write("bare.safetensors", fixture.singleFile(["unet", "text_encoder"])))
    #expect(archive.vae == nil)
    #expect(archive.audit().isClean)
    let path = try folder.write("headless.safetensors", fixture.singleFile(["unet", "vae"]))
    let error = #expect(throws: WeightError.self) { try ModelArchive.open(path: path) }
    #expect("\(try #require(error))".contains("the model has no text encoder"))
  }

  @Test(arguments: [
    "diffusion_pytorch_model.fp16.safetensors", "model.safetensors", "diffusion_pytorch_model.bf16.safetensors",
  ])
  func `weights are found under the names that libraries give them`(file: String) throws {
    let folder = try TemporaryFolder()
    let fixture = try ModelFixture("one-layer")
    let path = try fixture.writeFolder(to: folder, as: "model")
    let unet = "model/unet/diffusion_pytorch_model.safetensors"
    try FileManager.default.moveItem(atPath: folder(unet), toPath: folder("model/unet/\(file)"))
    #expect(try ModelArchive.open(path: path).audit().isClean)
    // Full precision is preferred.
    try folder.write(unet, [SyntheticTensor("other", [1])])
    if file != "model.safetensors" {
      #expect(throws: WeightError.self) { try ModelArchive.open(path: path).audit().check() }
    }
  }

  @Test(arguments: [
    "diffusion_pytorch_model.safetensors.index.json", "diffusion_pytorch_model.safetensors.index.fp16.json",
  ])
  func `sharded weights are read together`(index: String) throws {
    let folder = try TemporaryFolder()
    let fixture = try ModelFixture("one-layer")
    let path = try fixture.writeFolder(to: folder, as: "model")
    try FileManager.default.removeItem(atPath: folder("model/unet/diffusion_pytorch_model.safetensors"))
    let tensors = fixture.diffusers("unet")
    var map: [String] = []
    for (shard, part) in [tensors[..<100], tensors[100...]].enumerated() {
      try folder.write("model/unet/part-\(shard).safetensors", Array(part))
      map += part.map { "\"\($0.name)\":\"part-\(shard).safetensors\"" }
    }
    try folder.write("model/unet/\(index)", "{\"metadata\":{},\"weight_map\":{\(map.joined(separator: ","))}}")
    #expect(try ModelArchive.open(path: path).audit().isClean)

    try folder.write("model/unet/part-1.safetensors", Array(tensors[99...]))
    let twice = #expect(throws: WeightError.self) { try ModelArchive.open(path: path) }
    #expect("\(try #require(twice))".contains("is also in another file of the model"))
    for (map, message) in [
      (#"{"a":"../../secret.safetensors"}"#, "expected the name of a .safetensors file"),
      (#"{"a":7}"#, "has 7, expected"),
      ("[]", "no weight_map"), (#"{"a":"absent.safetensors"}"#, "cannot open"),
    ] {
      try folder.write("model/unet/\(index)", "{\"weight_map\":\(map)}")
      let error = #expect(throws: WeightError.self) { try ModelArchive.open(path: path) }
      #expect("\(try #require(error))".contains(message))
    }
  }

  @Test(.timeLimit(.minutes(20)))
  func `a full size checkpoint opens and its audit is clean`() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("sd15.safetensors", try ModelFixture("sd15").singleFile() + Self.leftovers)
    try ModelArchive.open(path: path).audit().check()
  }

  @Test func `the digest of a file is its own, that of a folder covers the files that are used`() throws {
    let folder = try TemporaryFolder()
    let cache = DigestCache(environment: [:])
    let fixture = try ModelFixture("one-layer")
    let file = try folder.write("model.safetensors", fixture.singleFile())
    let digest = try FileDigest.sha256(ofFileAt: file)
    #expect(try ModelArchive.open(path: file).sha256(cache) == digest)

    let path = try fixture.writeFolder(to: folder, as: "model")
    try folder.write("model/scheduler/scheduler_config.json", "{}")
    try folder.write("model/tokenizer/merges.txt", "a")
    try folder.write("model/tokenizer/vocab.json", "{}")
    let used = [
      "scheduler/scheduler_config.json", "text_encoder/config.json", "text_encoder/model.safetensors",
      "tokenizer/merges.txt", "tokenizer/vocab.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors",
      "vae/config.json", "vae/diffusion_pytorch_model.safetensors",
    ]
    var digests: [String: String] = [:]
    for name in used { digests[name] = try FileDigest.sha256(ofFileAt: "\(path)/\(name)") }
    let before = try ModelArchive.open(path: path).sha256(cache)
    #expect(before == FileDigest.sha256(ofFilesByRelativePath: digests))
    try folder.write("model/README.md", "not used")
    try folder.write("model/unet/diffusion_pytorch_model.fp16.safetensors", "not used either")
    #expect(try ModelArchive.open(path: path).sha256(cache) == before)
    try folder.write("model/scheduler/scheduler_config.json", #"{"prediction_type":"epsilon"}"#)
    #expect(try ModelArchive.open(path: path).sha256(cache) != before)
    let vae = try ModelArchive.openVAE(path: path + "/vae").sha256(cache)
    #expect(
      vae
        == FileDigest.sha256(ofFilesByRelativePath: [
          "config.json": try #require(digests["vae/config.json"]),
          "diffusion_pytorch_model.safetensors": try #require(digests["vae/diffusion_pytorch_model.safetensors"]),
        ]))
  }
}
