import Diffusion
import Foundation
import Settings
import Testing
import TestSupport

/// Whole images of rescaled and of adaptive projected guidance, against diffusers' guiders in PyTorch
/// (`Tests/FixtureScripts/make_changed_guidance.py`).
@Suite struct ChangedGuidanceTests {
  static let cases = ImageCase.cases(in: "changed-guidance/cases.json")

  @Test(arguments: cases)
  func `an image of changed guidance agrees with PyTorch`(testCase: ImageCase) throws {
    try testCase.expectAgreement(Engine.forTests())
  }

  @Test func `what changes guidance changes the images`() throws {
    let images = try Self.cases.map { try $0.expectedImage().pixels }
    #expect(Set(images).count == images.count)
  }

  // MARK: Passes, stops and other settings

  private static func settings(_ sampler: SamplerID) -> ImageSettings {
    var settings = ResumedImageTests.settings(sampler)
    settings.cfgRescale = 0.6
    settings.apgEta = 0.2
    settings.apgNormThreshold = 4
    settings.apgMomentum = -0.6
    return settings
  }

  @Test(arguments: [SamplerID.euler, .heun, .dpmPPSDE, .ddim, .plms, .uniPC])
  func `momentum survives a stop after any step`(sampler: SamplerID) throws {
    var settings = Self.settings(sampler)
    settings.guidanceInterval = try #require(PassInterval(0.1, 0.9))
    settings.hires = HiresSettings()
    settings.hires?.scale = 1.5
    settings.hires?.steps = 3
    try expectSameWhenResumed(settings)
  }

  @Test func `momentum survives a stop with forecast features, and before and after a refiner takes over`() throws {
    var settings = RefinerTests.settings(.dpmPP2M)
    settings.steps = 14
    settings.refinerSwitchAt = 0.5
    settings.featureForecast = 2
    settings.apgMomentum = -0.5
    settings.apgEta = 0
    try expectSameWhenResumed(settings)
  }

  private func expectSameWhenResumed(_ settings: ImageSettings) throws {
    var states: [[UInt8]] = []
    let whole = try Engine.forTests().generate(settings, resuming: nil) { _, state in
      if let state { states.append(try state.encoded()) }
    }
    #expect(Set(states).count > 5)
    let engine = try Engine.forTests(threads: 1)
    for state in Set(states) { #expect(try engine.generate(settings, resuming: state) { _, _ in } == whole) }
    // It is a state, not an input: without it, the image is different.
    var without = settings
    without.apgMomentum = 0
    #expect(try engine.generate(without) { _ in } != whole)
  }

  @Test func `the second pass has values of its own, or the first pass's`() throws {
    let engine = try Engine.forTests()
    func image(_ change: (inout ImageSettings) -> Void) throws -> [UInt8] {
      var settings = ResumedImageTests.settings(.euler)
      settings.hires = HiresSettings()
      settings.hires?.scale = 1.5
      settings.hires?.steps = 3
      change(&settings)
      return try engine.generate(settings) { _ in }.pixels
    }
    let changes: [(WritableKeyPath<PassSettings, Double>, WritableKeyPath<HiresSettings, Double?>, Double, Double)] = [
      (\.cfgRescale, \.cfgRescale, 0.7, 0), (\.apgEta, \.apgEta, 0, 1),
      (\.apgNormThreshold, \.apgNormThreshold, 3, 0), (\.apgMomentum, \.apgMomentum, -0.5, 0),
    ]
    let plain = try image { _ in }
    for (path, own, value, off) in changes {
      let both = try image { $0.base[keyPath: path] = value }
      let first = try image {
        $0.base[keyPath: path] = value
        $0.hires?[keyPath: own] = off
      }
      let second = try image { $0.hires?[keyPath: own] = value }
      #expect(Set([plain, both, first, second]).count == 4)
      #expect(
        try image {
          $0.base[keyPath: path] = value
          $0.hires?[keyPath: own] = value
        } == both)
    }
  }

  @Test func `without guidance nothing is changed`() throws {
    let engine = try Engine.forTests()
    func image(_ change: (inout ImageSettings) -> Void) throws -> [UInt8] {
      var settings = Self.settings(.euler)
      settings.prompt = "a boat"
      change(&settings)
      return try engine.generate(settings) { _ in }.pixels
    }
    func plain(_ settings: inout ImageSettings) {
      settings.cfgRescale = 0
      (settings.apgEta, settings.apgNormThreshold, settings.apgMomentum) = (1, 0, 0)
    }
    #expect(
      try image { $0.cfgScale = 1 }
        == image {
          $0.cfgScale = 1
          plain(&$0)
        })
    let asked = engine.evaluations.asked
    _ = try image { $0.cfgScale = 1 }
    // One prompt per step.
    #expect(engine.evaluations.asked == asked + 5)
    #expect(
      try image { $0.skipEarlyCond = 1 }
        == image {
          $0.skipEarlyCond = 1
          plain(&$0)
        })
    #expect(try image { _ in } != image(plain))
  }
}
