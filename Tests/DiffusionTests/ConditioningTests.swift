import Settings
import Tensors
import Testing
import TestSupport

@testable import Diffusion

/// The negative prompt takes half of an image's time. It is left out exactly if it has no effect.
@Suite struct ConditioningTests {
  @Test(
    arguments: [
      ("a boat", 1, SamplerID.euler, false), ("a boat", 7, .euler, true), ("a boat", 0, .euler, true),
      ("a boat:0.25 AND a fish:0.75", 1, .euler, false), ("a boat:0.5 AND a fish:0.75", 1, .euler, true),
      ("a boat:0.5", 2, .heun, false), ("a boat:0.5", 1, .heun, true), ("a boat AND a fish", 1, .dpmPP2M, true),
      ("a boat AND a fish", 0.5, .dpmPP2M, false), ("a boat:2 AND a fish:-1", 1, .uniPC, false),
      // DDIM CFG++ steps along the output for the negative prompt, and divides cfg_scale by 12.5.
      ("a boat", 1, .ddimCFGPP, true), ("a boat", 12.5, .ddimCFGPP, true), ("a boat", 1, .ddim, false),
    ] as [(String, Double, SamplerID, Bool)])
  func `the negative prompt is left out if the scales add up to 1 and the sampler does not read it`(
    prompt: String, cfgScale: Double, sampler: SamplerID, isNeeded: Bool
  ) throws {
    var job = PassSettings()
    job.model = ModelReference(name: "model", path: RandomModels.path("model.safetensors"))
    (job.prompt, job.negativePrompt, job.cfgScale, job.sampler) = (prompt, "noise", cfgScale, sampler)
    let catalog = ModelCatalog(executable: "/nonexistent/sdbatch", environment: [:])
    let model = try LoadedModel(
      catalog.models(for: job).model, vae: nil, key: ModelCatalog.Key(job),
      compute: Compute(kernels: try Kernels.forThisMachine(), threadCount: 1))
    let networks = try #require(model.networks as? PagedSamplingNetworks<CLIPPrompts>)
    let conditioning = try networks.prompts.conditioning(job)
    #expect((conditioning.negative != nil) == isNeeded)
    let count = conditioning.parts.count
    #expect(conditioning.contexts(atCall: 0, isSkipped: false).count == count + (isNeeded ? 1 : 0))
    #expect(conditioning.contexts(atCall: 0, isSkipped: true).count == count)
  }
}
