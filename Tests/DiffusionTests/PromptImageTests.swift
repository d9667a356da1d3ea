import Diffusion
import Foundation
import Settings
import Testing
import TestSupport

/// Whole images of prompts that change during sampling, of parts between `AND`s and of every emphasis, against the
/// webui's computation in PyTorch (`Tests/FixtureScripts/make_prompt_images.py`).
@Suite struct PromptImageTests {
  static let cases = ImageCase.cases(in: "prompts/cases.json")

  @Test(arguments: cases)
  func `an image agrees with the webui's computation in PyTorch`(testCase: ImageCase) throws {
    try testCase.expectAgreement(Engine.forTests())
  }

  @Test func `everything that prompts can express changes the images`() throws {
    // Without this, the comparisons above could pass with images that do not depend on the prompt.
    let images = try Self.cases.map { try $0.expectedImage().pixels }
    #expect(Set(images).count == images.count)
  }

  @Test func `prompts are encoded again if only emphasis or timelines differ`() throws {
    let engine = try Engine.forTests()
    for index in [12, 10, 11, 5, 4] { try Self.cases[index].expectAgreement(engine) }
  }
}
