import Foundation
import Networks
import Sampling
import Settings
import Tensors
import Testing
import TestSupport

@testable import Diffusion

/// Prompts and guidance that change from call to call, stopped between two steps and continued by a new engine.
@Suite struct StoppedPromptTests {
  @Test(arguments: [
    SamplerID.euler, .dpm2Ancestral, .dpmPPSDE, .dpmPP3MSDE, .restart, .ddim, .plms, .uniPC, .dpmAdaptive, .lcm,
  ])
  func `an image that is stopped inside a scheduled prompt continues to the same latent`(sampler: SamplerID) throws {
    var job = PassSettings()
    job.model = ModelReference(name: "model", path: RandomModels.path("model.safetensors"))
    job.prompt = "a [red|blue] [fish:star:0.5] AND [boat:a (green:1.4) tree:3]:0.7"
    job.negativePrompt = "[noise:blurry:4]"
    job.sampler = sampler
    job.steps = sampler == .restart ? 20 : 7
    job.seed = 12
    (job.width, job.height) = (40, 48)
    job.rng = .cpu
    job.sMinUncond = sampler.usesTimesteps ? 400 : 2
    job.skipEarlyCond = 0.2

    let whole = try Sampled(job)
    var checkpoints: [Data] = []
    var loop = whole.loop
    while !loop.isFinished {
      checkpoints.append(try JSONEncoder().encode(loop))
      try loop.step(model: RefinedDenoiser(whole.denoiser, refinement: nil))
    }
    #expect(checkpoints.count > 3)
    let fresh = try Sampled(job)
    for index in [1, checkpoints.count / 2, checkpoints.count - 1] {
      var continued = try JSONDecoder().decode(SamplingLoop.self, from: checkpoints[index])
      while !continued.isFinished { try continued.step(model: RefinedDenoiser(fresh.denoiser, refinement: nil)) }
      #expect(continued.latent.values.map(\.bitPattern) == loop.latent.values.map(\.bitPattern))
      #expect(continued.callCount == loop.callCount)
    }
  }

  /// A job before its first step, as the engine starts it.
  private struct Sampled {
    let denoiser: any Denoiser
    let loop: SamplingLoop

    init(_ job: PassSettings) throws {
      let compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: 2)
      let catalog = ModelCatalog(executable: "/nonexistent/sdbatch", environment: [:])
      let model = try LoadedModel(
        catalog.models(for: job).model, vae: nil, key: ModelCatalog.Key(job), compute: compute)
      let training = TrainingSchedule(job)
      denoiser = try model.networks.denoiser(
        job, training: training, callsBefore: nil, memory: nil,
        remaining: RemainingCalls(calls: []))
      loop = SamplingLoop(settings: SamplingSettings(job, channels: try catalog.channels(job)), training: training)
    }
  }
}
