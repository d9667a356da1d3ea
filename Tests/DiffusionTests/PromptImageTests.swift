import Diffusion
import Foundation
import Settings
import Testing
import TestSupport

/// Whole images of prompts that change while they are sampled, of parts between `AND`s and of every emphasis, against the
/// webui's arithmetic in PyTorch (`Tests/FixtureScripts/make_prompt_images.py`).
@Suite struct PromptImageTests {
  static let cases = ImageCase.cases(in: "prompts/cases.json")

  @Test(arguments: cases)
  func `an image agrees with the webui's arithmetic in PyTorch`(testCase: ImageCase) throws {
    try testCase.expectAgreement(Engine.forTests())
  }

  @Test func `what prompts can say shows in the pictures`() throws {
    // Without this the comparisons above could pass on pictures that the prompt does not reach.
    let pictures = try Self.cases.map { try $0.picture().pixels }
    #expect(Set(pictures).count == pictures.count)
  }

  @Test func `prompts are encoded anew where only emphasis or timelines differ`() throws {
    let engine = try Engine.forTests()
    for index in [12, 10, 11, 5, 4] { try Self.cases[index].expectAgreement(engine) }
  }
}
