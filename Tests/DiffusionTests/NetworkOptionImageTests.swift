import Diffusion
import Foundation
import Settings
import Testing
import TestSupport

/// Whole images that tile, and whole images with merged tokens, against PyTorch with circular padding and tomesd's choice of
/// tokens (`Tests/FixtureScripts/make_network_option_images.py`).
@Suite struct NetworkOptionImageTests {
  static let cases = ImageCase.cases(in: "options/cases.json")

  @Test(arguments: cases)
  func `an image that tiles or merges tokens agrees with PyTorch`(testCase: ImageCase) throws {
    try testCase.expectAgreement(Engine.forTests())
  }

  @Test func `the memory of evaluations tells options apart`() throws {
    let engine = try Engine.forTests()
    for testCase in Self.cases.prefix(5) { try testCase.expectAgreement(engine) }
  }

  @Test(arguments: [1, 3, 7]) func `the number of threads does not change the image`(threads: Int) throws {
    let job = Self.cases[7].settings
    let one = try Engine.forTests(threads: 2).generate(job) { _ in }
    #expect(try Engine.forTests(threads: threads).generate(job) { _ in }.pixels == one.pixels)
  }
}
