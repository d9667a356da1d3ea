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
    #expect(try message([SyntheticTensor("a", [2, 64]), SyntheticTensor("b", [2, 64])]).contains("holds 2 tensors"))
    #expect(try message([SyntheticTensor("a", [76, 64])]).contains("room for 75 tokens"))
    #expect(try message([SyntheticTensor("a", [1, 2, 64])]).contains("expected [vectors, width]"))
    #expect(
      try message([SyntheticTensor("clip_l", [2, 64]), SyntheticTensor("clip_g", [3, 64])]).contains("2 and 3 vectors"))
  }
}
