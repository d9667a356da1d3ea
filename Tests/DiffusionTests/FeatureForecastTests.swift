import Foundation
import Imaging
import Sampling
import Settings
import Tensors
import Testing
import TestSupport

@testable import Diffusion

/// The approximation that forecasts late features, against numpy and PyTorch (`Tests/FixtureScripts/make_forecast_images.py`).
@Suite struct FeatureForecastTests {
  static let cases = ImageCase.cases(in: "forecast/cases.json")

  @Test(arguments: cases)
  func `an image with forecast calls agrees with PyTorch, and as many calls are computed`(testCase: ImageCase) throws {
    let engine = try Engine.forTests()
    try testCase.expectAgreement(engine)
    #expect(engine.evaluations.asked == testCase.evaluations)
    #expect(engine.evaluations.asked - engine.evaluations.saved == testCase.evaluations_computed)
  }

  private struct Series: Decodable {
    struct Case: Decodable {
      let taus: [Double]
      let features: [[Float]]
      let tau: Double
      let forecast: [Float]
    }
    let shape: [Int]
    let series: [Case]
  }

  @Test func `a forecast is the ridge regression of numpy's least squares`() throws {
    let fixture = try Fixtures.decode(Series.self, from: "Engine/forecast/series.json")
    let compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: 2, elementType: .fp32)
    func tensor() -> Tensor {
      compute.tensor(
        batch: 1, height: fixture.shape[0], width: fixture.shape[1], channels: fixture.shape[2], elementType: .fp32)
    }
    for testCase in fixture.series {
      var series = FeatureSeries(
        LatentShape(channels: fixture.shape[2], height: fixture.shape[0], width: fixture.shape[1]))
      for (call, (tau, features)) in zip(testCase.taus, testCase.features).enumerated() {
        let x = tensor()
        for (index, value) in features.enumerated() { x.base[index] = value }
        series.add(x, image: 0, tau: tau, call: call, compute)
      }
      // After it was saved and read again, it continues with the same bits.
      let saved = try PropertyListEncoder().encode(series)
      #expect(try PropertyListDecoder().decode(FeatureSeries.self, from: saved) == series)
      let y = tensor()
      series.forecast(into: y, image: 0, tau: testCase.tau, compute)
      for (found, expected) in zip(y.values, testCase.forecast) {
        #expect((found - expected).magnitude < 1e-4 * max(1, expected.magnitude))
      }
      #expect((series.count, series.forecasts) == (testCase.taus.count, 1))
    }
  }

  @Test(arguments: SamplerID.allCases, [1, 3])
  func `an image is the same when it is resumed at any step, whatever the number of threads`(
    sampler: SamplerID, featureCache: Int
  ) throws {
    var settings = ResumedImageTests.settings(sampler)
    // The prompts of the other tests change too often to be forecast.
    settings.prompt = "a small [boat:(red bird:1.3):0.8] AND a fish:0.6"
    settings.negativePrompt = "a house"
    settings.steps = 9
    settings.sMinUncond = 0
    settings.featureCache = featureCache
    let exact = try Engine.forTests().generate(settings) { _ in }
    settings.featureForecast = 2
    let engine = try Engine.forTests()
    var states: [[UInt8]] = []
    let whole = try engine.generate(settings, resuming: nil) { _, state in
      if let state { states.append(try state.encoded()) }
    }
    let isForecast = sampler != .dpmFast && sampler != .dpmAdaptive
    #expect((whole != exact) == isForecast)
    for state in Set(states) {
      #expect(try engine.generate(settings, resuming: state) { _, _ in } == whole)
    }
    #expect(Set(states).count >= 2)
    #expect(try Engine.forTests(threads: 3).generate(settings) { _ in } == whole)
  }

  @Test func `the second pass has an interval of its own`() throws {
    var settings = ResumedImageTests.settings(.dpmPP2M)
    settings.prompt = "a boat"
    settings.negativePrompt = ""
    settings.sMinUncond = 0
    settings.steps = 8
    var hires = HiresSettings()
    hires.scale = 1.5
    settings.hires = hires
    func saved(_ change: (inout ImageSettings) -> Void) throws -> Int {
      var changed = settings
      change(&changed)
      let engine = try Engine.forTests()
      _ = try engine.generate(changed) { _ in }
      return engine.evaluations.saved
    }
    // After three computed calls of eight, every second of both prompts is saved, beginning with the fourth.
    #expect(try saved { $0.featureForecast = 2 } == 12)
    #expect(try saved { $0.hires?.featureForecast = 2 } == 6)
    #expect(
      try saved {
        $0.featureForecast = 2
        $0.hires?.featureForecast = 1
      } == 6)
    // Outside the interval, only one prompt is evaluated.
    let engine = try Engine.forTests()
    settings.guidanceInterval = try #require(PassInterval(0.25, 0.75))
    settings.hires?.guidanceInterval = .whole
    _ = try engine.generate(settings) { _ in }
    #expect(engine.evaluations.asked == 8 + 4 + 16)
  }

  @Test func `a refiner's features are forecast from its own`() throws {
    var settings = RefinerTests.settings(.dpmPP2M)
    settings.steps = 14
    settings.refinerSwitchAt = 0.5
    settings.featureForecast = 2
    let engine = try Engine.forTests()
    var states: [[UInt8]] = []
    let whole = try engine.generate(settings, resuming: nil) { _, state in
      if let state { states.append(try state.encoded()) }
    }
    for state in Set(states) {
      #expect(try Engine.forTests().generate(settings, resuming: state) { _, _ in } == whole)
    }
  }
}
