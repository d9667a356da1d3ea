import Diffusion
import Foundation
import Settings
import Testing
import TestSupport

/// Checks whole images of Stable Diffusion 2.x and XL with LoRAs and textual inversions against the formulas of kohya,
/// LyCORIS, PEFT and the webui in PyTorch (`Tests/FixtureScripts/make_family_adapters.py`).
@Suite struct FamilyAdapterImageTests {
  static let cases = ImageCase.cases(in: "../Families/adapters/cases.json")

  @Test(arguments: cases)
  func `an image with another family's adapters agrees with PyTorch`(testCase: ImageCase) throws {
    var settings = testCase.settings
    settings.adapterFolders = [Fixtures.path("Families/adapters")]
    try testCase.expectAgreement(Engine.forTests(), settings)
  }

  @Test func `every adapter changes the images`() throws {
    // Without this, the comparisons above could pass with adapters that change nothing.
    let images = try Self.cases.map { try $0.expectedImage().pixels }
    #expect(Set(images).count == images.count)
  }
}
