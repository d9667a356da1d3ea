import Diffusion
import Foundation
import Imaging
import Jobs
import TestSupport
import Testing

/// Whole images of prompts that change while they are sampled, of parts between `AND`s and of every emphasis, against the
/// webui's arithmetic in PyTorch (`Tests/Fixtures/Engine/make_prompt_images.py`).
@Suite struct PromptImageTests {
  struct Case: Decodable, Sendable, CustomTestStringConvertible {
    let prompt: String
    let negative_prompt: String
    let seed: Int64
    let steps: Int
    let cfg_scale: Double
    let width: Int
    let height: Int
    let rng: NoiseSourceID
    let clip_skip: Int
    let emphasis: EmphasisChoice
    let use_old_scheduling: Bool
    let sampler_name: SamplerID
    let file: String

    var testDescription: String { "\(file): \(sampler_name.rawValue), \(prompt.prefix(60))" }

    var parameters: JobParameters {
      var parameters = JobParameters()
      parameters.model = ModelReference(name: "model", path: Fixtures.path("Engine/model.safetensors"))
      parameters.prompt = prompt
      parameters.negativePrompt = negative_prompt
      parameters.emphasis = emphasis
      parameters.timelines = use_old_scheduling ? .old : .current
      parameters.seed = seed
      parameters.steps = steps
      parameters.cfgScale = cfg_scale
      parameters.width = width
      parameters.height = height
      parameters.rng = rng
      parameters.clipSkip = clip_skip
      parameters.sampler = sampler_name
      return parameters
    }
  }

  static let cases: [Case] = {
    do {
      return try JSONDecoder().decode([Case].self, from: Fixtures.data("Engine/prompts/cases.json"))
    } catch {
      Issue.record("Engine/prompts/cases.json: \(error)")
      return []
    }
  }()

  private func engine() throws -> Engine {
    try Engine(version: "0.0.0", threads: 2, executable: "/nonexistent/sdbatch", environment: [:])
  }

  private func picture(_ testCase: Case) throws -> RGBImage {
    try PNGFile(decoding: [UInt8](Fixtures.data("Engine/" + testCase.file))).image
  }

  @Test(arguments: cases)
  func `an image agrees with the webui's arithmetic in PyTorch`(testCase: Case) throws {
    let image = try engine().generate(testCase.parameters) { _ in }
    let expected = try picture(testCase)
    let differences = zip(image.pixels, expected.pixels).map { abs(Int($0) - Int($1)) }
    let largest = differences.max() ?? 0
    let count = differences.count { $0 > 0 }
    #expect(largest <= 1 && count * 10 < differences.count, "\(count) values differ, by at most \(largest)")
  }

  @Test func `what prompts can say shows in the pictures`() throws {
    // Without this the comparisons above could pass on pictures that the prompt does not reach.
    let pictures = try Self.cases.map { try picture($0).pixels }
    #expect(Set(pictures).count == pictures.count)
  }

  @Test func `prompts are encoded anew where only emphasis or timelines differ`() throws {
    let engine = try engine()
    for index in [12, 10, 11, 5, 4] {
      let image = try engine.generate(Self.cases[index].parameters) { _ in }
      let expected = try picture(Self.cases[index])
      let largest = zip(image.pixels, expected.pixels).map { abs(Int($0) - Int($1)) }.max() ?? 0
      #expect(largest <= 1, "\(Self.cases[index].testDescription): \(largest)")
    }
  }
}
