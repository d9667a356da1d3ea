import Diffusion
import Foundation
import Settings
import Testing
import TestSupport

/// Checks whole images of Stable Diffusion 2.x, XL, its refiner and a distilled model, in both layouts, against the
/// webui's computation in PyTorch (`Tests/FixtureScripts/make_family_fixtures.py`).
@Suite struct FamilyImageTests {
  static let cases = ImageCase.cases(in: "../Families/cases.json")

  @Test(arguments: cases.filter { $0.refiner_checkpoint == nil && $0.model != marked })
  func `an image of another family agrees with PyTorch`(testCase: ImageCase) throws {
    try testCase.expectAgreement(Engine.forTests())
  }

  private static let marked = "sdxl-marked.safetensors"

  @Test func `marker tensors set velocity prediction and zero terminal SNR`() throws {
    let folder = try TemporaryFolder()
    var file = [UInt8](try RandomModels.data("sdxl.safetensors"))
    let length = file[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
    let text = try #require(String(bytes: file[8..<8 + length], encoding: .utf8))
    let end = file.count - 8 - length
    let tensors = ["v_pred", "ztsnr"].map {
      "\"\($0)\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[\(end),\(end)]},"
    }
    var header = Array(("{" + tensors.joined() + text.dropFirst()).utf8)
    while !header.count.isMultiple(of: 8) { header.append(UInt8(ascii: " ")) }
    file.replaceSubrange(8..<8 + length, with: header)
    file.replaceSubrange(..<8, with: (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) })
    let path = try folder.write("marked.safetensors", file)
    for name in ["vocab.json", "merges.txt"] {
      try folder.write(name, [UInt8](try RandomModels.data(name)))
    }
    let cases = Self.cases.filter { $0.model == Self.marked }
    #expect(!cases.isEmpty)
    for testCase in cases {
      var settings = testCase.settings
      settings.model = ModelReference(name: "marked", path: path)
      try testCase.expectAgreement(Engine.forTests(), settings)
    }
  }

  @Test func `family, prompts, sizes and training change the images`() throws {
    let images = try Self.cases.map { try $0.expectedImage().pixels }
    #expect(Set(images).count == images.count)
  }
}
