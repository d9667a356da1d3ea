import Diffusion
import Imaging
import Settings
import Testing
import TestSupport

/// Checks whole images of two passes against the webui's computation in PyTorch.
@Suite struct HiresImageTests {
  static let cases = ImageCase.cases(in: "hires/cases.json") + ImageCase.cases(in: "../Families/hires/cases.json")

  @Test(arguments: cases)
  func `an image of two passes agrees with the webui's computation in PyTorch`(testCase: ImageCase) throws {
    try testCase.expectAgreement(Engine.forTests())
  }
}

/// Images of two passes that are interrupted between any two steps.
@Suite struct ResumedHiresTests {
  @Test(arguments: [SamplerID.eulerAncestral, .dpmPP2MSDE, .ddim, .uniPC, .dpmAdaptive, .dpmPP3MSDE])
  func `an image that is resumed in either pass is the same, to the last byte`(sampler: SamplerID) throws {
    var settings = ResumedImageTests.settings(sampler)
    var hires = HiresSettings()
    hires.scale = 1.3
    hires.steps = 4
    hires.denoisingStrength = 0.6
    hires.upscaler = UpscalerReference(name: LatentFilter.bicubic.rawValue)
    hires.prompt = "a [red:blue:1.5] bird [fish|dog]"
    settings.hires = hires
    var states: [(step: Int, bytes: [UInt8])] = []
    var counts: [Int] = []
    let engine = try Engine.forTests()
    let whole = try engine.generate(settings, resuming: nil) { progress, state in
      if case .sampling(_, let count) = progress { counts.append(count) }
      if let state { states.append((state.step, try state.encoded())) }
    }
    #expect((whole.width, whole.height) == (settings.finalWidth, settings.finalHeight))
    // The last step of each pass is reported twice: at its end, and when the next part begins.
    let steps = states.map(\.step)
    #expect(steps == steps.sorted() && Set(steps) == Set(0...(steps.last ?? 0)))
    #expect(steps.count == (steps.last ?? 0) + 3)
    if sampler != .dpmAdaptive { #expect(Set(counts) == [steps.last ?? 0]) }
    let other = try Engine.forTests(threads: 1)
    for (step, bytes) in states {
      var first: GenerationProgress?
      let image = try other.generate(settings, resuming: bytes) { progress, _ in
        if case .sampling = progress, first == nil { first = progress }
      }
      #expect(image == whole, "after step \(step)")
      guard case .sampling(step, _)? = first else {
        Issue.record("begins with \(String(describing: first)) after \(step)")
        continue
      }
    }
  }

  /// The refiner's VAE decodes between the passes, the model's own encodes, and decodes at the end.
  @Test func `a second pass without steps after a refined first is the same from every state`() throws {
    var settings = ResumedImageTests.settings(.euler)
    settings.refiner = ModelReference(name: "sd2", path: RandomModels.path("sd2"))
    settings.refinerSwitchAt = 0.5
    var hires = HiresSettings()
    hires.scale = 1.5
    hires.denoisingStrength = 0
    hires.refinerPass = .first
    hires.upscaler = UpscalerReference(name: "Lanczos")
    settings.hires = hires
    var states: [[UInt8]] = []
    let whole = try Engine.forTests().generate(settings, resuming: nil) { _, state in
      if let state { states.append(try state.encoded()) }
    }
    #expect(states.count > settings.steps)
    for state in states {
      #expect(try Engine.forTests(threads: 1).generate(settings, resuming: state) { _, _ in } == whole)
    }
  }

  @Test func `a state of another second pass is rejected`() throws {
    var settings = ResumedImageTests.settings(.euler)
    settings.hires = HiresSettings()
    let engine = try Engine.forTests()
    var last: [UInt8] = []
    _ = try engine.generate(settings, resuming: nil) { _, state in
      if let state { last = try state.encoded() }
    }
    var others = [settings, settings, settings]
    others[0].hires = nil
    others[1].hires?.denoisingStrength = 0.5
    others[2].hires?.scale = 1.5
    for other in others {
      #expect(throws: UnusableState.self) {
        try engine.generate(other, resuming: last) { progress, _ in Issue.record("\(progress)") }
      }
    }
  }

  @Test(arguments: [(0.01, 0, 0), (200.0, 0, 0), (2, 4, 0), (2, 0, 4)])
  func `a second pass that is too small or too large is refused`(scale: Double, x: Int, y: Int) throws {
    var settings = ResumedImageTests.settings(.euler)
    settings.hires = HiresSettings()
    settings.hires?.scale = scale
    settings.hires?.resizeX = x
    settings.hires?.resizeY = y
    #expect(throws: EngineError.self) { try Engine.forTests().ingredients(for: settings) }
  }
}
