import Foundation
import Jobs
import Testing

@testable import Sampling

@Suite struct SamplingLoopTests {
  static let shape = LatentShape(channels: 4, height: 7, width: 9)

  static func loop(_ sampler: SamplerID, _ rng: NoiseSourceID) -> SamplingLoop {
    SamplingLoop(
      settings: SamplingSettings(
        sampler: sampler, steps: 7, options: SamplerOptions(eta: 0.9, sChurn: 2, sTmax: 5, sNoise: 1.02), seed: 77,
        rng: rng, shape: shape),
      training: TrainingSchedule())
  }

  @Test(arguments: SamplerID.allCases, NoiseSourceID.allCases)
  func `an image stopped, coded, decoded and resumed after any step has the same bits`(
    sampler: SamplerID, rng: NoiseSourceID
  ) throws {
    var whole = Self.loop(sampler, rng)
    while !whole.isFinished { whole.step(denoise: toyDenoised) }
    for stop in 0...whole.stepCount {
      var loop = Self.loop(sampler, rng)
      while loop.stepIndex < stop { loop.step(denoise: toyDenoised) }
      var fromJSON = try JSONDecoder().decode(SamplingLoop.self, from: JSONEncoder().encode(loop))
      #expect(fromJSON.stepIndex == stop)
      while !fromJSON.isFinished { fromJSON.step(denoise: toyDenoised) }
      #expect(fromJSON.latent.values.map(\.bitPattern) == whole.latent.values.map(\.bitPattern), "stopped at \(stop)")
      let encoder = PropertyListEncoder()
      encoder.outputFormat = .binary
      var fromList = try PropertyListDecoder().decode(SamplingLoop.self, from: encoder.encode(loop))
      while !fromList.isFinished { fromList.step(denoise: toyDenoised) }
      #expect(fromList.latent.values.map(\.bitPattern) == whole.latent.values.map(\.bitPattern), "stopped at \(stop)")
    }
  }

  struct Interruption: Error {}

  @Test(arguments: SamplerID.allCases)
  func `a model that throws within a step leaves the loop at the step's start`(sampler: SamplerID) throws {
    var whole = Self.loop(sampler, .cpu)
    while !whole.isFinished { whole.step(denoise: toyDenoised) }
    for failingCall in 1...2 {
      var loop = Self.loop(sampler, .cpu)
      while !loop.isFinished {
        let before = loop.latent
        var calls = 0
        // Fails once at every step that gets so far.
        try? loop.step { x, sigma in
          calls += 1
          if calls == failingCall { throw Interruption() }
          return toyDenoised(x, sigma)
        }
        if calls == failingCall {
          #expect(loop.latent == before)
          loop.step(denoise: toyDenoised)
        }
      }
      #expect(loop.latent == whole.latent)
    }
  }

  @Test func `sampling starts from the first draw scaled to the highest sigma`() {
    let loop = Self.loop(.eulerAncestral, .nv)
    var noise = ImageNoise(seed: 77, source: .nv, shape: Self.shape)
    var expected = noise.next()
    expected.scale(by: loop.sigmas[0])
    #expect((loop.sigmas[0] - 14.614642).magnitude < 2e-6)
    #expect(loop.latent == expected)
    #expect(loop.stepCount == 7)
    #expect(!loop.isFinished)
  }

  @Test func `a damaged checkpoint is refused`() throws {
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

  @Test func `a job's parameters become settings`() {
    var job = JobParameters()
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
