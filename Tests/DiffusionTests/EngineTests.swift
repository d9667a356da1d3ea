import DemoModel
import Diffusion
import Foundation
import Imaging
import Jobs
import TestSupport
import Testing

/// Whole images against the webui's arithmetic in PyTorch (`Tests/Fixtures/Engine`): every sampler, both noise sources, odd
/// sizes, several chunks, clip skip, a single file and a folder.
@Suite struct EngineTests {
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
    let sampler_name: SamplerID
    let scheduler: ScheduleID?
    let model: String?
    let calls: Int
    let file: String

    var testDescription: String { "\(file): \(sampler_name.rawValue), \(rng.rawValue), \(width)x\(height)" }

    var parameters: JobParameters {
      var parameters = JobParameters()
      let name = model == nil ? "Engine/model.safetensors" : "../../Sources/DemoModel/Resources/demo"
      parameters.model = ModelReference(name: name, path: Fixtures.path(name))
      parameters.prompt = prompt
      parameters.negativePrompt = negative_prompt
      parameters.seed = seed
      parameters.steps = steps
      parameters.cfgScale = cfg_scale
      parameters.width = width
      parameters.height = height
      parameters.rng = rng
      parameters.clipSkip = clip_skip
      parameters.sampler = sampler_name
      parameters.scheduler = scheduler ?? .automatic
      return parameters
    }
  }

  static let cases: [Case] = {
    do {
      return try JSONDecoder().decode([Case].self, from: Fixtures.data("Engine/cases.json"))
    } catch {
      Issue.record("Engine/cases.json: \(error)")
      return []
    }
  }()

  private func engine(threads: Int = 2) throws -> Engine {
    try Engine(version: "0.0.0", threads: threads, executable: "/nonexistent/sdbatch", environment: [:])
  }

  /// Values on the edge between two 8-bit steps fall to either side. In DPM2 a with few steps more of them do, for there
  /// sigma_down is a small difference of large numbers, and one unit in the last place of float32 shows.
  @Test(arguments: cases)
  func `an image agrees with the webui's arithmetic in PyTorch`(testCase: Case) throws {
    let image = try engine().generate(testCase.parameters) { _ in }
    let expected = try PNGFile(decoding: [UInt8](Fixtures.data("Engine/" + testCase.file))).image
    #expect((image.width, image.height) == (expected.width, expected.height))
    let differences = zip(image.pixels, expected.pixels).map { abs(Int($0) - Int($1)) }
    let largest = differences.max() ?? 0
    let count = differences.count { $0 > 0 }
    #expect(largest <= 1 && count * 10 < differences.count, "\(count) values differ, by at most \(largest)")
  }

  @Test func `the pixels do not depend on threads or on what was made before`() throws {
    let cases = Self.cases.filter { $0.model == nil }
    let first = try engine(threads: 1).generate(cases[1].parameters) { _ in }
    let busy = try engine(threads: 3)
    _ = try busy.generate(cases[12].parameters) { _ in }
    #expect(try busy.generate(cases[1].parameters) { _ in } == first)
  }

  @Test func `progress is told before each stage and can end the image`() throws {
    struct Enough: Error {}
    var stages: [GenerationProgress] = []
    let parameters = Self.cases[0].parameters
    #expect(throws: Enough.self) {
      try engine().generate(parameters) {
        stages.append($0)
        if $0 == .sampling(step: 2, of: 6) { throw Enough() }
      }
    }
    #expect(
      stages == [
        .loading("model"), .encoding, .sampling(step: 0, of: 6), .sampling(step: 1, of: 6), .sampling(step: 2, of: 6),
      ])
  }

  @Test func `the demo model is found in the build's resources and beside a copied binary`() {
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

  @Test func `a clip skip deeper than the text encoder is refused`() throws {
    var parameters = Self.cases[0].parameters
    parameters.clipSkip = 4
    #expect(throws: EngineError.self) { try engine().generate(parameters) { _ in } }
  }
}
