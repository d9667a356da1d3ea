import Diffusion
import Foundation
import Settings
import Testing
import TestSupport

/// Whole images whose calls skip the negative prompt, of a zero terminal signal-to-noise ratio, and of networks that
/// predict the velocity, against the webui's computation in PyTorch (`Tests/FixtureScripts/make_guidance_images.py`).
@Suite struct GuidanceImageTests {
  static let cases = ImageCase.cases(in: "guidance/cases.json")

  @Test(arguments: cases)
  func `an image with other guidance or training agrees with PyTorch`(testCase: ImageCase) throws {
    try testCase.expectAgreement(Engine.forTests())
  }

  @Test func `guidance and training change the images`() throws {
    let images = try Self.cases.map { try $0.expectedImage().pixels }
    #expect(Set(images).count == images.count)
  }
}
