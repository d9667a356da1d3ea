import Foundation
import Networks
import Sampling
import Settings
import Tensors
import Testing
import TestSupport
import Tokenization
import Weights

@testable import Diffusion

/// A family with another network, other prompts and other latents uses the same sampling as Stable Diffusion.
@Suite struct NetworkFamilyTests {
  private let model = FakeModel(
    path: "model.fake", parts: ModelParts(), vocabularies: VocabularyLocator(environment: [:]))
  private let compute: Compute

  init() throws { compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: 1) }

  private func settings(_ sampler: SamplerID = .euler) -> PassSettings {
    var settings = PassSettings()
    (settings.prompt, settings.negativePrompt) = ("[a fish|two fish] AND a star:0.5", "noise")
    (settings.sampler, settings.steps, settings.seed, settings.cfgScale) = (sampler, 5, 3, 2)
    (settings.width, settings.height, settings.rng) = (24, 16, .cpu)
    return settings
  }

  private func networks() throws -> PagedSamplingNetworks<FakePrompts> {
    try #require(
      model.networks(compute, smallBytes: 1) as? PagedSamplingNetworks<FakePrompts>)
  }

  private func loop(_ settings: PassSettings) -> SamplingLoop {
    SamplingLoop(
      settings: SamplingSettings(settings, channels: model.latents.channels), training: model.training(for: settings))
  }

  private func sampled(
    _ settings: PassSettings, _ networks: any SamplingNetworks, memory: EvaluationMemory? = nil
  ) throws -> Latent {
    let denoiser = RefinedDenoiser(
      try networks.denoiser(
        settings, training: model.training(for: settings), callsBefore: nil, memory: memory,
        remaining: RemainingCalls(calls: [])),
      refinement: nil)
    var loop = loop(settings)
    while !loop.isFinished { try loop.step(model: denoiser) }
    return loop.latent
  }

  @Test(arguments: SamplerID.allCases)
  func `every sampler samples with another family's network`(sampler: SamplerID) throws {
    let settings = settings(sampler)
    let networks = try networks()
    let latent = try sampled(settings, networks)
    #expect(latent.shape == LatentShape(channels: 6, height: 2, width: 3))
    #expect(!latent.values.contains { !$0.isFinite })
    // The same image again, from a memory that saves calls.
    let memory = EvaluationMemory()
    #expect(try sampled(settings, try self.networks(), memory: memory) == latent)
    let calls = try networks.network.get().calls.count
    #expect(try sampled(settings, networks, memory: memory) == latent)
    #expect(memory.evaluations.asked > 0)
    #expect(try networks.network.get().calls.count > calls)
  }

  @Test func `prompts are encoded once, and each call has the contexts of its time`() throws {
    let networks = try networks()
    _ = try sampled(settings(), networks)
    _ = try sampled(settings(), networks)
    let calls = try networks.network.get().calls
    #expect(calls.count == 10 && Array(calls[..<5]) == Array(calls[5...]))
    // Two parts and the negative prompt; the first part alternates.
    #expect(calls.allSatisfy { $0.strengths.count == 3 && $0.latents == 3 && $0.guidance == 0 })
    let first = calls.prefix(5).map { $0.strengths[0] }
    #expect(first[0] != first[2] && first == [first[0], first[0], first[2], first[0], first[2]])
    #expect(calls[0].strengths[1...] == calls[1].strengths[1...])
  }

  @Test func `a memory plan counts what the family's networks need`() throws {
    let pass = MemoryPlan.Pass(models: [model], width: 64, height: 64)
    let key = MemoryPlan.Key(ImageSettings(settings()), .fp32)
    let plan = try MemoryPlan([pass], vae: VAEConfiguration(), handover: nil, key)
    let twice = try MemoryPlan(
      [MemoryPlan.Pass(models: [model, model], width: 64, height: 64)], vae: VAEConfiguration(), handover: nil, key)
    #expect(twice.peak - plan.peak == Int64(FakeConfiguration().weightBytes(.fp32, plan.packing)))
  }

  @Test func `a memory plan names the networks that it releases`() throws {
    func plan(_ limit: Int64) throws -> MemoryPlan {
      var settings = ImageSettings(settings())
      settings.memoryLimit = limit
      return try MemoryPlan(
        [MemoryPlan.Pass(models: [model], width: 64, height: 64)], vae: VAEConfiguration(), handover: nil,
        MemoryPlan.Key(settings, .fp32))
    }
    let error = try #require(throws: EngineError.self) { try plan(1) }
    guard case .memoryLimit(_, let needed, _, _) = error else {
      Issue.record("\(error)")
      return
    }
    let summary = try #require(try plan(needed).summary)
    #expect(summary.contains("the fake network is read again for each image"), "\(summary)")
  }

  @Test func `a list of families opens a file with the first that recognises it`() {
    #expect(
      FakeModel.recognises(path: "x.fake", transformer: nil)
        && !FakeModel.recognises(path: "x.safetensors", transformer: nil))
    #expect(ModelFamilies.all.last == StableDiffusionModel.self)
    #expect(StableDiffusionModel.recognises(path: "anything", transformer: nil))
  }

  @Test func `every kind of transformer has one family that opens it`() {
    for kind in TransformerKind.all {
      let families = ModelFamilies.all.dropLast().filter { $0.recognises(path: "x", transformer: kind) }
      #expect(families.count == 1, "\(kind.title)")
    }
  }
}
