import Foundation
import Settings
import Testing

@testable import Sampling

@Suite struct SamplingLoopTests {
  static let shape = LatentShape(channels: 4, height: 7, width: 9)

  static func loop(_ sampler: SamplerID, _ rng: NoiseSourceID) -> SamplingLoop {
    SamplingLoop(
      settings: SamplingSettings(
        sampler: sampler, steps: 7, options: SamplerOptions(eta: 0.9, sChurn: 2, sTmax: 5, sNoise: 1.02, etaDDIM: 0.4),
        seed: 77,
        variation: NoiseVariation(subseed: 5, subseedStrength: 0.2, seedDelta: 31337), rng: rng, shape: shape),
      training: TrainingSchedule())
  }

  @Test(arguments: SamplerID.allCases, NoiseSourceID.allCases)
  func `an image stopped, saved and resumed after any step has the same bits`(
    sampler: SamplerID, rng: NoiseSourceID
  ) throws {
    var whole = Self.loop(sampler, rng)
    while !whole.isFinished { whole.step() }
    for stop in 0...whole.stepCount {
      var loop = Self.loop(sampler, rng)
      while loop.stepIndex < stop { loop.step() }
      var fromJSON = try JSONDecoder().decode(SamplingLoop.self, from: JSONEncoder().encode(loop))
      #expect(fromJSON.stepIndex == stop)
      while !fromJSON.isFinished { fromJSON.step() }
      #expect(fromJSON.latent.values.map(\.bitPattern) == whole.latent.values.map(\.bitPattern), "stopped at \(stop)")
      let encoder = PropertyListEncoder()
      encoder.outputFormat = .binary
      var fromList = try PropertyListDecoder().decode(SamplingLoop.self, from: encoder.encode(loop))
      while !fromList.isFinished { fromList.step() }
      #expect(fromList.latent.values.map(\.bitPattern) == whole.latent.values.map(\.bitPattern), "stopped at \(stop)")
    }
  }

  struct Interruption: Error {}

  @Test(arguments: SamplerID.allCases)
  func `a model that throws within a step leaves the loop at the step's start`(sampler: SamplerID) throws {
    var whole = Self.loop(sampler, .cpu)
    while !whole.isFinished { whole.step() }
    for failingCall in 1...2 {
      var loop = Self.loop(sampler, .cpu)
      while !loop.isFinished {
        let before = loop.latent
        var calls = 0
        // Fails once in every step that makes this call.
        try? loop.step { (_) throws(Interruption) in
          calls += 1
          if calls == failingCall { throw Interruption() }
        }
        if calls == failingCall {
          #expect(loop.latent == before)
          loop.step()
        }
      }
      #expect(loop.latent == whole.latent)
    }
  }

  @Test func `sampling starts from the first draw scaled to the highest sigma`() {
    let loop = Self.loop(.eulerAncestral, .nv)
    var noise = ImageNoise(
      seed: 77, source: .nv, shape: Self.shape, variation: NoiseVariation(subseed: 5, subseedStrength: 0.2))
    var expected = noise.next()
    expected.scale(by: loop.sigmas[0])
    #expect((loop.sigmas[0] - 14.614642).magnitude < 2e-6)
    #expect(loop.latent == expected)
    #expect(loop.stepCount == 7)
    #expect(!loop.isFinished)
  }

  @Test func `the first noise is scaled by the settings, and not at all for timesteps`() {
    func start(_ sampler: SamplerID, sgm: Bool) -> Latent {
      SamplingLoop(
        settings: SamplingSettings(
          sampler: sampler, steps: 7, sgmNoiseMultiplier: sgm, seed: 77, rng: .nv, shape: Self.shape),
        training: TrainingSchedule()
      ).latent
    }
    var noise = ImageNoise(seed: 77, source: .nv, shape: Self.shape)
    let draw = noise.next()
    for sampler in [SamplerID.ddim, .ddimCFGPP, .plms, .uniPC] {
      #expect(start(sampler, sgm: false) == draw)
      #expect(start(sampler, sgm: true) == draw)
    }
    var scaled = draw
    let sigma = TrainingSchedule().sigmaMax
    scaled.scale(by: (1 + sigma * sigma).squareRoot())
    #expect(maxDifference(start(.euler, sgm: true).values, scaled.values) < 1e-4)
    #expect(maxDifference(start(.euler, sgm: false).values, scaled.values) > 0.05)
  }

  @Test func `the steps of DPM adaptive are counted as they are taken`() {
    var loop = Self.loop(.dpmAdaptive, .cpu)
    while !loop.isFinished {
      #expect(loop.stepCount > loop.stepIndex)
      loop.step()
    }
    #expect(loop.stepCount == loop.stepIndex)
    #expect(loop.callCount == 3 * loop.stepIndex)
  }

  @Test func `a damaged state is refused`() throws {
    let text = try #require(String(data: JSONEncoder().encode(Self.loop(.euler, .cpu)), encoding: .utf8))
    for (part, damage) in [
      (#""stepIndex":0"#, #""stepIndex":8"#), (#""stepIndex":0"#, #""stepIndex":-1"#),
      (#""drawCount":1"#, #""drawCount":-1"#), (#""height":7"#, #""height":6"#), (#""sampler""#, #""sampled""#),
    ] {
      #expect(text.contains(part))
      let damaged = text.replacingOccurrences(of: part, with: damage)
      #expect(throws: DecodingError.self, "\(damage)") {
        try JSONDecoder().decode(SamplingLoop.self, from: Data(damaged.utf8))
      }
    }
  }

  @Test func `a job's settings become sampling settings`() {
    var job = PassSettings()
    job.sampler = .heun
    job.width = 512
    job.height = 328
    job.sTmax = 3
    job.seed = 1 << 40
    let settings = SamplingSettings(job)
    #expect(settings.shape == LatentShape(channels: 4, height: 41, width: 64))
    #expect(settings.sampler == .heun)
    #expect(settings.options == SamplerOptions(sTmax: 3))
    #expect(settings.seed == 1 << 40)
    #expect(settings.rng == .nv)
  }
}
