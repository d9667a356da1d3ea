import Diffusion
import Foundation
import Settings
import Testing
import TestSupport

/// Whole images of calls that leave out the negative prompt, of a zero terminal signal-to-noise ratio and of networks that
/// predict the velocity, against the webui's arithmetic in PyTorch (`Tests/FixtureScripts/make_guidance_images.py`).
@Suite struct GuidanceImageTests {
  static let cases = ImageCase.cases(in: "guidance/cases.json")

  @Test(arguments: cases)
  func `an image of other guidance or training agrees with PyTorch`(testCase: ImageCase) throws {
    try testCase.expectAgreement(Engine.forTests())
  }

  @Test func `what guidance and training do shows in the pictures`() throws {
    let pictures = try Self.cases.map { try $0.picture().pixels }
    #expect(Set(pictures).count == pictures.count)
  }
}
