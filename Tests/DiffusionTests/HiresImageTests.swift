import Diffusion
import Imaging
import Jobs
import TestSupport
import Testing

/// Whole images of two passes against the webui's arithmetic in PyTorch.
@Suite struct HiresImageTests {
  static let cases = ImageCase.cases(in: "hires/cases.json")

  @Test(arguments: cases)
  func `an image of two passes agrees with the webui's arithmetic in PyTorch`(testCase: ImageCase) throws {
    try testCase.expectAgreement(Engine.forTests())
  }
}
