import Foundation
import Settings
import Testing

@testable import Sampling

/// Checks the samplers that k-diffusion does not have against their formulas in PyTorch.
@Suite struct MultistepSamplerTests {
  struct Index: Decodable {
    struct Case: Decodable, Sendable {
      struct Options: Decodable { let s_noise: Double? }
      let sampler: SamplerID, schedule: String, steps: Int, seed: Int64, rng: NoiseSourceID, shape: [Int]
      let options: Options, sigmas: Span, calls: Span, result: Span

      var isFlow: Bool { schedule == "flow" }

      var settings: SamplingSettings {
        SamplingSettings(
          sampler: sampler, schedule: isFlow ? .simple : ScheduleID(rawValue: schedule) ?? .automatic, steps: steps,
          options: SamplerOptions(
            eta: 1, sChurn: 0, sTmin: 0, sTmax: nil, sNoise: options.s_noise ?? 1, etaDDIM: 0, uniPC: UniPCOptions()),
          seed: seed, rng: rng, shape: LatentShape(shape))
      }
    }
    let cases: [Case]
  }

  @Test(arguments: [SamplerID.erSDE, .resMultistep])
  func `they give the results of their formulas, with the same calls`(sampler: SamplerID) throws {
    let fixture = try Fixture("multistep", as: Index.self)
    let cases = fixture.index.cases.filter { $0.sampler == sampler }
    #expect(cases.count >= 9)
    for row in cases {
      var job = PassSettings()
      if row.isFlow { job.model = ModelReference(name: "z", path: "/z", family: .zImageTurbo) }
      var loop = SamplingLoop(
        settings: row.settings, training: row.isFlow ? TrainingSchedule(flow: job) : TrainingSchedule())
      #expect(maxRelativeDifference(loop.sigmas, fixture[row.sigmas]) < 6e-7, "\(row.schedule), \(row.steps) steps")
      var calls: [Float] = []
      while !loop.isFinished { loop.step { calls.append($0) } }
      #expect(maxRelativeDifference(calls, fixture[row.calls]) < 1e-6, "\(row.schedule), \(row.steps) steps")
      let difference = maxDifference(loop.latent.values, fixture[row.result])
      #expect(difference < 3e-5, "\(row.schedule), \(row.steps) steps, \(row.seed): \(difference)")
    }
  }
}
