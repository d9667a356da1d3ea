import DemoModel
import Diffusion
import Foundation
import Imaging
import Settings
import Testing
import TestSupport

/// Checks whole images against the webui's computation in PyTorch (`Tests/Fixtures/Engine`): every sampler, both noise
/// sources, odd sizes, several chunks, clip skip, a single file and a folder.
@Suite struct EngineTests {
  static let cases = ImageCase.cases(in: "cases.json")

  @Test(arguments: cases)
  func `an image agrees with the webui's computation in PyTorch`(testCase: ImageCase) throws {
    try testCase.expectAgreement(Engine.forTests())
  }

  @Test func `the pixels do not depend on threads or on earlier images`() throws {
    let cases = Self.cases.filter { $0.model == nil }
    let first = try Engine.forTests(threads: 1).generate(cases[1].settings) { _ in }
    let busy = try Engine.forTests(threads: 3)
    _ = try busy.generate(cases[12].settings) { _ in }
    #expect(try busy.generate(cases[1].settings) { _ in } == first)
  }

  @Test func `the file of an image has the same bytes for 1, 2, 3 and 7 threads`() throws {
    for testCase in [Self.cases[1], Self.cases[6]] {
      let files = try [1, 2, 3, 7].map { threads in
        try PNGFile(image: try Engine.forTests(threads: threads).generate(testCase.settings) { _ in }, texts: [])
          .encoded()
      }
      #expect(Set(files).count == 1, "\(testCase)")
    }
  }

  @Test func `progress is reported before each stage and can end the image`() throws {
    struct Enough: Error {}
    var stages: [GenerationProgress] = []
    let settings = Self.cases[0].settings
    #expect(throws: Enough.self) {
      try Engine.forTests().generate(settings) {
        stages.append($0)
        if $0 == .sampling(step: 2, of: 6) { throw Enough() }
      }
    }
    #expect(
      stages == [
        .loading("model"), .encoding, .sampling(step: 0, of: 6), .sampling(step: 1, of: 6), .sampling(step: 2, of: 6),
      ])
  }

  @Test func `the demo model is found in the build's resources and next to a copied binary`() {
    let executable = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    let folder = executable.deletingLastPathComponent().path
    #expect(
      DemoModel.locate(executable: executable.path) == .found(folder + "/sdbatch_DemoModel.resources/demo"))
    guard case .missing(let places) = DemoModel.locate(executable: "/nonexistent/bin/sdbatch") else {
      Issue.record("found a model where there is none")
      return
    }
    #expect(places.contains("/nonexistent/share/sdbatch/demo"))
  }

  @Test func `the demo model's words are those that its vocabulary has whole`() throws {
    let vocabulary = try JSONDecoder().decode(
      [String: Int].self, from: Data(contentsOf: URL(fileURLWithPath: RandomModels.demo + "/tokenizer/vocab.json")))
    let end = "</w>"
    let words = vocabulary.keys.filter { $0.hasSuffix(end) && $0.first?.isLetter == true && $0.first?.isASCII == true }
      .map { String($0.dropLast(end.count)) }
    // Single letters are in every vocabulary; of these, only one is a word of the captions.
    #expect(Set(words.filter { $0.count > 1 } + ["a"]) == DemoModel.words)
  }

  @Test func `a clip skip deeper than the text encoder is rejected`() throws {
    var settings = Self.cases[0].settings
    settings.clipSkip = 4
    #expect(throws: EngineError.self) { try Engine.forTests().generate(settings) { _ in } }
  }
}
