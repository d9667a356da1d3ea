import Diffusion
import Foundation
import Infotext
import Settings
import Testing
import TestSupport
import TensorFiles
import Weights

/// Whole images with textual inversions in every form, against PyTorch with their vectors instead of
/// tokens (`Tests/FixtureScripts/make_embedding_images.py`).
@Suite struct EmbeddingImageTests {
  static let cases = ImageCase.cases(in: "inversions/cases.json")

  private static func placed(_ settings: ImageSettings) -> ImageSettings {
    var settings = settings
    settings.precision = .fp32
    settings.adapterFolders = [Fixtures.path("Engine/inversions")]
    return settings
  }

  @Test(arguments: cases)
  func `an image agrees with the vectors inserted in PyTorch`(testCase: ImageCase) throws {
    let image = try Engine.forTests().generate(Self.placed(testCase.settings)) { _ in }
    let expected = try testCase.expectedImage()
    let differences = zip(image.pixels, expected.pixels).map { abs(Int($0) - Int($1)) }
    let largest = differences.max() ?? 0
    let count = differences.count { $0 > 0 }
    #expect(
      largest <= 1 && count * 10 < differences.count, "\(testCase.file): \(count) differ, by at most \(largest)")
  }

  @Test func `every embedding changes the images`() throws {
    let images = try Self.cases.map { try $0.expectedImage().pixels }
    #expect(Set(images).count == images.count)
  }

  @Test func `embeddings depend on the folders that are searched`() throws {
    let engine = try Engine.forTests()
    var plain = Self.placed(Self.cases[1].settings)
    let with = try engine.generate(plain) { _ in }
    plain.adapterFolders = []
    let without = try engine.generate(plain) { _ in }
    #expect(with != without)
    plain.adapterFolders = [Fixtures.path("Engine/inversions")]
    #expect(try engine.generate(plain) { _ in } == with)
  }

  @Test func `ingredients contain the embeddings that prompts name, in their order`() throws {
    let engine = try Engine.forTests()
    func used(_ prompt: String, _ negative: String = "") throws -> [String] {
      var settings = Self.placed(Self.cases[0].settings)
      (settings.prompt, settings.negativePrompt) = (prompt, negative)
      return try engine.ingredients(for: settings).embeddings.map(\.name)
    }
    #expect(try used("a red boat") == [])
    #expect(try used("EASYNOISE and bluestar, bluestar") == ["EasyNoise", "bluestar"])
    #expect(try used("a calm lake") == ["calm lake"])
    #expect(try used("a calm (lake:1.1)") == ["calm"])
    #expect(try used("[a:bluestar:0.9] AND calm", "calm lake") == ["bluestar", "calm", "calm lake"])
    #expect(try used("<foo:bluestar> boat") == [])
  }

  @Test func `digests are part of the identity, and hashes of the infotext`() throws {
    let engine = try Engine.forTests()
    let settings = Self.placed(Self.cases[2].settings)
    let ingredients = try engine.ingredients(for: settings)
    let digests = try ["bluestar.pt", "EasyNoise.bin"].map {
      try FileDigest.sha256(ofFileAt: Fixtures.path("Engine/inversions/embeddings/\($0)"))
    }
    let canonical = String(decoding: JobID.canonicalJSON(settings, ingredients), as: UTF8.self)
    #expect(canonical.contains(#""embeddings":["\#(digests[0])","\#(digests[1])"]"#))
    let item = Infotext(settings, ingredients, version: "1").extras.first { $0.key == "TI hashes" }
    #expect(item?.value.text == "bluestar: \(digests[0].prefix(12)), EasyNoise: \(digests[1].prefix(12))")
    var plain = settings
    plain.prompt = "a red boat"
    plain.negativePrompt = ""
    let other = JobID.canonicalJSON(plain, try engine.ingredients(for: plain))
    #expect(!String(decoding: other, as: UTF8.self).contains("embeddings"))
  }

  @Test func `the name of an embedding for another kind of model is a word like any other, and is reported once`()
    throws
  {
    let engine = try Engine.forTests()
    var settings = Self.placed(Self.cases[0].settings)
    settings.prompt = "a tree"
    for _ in 0..<2 { #expect(try engine.ingredients(for: settings).embeddings.isEmpty) }
    let notes = engine.takeNotes()
    #expect(notes.count == 1)
    #expect(notes.first?.contains("tree.safetensors: the embedding has vectors of 96 numbers") == true)
    #expect(engine.takeNotes().isEmpty)
    // For SDXL there are two.
    let folder = try TemporaryFolder()
    try folder.write(
      "embeddings/star.safetensors", [SyntheticTensor("clip_l", [2, 64]), SyntheticTensor("clip_g", [2, 160])])
    settings.prompt = "a star"
    settings.adapterFolders = [folder.path]
    #expect(try engine.ingredients(for: settings).embeddings.isEmpty)
    #expect(engine.takeNotes().first?.contains("vectors of 64 and 160 numbers") == true)
  }

  @Test func `a file that is not an embedding is refused if a prompt names it`() throws {
    func message(_ tensors: [SyntheticTensor]) throws -> String {
      let folder = try TemporaryFolder()
      try folder.write("embeddings/star.safetensors", tensors)
      var settings = Self.placed(Self.cases[0].settings)
      settings.adapterFolders = [folder.path]
      settings.prompt = "a boat"
      #expect(try Engine.forTests().ingredients(for: settings).embeddings.isEmpty)
      settings.prompt = "a star"
      let error = #expect(throws: WeightError.self) { try Engine.forTests().ingredients(for: settings) }
      return error?.description ?? ""
    }
    let two = try message([SyntheticTensor("a", [2, 64]), SyntheticTensor("b", [2, 64])])
    #expect(two.contains("contains 2 tensors"))
    #expect(try message([SyntheticTensor("a", [76, 64])]).contains("room for 75 tokens"))
    #expect(try message([SyntheticTensor("a", [1, 2, 64])]).contains("expected [vectors, width]"))
    #expect(
      try message([SyntheticTensor("clip_l", [2, 64]), SyntheticTensor("clip_g", [3, 64])]).contains("2 and 3 vectors"))
  }

  // MARK: Embeddings in LoRAs

  /// A LoRA, and an embedding: apart, or with the embedding inside under these names.
  private func folder(embedding: [SyntheticTensor], isApart: Bool, name: String = "zq") throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let layer = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"
    var random = SplitMix64(state: 3)
    func floats(_ count: Int) -> [Float] { (0..<count).map { _ in Float(random.next() >> 40) / Float(1 << 24) - 0.5 } }
    let lora = [
      SyntheticTensor("\(layer).lora_up.weight", [64, 2], floats: floats(128)),
      SyntheticTensor("\(layer).lora_down.weight", [2, 64], floats: floats(128)),
    ]
    var inside: [SyntheticTensor] = []
    if isApart {
      try folder.write("embeddings/\(name).safetensors", embedding)
    } else {
      inside = embedding.map { tensor in
        var tensor = tensor
        tensor.name = "bundle_emb.\(name).\(tensor.name)"
        return tensor
      }
    }
    try folder.write("lora/ink.safetensors", lora + inside)
    return folder
  }

  private func settings(_ prompt: String, in folder: TemporaryFolder) -> ImageSettings {
    var settings = Self.placed(Self.cases[0].settings)
    settings.prompt = prompt
    settings.steps = 2
    settings.adapterFolders = [folder.path]
    return settings
  }

  private static func vectors(_ name: String, seed: UInt64 = 4, width: Int = 64) -> [SyntheticTensor] {
    var random = SplitMix64(state: seed)
    return [
      SyntheticTensor(
        name, [2, width], floats: (0..<2 * width).map { _ in Float(random.next() >> 40) / Float(1 << 23) - 1 })
    ]
  }

  @Test(arguments: ["emb_params", "string_to_param.*", "anything"])
  func `an embedding inside a LoRA gives the image of both apart`(form: String) throws {
    let prompt = "a zq boat <lora:ink:0.7>"
    let apart = try folder(embedding: Self.vectors(form), isApart: true)
    let inside = try folder(embedding: Self.vectors(form), isApart: false)
    let engine = try Engine.forTests()
    let expected = try engine.generate(settings(prompt, in: apart)) { _ in }
    #expect(try engine.generate(settings(prompt, in: inside)) { _ in } == expected)
    // Without the LoRA, the name is an ordinary word.
    let word = try engine.generate(settings("a zq boat", in: inside)) { _ in }
    #expect(word != expected)
    #expect(try engine.ingredients(for: settings("a zq boat", in: inside)).embeddings.isEmpty)
    #expect(try engine.generate(settings("a zq boat", in: apart)) { _ in } != word)
  }

  @Test func `an embedding inside a LoRA is known by the LoRA's digest and name`() throws {
    let folder = try folder(embedding: Self.vectors("emb_params"), isApart: false)
    let settings = settings("a zq boat <lora:ink:0>", in: folder)
    let ingredients = try Engine.forTests().ingredients(for: settings)
    let digest = try FileDigest.sha256(ofFileAt: folder("lora/ink.safetensors"))
    #expect(
      ingredients.embeddings == [
        EmbeddingIdentity(name: "zq", path: folder("lora/ink.safetensors"), sha256: digest, bundle: "ink")
      ])
    let items = Infotext(settings, ingredients, version: "1").extras
    #expect(items.first { $0.key == "TI hashes" }?.value.text == "zq: ink")
  }

  @Test func `an embedding in the folders is preferred to one inside a LoRA, unless it is for another model`() throws {
    let folder = try folder(embedding: Self.vectors("emb_params"), isApart: false)
    func used() throws -> [String] {
      let engine = try Engine.forTests()
      return try engine.ingredients(for: settings("a zq boat <lora:ink:1>", in: folder)).embeddings.map(\.path)
    }
    try folder.write("embeddings/zq.safetensors", Self.vectors("emb_params", seed: 5))
    #expect(try used() == [folder("embeddings/zq.safetensors")])
    try folder.write("embeddings/zq.safetensors", Self.vectors("emb_params", width: 96))
    #expect(try used() == [folder("lora/ink.safetensors")])
  }

  @Test func `an embedding inside a LoRA that is for another model is a word, and is reported once`() throws {
    let folder = try folder(embedding: Self.vectors("emb_params", width: 96), isApart: false)
    let engine = try Engine.forTests()
    for prompt in ["a zq boat <lora:ink:1>", "a zq <lora:ink:0.5>"] {
      #expect(try engine.ingredients(for: settings(prompt, in: folder)).embeddings.isEmpty)
    }
    let notes = engine.takeNotes()
    #expect(notes.count == 1 && notes[0].contains("its embedding zq has vectors of 96 numbers"))
  }

  @Test func `a damaged embedding inside a LoRA is an error that names it`() throws {
    let folder = try folder(
      embedding: [SyntheticTensor("a", [2, 64]), SyntheticTensor("b", [2, 64])], isApart: false)
    let error = #expect(throws: WeightError.self) {
      try Engine.forTests().ingredients(for: settings("a boat <lora:ink:1>", in: folder))
    }
    #expect(error?.description.contains("its embedding zq: it contains 2 tensors") == true)
  }

  // MARK: Changes of the table

  @Test func `a LoRA that changes the table of tokens changes the image, and switching it off restores it`() throws {
    let folder = try TemporaryFolder()
    try folder.write("lora/table.safetensors", [SyntheticTensor("placeholder", [1])])
    let engine = try Engine.forTests()
    let plain = try engine.generate(settings("a boat", in: folder)) { _ in }
    let table = "text_encoders.clip_l.transformer.text_model.embeddings.token_embedding"
    let count = try Fixtures.tokenCount()
    var random = SplitMix64(state: 8)
    func floats(_ count: Int) -> [Float] { (0..<count).map { _ in Float(random.next() >> 40) / Float(1 << 24) - 0.5 } }
    try folder.write(
      "lora/table.safetensors",
      [
        SyntheticTensor("\(table).lora_up.weight", [count, 2], floats: floats(2 * count)),
        SyntheticTensor("\(table).lora_down.weight", [2, 64], floats: floats(128)),
      ])
    let fresh = try Engine.forTests()
    let changed = try fresh.generate(settings("a boat <lora:table:1>", in: folder)) { _ in }
    #expect(changed != plain)
    #expect(try fresh.generate(settings("a boat", in: folder)) { _ in } == plain)
    #expect(try fresh.generate(settings("a boat <lora:table:1>", in: folder)) { _ in } == changed)
  }
}

extension Fixtures {
  /// The tokens of the small model's vocabulary.
  fileprivate static func tokenCount() throws -> Int {
    let file = try TensorFile(path: RandomModels.path("model.safetensors"))
    return try #require(
      file.tensors["cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"]?.shape.first)
  }
}
