import Diffusion
import Foundation
import Imaging
import Settings
import Testing
import TestSupport

/// Grids whose cells have work in common, compared with each cell alone in an engine that saves no work.
@Suite struct SavedWorkTests {
  /// The PNG of a cell made alone, with everything computed.
  private func alone(_ settings: ImageSettings) throws -> [UInt8] {
    let engine = try Engine(
      version: "0.0.0", threads: 2, executable: "/nonexistent/sdbatch", environment: [:], savesWork: false)
    let image = try engine.generate(settings) { _ in }
    #expect(engine.evaluations == NetworkEvaluations())
    return try bytes(image)
  }

  private func bytes(_ image: RGBImage) throws -> [UInt8] { try PNGFile(image: image, texts: []).encoded() }

  private func plain(_ sampler: SamplerID) -> ImageSettings {
    var settings = ResumedImageTests.settings(sampler)
    settings.prompt = "a small boat"
    settings.negativePrompt = "a big house"
    settings.sMinUncond = 0
    settings.sChurn = 0
    settings.steps = 3
    return settings
  }

  @Test func `cells of all samplers have the same bytes as alone, whatever images came before`() throws {
    let engine = try Engine.forTests()
    for sampler in SamplerID.allCases {
      // Prompts that change during sampling, several parts, steps without the negative prompt, churn.
      for settings in [plain(sampler), ResumedImageTests.settings(sampler)] {
        var others = [settings, settings, settings]
        others[1].cfgScale = 3
        others[2].steps += 1
        for cell in others {
          #expect(try bytes(engine.generate(cell) { _ in }) == alone(cell), "\(sampler.rawValue), \(cell.prompt)")
        }
      }
    }
    #expect(engine.evaluations.saved > SamplerID.allCases.count)
  }

  @Test func `a prompt that is forgotten while another one of its image is prepared is encoded again`() throws {
    let engine = try Engine.forTests()
    var settings = plain(.euler)
    settings.steps = 2
    func make(_ prompt: String, _ negative: String) throws {
      (settings.prompt, settings.negativePrompt) = (prompt, negative)
      #expect(try bytes(engine.generate(settings) { _ in }) == alone(settings), "\(prompt), \(negative)")
    }
    // The engine keeps 32 contexts. Those of the first image become the oldest, and are then removed for a prompt with two.
    try make("a boat", "a house")
    for number in 1...15 { try make("a boat \(number)", "a house \(number)") }
    try make("[a boat:a ship:0.5]", "a house")
    try make("[a tree:a fish:0.5]", "a house 1")
  }

  @Test func `the first evaluation is shared between all guidance scales, steps and samplers`() throws {
    let engine = try Engine.forTests()
    func saved(_ change: (inout ImageSettings) -> Void) throws -> Int {
      let before = engine.evaluations
      var settings = plain(.euler)
      change(&settings)
      #expect(try bytes(engine.generate(settings) { _ in }) == alone(settings))
      return engine.evaluations.saved - before.saved
    }
    #expect(try saved { _ in } == 0)
    // All outputs that are kept: two calls of two prompts.
    #expect(try saved { _ in } == 4)
    #expect(try saved { $0.cfgScale = 2 } == 2)
    #expect(try saved { $0.steps = 5 } == 2)
    #expect(try saved { $0.sampler = .dpmPP2M } >= 2)
    // Heun's second call is Euler's second step.
    #expect(try saved { $0.sampler = .heun } == 4)
    #expect(try saved { $0.prompt = "another boat" } == 1)
    #expect(try saved { $0.negativePrompt = "another house" } == 1)
    #expect(try saved { $0.seed += 1 } == 0)
    #expect(try saved { $0.width += 8 } == 0)
  }

  @Test func `equal parts of a prompt are evaluated once`() throws {
    var settings = plain(.euler)
    settings.negativePrompt = settings.prompt
    let engine = try Engine.forTests()
    #expect(try bytes(engine.generate(settings) { _ in }) == alone(settings))
    #expect(engine.evaluations == NetworkEvaluations(asked: 6, saved: 3))
  }

  @Test func `an image that is resumed has the same bytes, and may use the outputs of another one`() throws {
    for sampler in [SamplerID.euler, .heun, .plms] {
      var settings = plain(sampler)
      settings.steps = 4
      let expected = try alone(settings)
      var states: [[UInt8]] = []
      let engine = try Engine.forTests()
      _ = try engine.generate(settings, resuming: nil) { _, state in
        if let state { states.append(try state.encoded()) }
      }
      for state in states {
        #expect(try bytes(engine.generate(settings, resuming: state) { _, _ in }) == expected)
        #expect(try bytes(Engine.forTests().generate(settings, resuming: state) { _, _ in }) == expected)
      }
    }
  }
}
