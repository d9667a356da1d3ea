import Diffusion
import Foundation
import Imaging
import Infotext
import Settings
import Testing
import TestSupport
import TensorFiles

/// Checks whole images with LoRAs of every kind and naming style against the formulas of kohya, LyCORIS and PEFT in
/// PyTorch (`Tests/FixtureScripts/make_adapter_images.py`).
@Suite struct AdapterImageTests {
  static let cases = ImageCase.cases(in: "adapters/cases.json")

  private static func settings(_ index: Int) -> ImageSettings { placed(cases[index].settings) }

  private static func placed(_ settings: ImageSettings) -> ImageSettings {
    var settings = settings
    settings.precision = .fp32
    settings.adapterFolders = [Fixtures.path("Engine/adapters")]
    return settings
  }

  @Test(arguments: cases)
  func `an image agrees with the adapter's formula in PyTorch`(testCase: ImageCase) throws {
    let image = try Engine.forTests().generate(Self.placed(testCase.settings)) { _ in }
    let expected = try testCase.expectedImage()
    let differences = zip(image.pixels, expected.pixels).map { abs(Int($0) - Int($1)) }
    let largest = differences.max() ?? 0
    let count = differences.count { $0 > 0 }
    #expect(
      largest <= 1 && count * 10 < differences.count, "\(testCase.file): \(count) differ, by at most \(largest)")
  }

  @Test func `every adapter changes the images`() throws {
    // Without this, the comparisons above could pass with adapters that change nothing.
    let images = try Self.cases.map { try $0.expectedImage().pixels }
    #expect(Set(images).count == images.count)
  }

  @Test func `switching adapters gives the same bytes as an engine without other adapters`() throws {
    let engine = try Engine.forTests()
    let order = [1, 0, 8, 1, 16, 0, 11, 1, 10, 0]
    var images: [Int: RGBImage] = [:]
    for index in order {
      let image = try engine.generate(Self.settings(index)) { _ in }
      if let earlier = images[index] { #expect(image == earlier, "case \(index)") }
      images[index] = image
    }
    for index in [0, 1] {
      let fresh = try Engine.forTests(threads: 1).generate(Self.settings(index)) { _ in }
      #expect(fresh == images[index], "case \(index)")
    }
  }

  @Test func `only the adapter is loaded if the model stays the same`() throws {
    let engine = try Engine.forTests()
    var stages: [GenerationProgress] = []
    for index in [1, 1, 0] {
      _ = try engine.generate(Self.settings(index)) { stages.append($0) }
    }
    let loads = stages.compactMap { if case .loading(let name) = $0 { name } else { nil } }
    #expect(loads == ["model", "plain", "model"])
  }

  @Test func `identities contain the digests and multipliers of adapters, if there are any`() throws {
    let engine = try Engine.forTests()
    func canonical(_ settings: ImageSettings) throws -> String {
      String(decoding: JobID.canonicalJSON(settings, try engine.ingredients(for: settings)), as: UTF8.self)
    }
    #expect(try !canonical(Self.settings(0)).contains("loras"))
    let path = Fixtures.path("Engine/adapters/lora/plain.safetensors")
    let digest = try FileDigest.sha256(ofFileAt: path)
    #expect(
      try canonical(Self.settings(2)).contains(#""loras":[{"sha256":"\#(digest)","te":0.3,"unet":-0.8}],"model""#))
    #expect(
      try canonical(Self.settings(4)).contains(#""loras":[{"rank":2,"sha256":"\#(digest)","te":1.0,"unet":1.0}]"#))
  }

  @Test func `infotexts have the webui's hashes`() throws {
    let engine = try Engine.forTests()
    func hashes(_ prompt: String) throws -> String? {
      var settings = Self.settings(0)
      settings.prompt = prompt
      let infotext = Infotext(settings, try engine.ingredients(for: settings), version: "1")
      return infotext.extras.first { $0.key == "Lora hashes" }?.value.text
    }
    // One is the hash of the data after the header, the other is the hash that the training wrote.
    let bytes = [UInt8](try Fixtures.data("Engine/adapters/lora/plain.safetensors"))
    let header = bytes[..<8].enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    let folder = try TemporaryFolder()
    try folder.write("data", Data(bytes[(8 + header)...]))
    let digest = try FileDigest.sha256(ofFileAt: folder("data"))
    #expect(try hashes("a boat<lora:plain:1>") == "plain: \(digest.prefix(12))")
    #expect(try hashes("<lora:locon:1><lora:plain:0>") == "locon: 0123456789ab, plain: \(digest.prefix(12))")
    #expect(try hashes("a boat <3 <foo:bar>") == nil)
  }
}
