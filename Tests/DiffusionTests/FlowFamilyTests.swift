import Networks
import Sampling
import Settings
import Tensors
import TestSupport
import Testing
import Tokenization

@testable import Diffusion

/// The engine's sampling for a family that is trained by flow matching: the inputs of its network, and how its outputs are
/// used.
@Suite struct FlowFamilyTests {
  private let compute: Compute

  init() throws { compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: 1) }

  private func model(_ family: FamilyID) -> FakeModel {
    FakeModel(
      path: "\(family.rawValue).fake", parts: ModelParts(), vocabularies: VocabularyLocator(environment: [:]))
  }

  private func job(_ family: FamilyID, _ sampler: SamplerID, _ schedule: ScheduleID = .automatic) -> PassSettings {
    var job = PassSettings()
    job.model = ModelReference(name: "fake", path: "\(family.rawValue).fake", family: family)
    (job.prompt, job.negativePrompt) = ("a (fish:1.2)", "noise")
    (job.sampler, job.scheduler, job.steps, job.seed, job.cfgScale) = (sampler, schedule, 5, 3, 2.5)
    (job.width, job.height, job.rng) = (48, 32, .cpu)
    return job
  }

  private func networks(_ model: FakeModel) throws -> PagedSamplingNetworks<FakePrompts> {
    try #require(model.networks(compute, smallBytes: 1) as? PagedSamplingNetworks<FakePrompts>)
  }

  private func loop(_ job: PassSettings, _ model: FakeModel) -> SamplingLoop {
    SamplingLoop(
      settings: SamplingSettings(job, channels: model.latents.channels), training: model.training(for: job))
  }

  private func sampled(
    _ job: PassSettings, _ model: FakeModel, _ networks: any SamplingNetworks, memory: EvaluationMemory? = nil
  ) throws -> Latent {
    var loop = loop(job, model)
    let denoiser = RefinedDenoiser(
      try networks.denoiser(
        job, training: model.training(for: job), callsBefore: nil, memory: memory, remaining: RemainingCalls(loop)),
      refinement: nil)
    while !loop.isFinished { try loop.step(model: denoiser) }
    return loop.latent
  }

  /// What the fake network and guidance compute from a latent, written out.
  private struct Expected: GuidedModel {
    typealias Failure = Never
    let strengths: [Float]
    let scale: Float

    func denoised(_ x: Latent, sigma: Float, timestep: Float?, call: Int) -> Latent {
      let (positive, negative) = (image(x, sigma, strengths[0]), image(x, sigma, strengths[1]))
      var combined = negative
      combined.add(scale, positive.difference(from: negative))
      return combined
    }

    func noise(_ x: Latent, timestep: Float, call: Int) -> GuidedNoise { GuidedNoise(guided: x, unconditional: x) }

    /// x - σ v, where v = x · strength + timestep / 1000, and the timestep is 1000 σ.
    private func image(_ x: Latent, _ sigma: Float, _ strength: Float) -> Latent {
      var image = x
      let velocity = Latent(
        shape: x.shape, values: x.values.map { $0 * strength + (1000 * sigma) / 1000 })
      image.add(-sigma, velocity)
      return image
    }
  }

  @Test(
    arguments: SamplerID.allCases.filter(\.runsInFlow),
    [FamilyID.sd3, .flux1Dev, .flux1Schnell, .zImageTurbo, .klein])
  func `every sampler and schedule gets x - sigma v under guidance`(sampler: SamplerID, family: FamilyID) throws {
    let model = model(family)
    for schedule in ScheduleID.allCases {
      let job = job(family, sampler, schedule)
      guard ImageSettings(job).familyRefusals.isEmpty else { continue }
      let networks = try networks(model)
      let latent = try sampled(job, model, networks)
      let strengths = try #require(try networks.network.get().calls.first).strengths
      var loop = loop(job, model)
      while !loop.isFinished { loop.step(model: Expected(strengths: strengths, scale: 2.5)) }
      #expect(zip(latent.values, loop.latent.values).allSatisfy { ($0 - $1).magnitude < 1e-4 }, "\(schedule)")
      let place = family.traits.geometry.pixelsPerPlace
      #expect(latent.shape == LatentShape(channels: 6, height: 32 / place, width: 48 / place))
    }
  }

  @Test func `the network is told the distilled guidance only if it reads it, and the memory tells guidances apart`()
    throws
  {
    for family in [FamilyID.flux1Dev, .flux1Schnell] {
      let model = model(family)
      let memory = EvaluationMemory()
      let networks = try networks(model)
      var job = job(family, .euler)
      job.cfgScale = 1
      let one = try sampled(job, model, networks, memory: memory)
      let calls = try networks.network.get().calls
      #expect(calls.count == 5 && calls.allSatisfy { $0.strengths.count == 1 })
      #expect(calls.allSatisfy { $0.guidance == (family == .flux1Dev ? 3.5 : 0) })
      #expect(abs(calls[0].timestep - 1000) < 1e-3)
      job.distilledCFGScale = 7
      _ = try sampled(job, model, networks, memory: memory)
      let more = try networks.network.get().calls
      // Two calls of an image are remembered.
      #expect(more.count == (family == .flux1Dev ? 10 : 8))
      #expect(more[9 - (family == .flux1Dev ? 0 : 2)].guidance == (family == .flux1Dev ? 7 : 0))
      job.distilledCFGScale = 0
      #expect(try sampled(job, model, networks, memory: memory) == one)
    }
  }

  @Test(arguments: [1.0, 2.5], ["a fish", "a fish AND a cat:0.5"])
  func `as many evaluations are planned as are made, those without layers too`(scale: Double, prompt: String) throws {
    let model = model(.sd35Medium)
    var job = job(.sd35Medium, .euler)
    (job.cfgScale, job.prompt, job.steps) = (scale, prompt, 20)
    for (skipping, interval, guided) in [
      (0.0, "0.01 to 0.2", "0 to 1"), (2, "0.01 to 0.2", "0 to 1"), (2, "0.3 to 1", "0.2 to 0.5"),
    ] {
      job.skipLayerScale = skipping
      job.skipLayerInterval = try #require(PassInterval(interval))
      job.guidanceInterval = try #require(PassInterval(guided))
      let memory = EvaluationMemory()
      _ = try sampled(job, model, try networks(model), memory: memory)
      let planned = Engine.evaluations(of: job, readsGuidance: false, steps: 0..<20)
      #expect(memory.evaluations.asked == planned, "\(skipping) \(interval) \(guided)")
      #expect(Engine.evaluations(of: job, readsGuidance: false, steps: 7..<7) == 0)
      let parts = prompt.contains("AND") ? 2 : 1
      // Calls 1 to 3, and 6 to 19.
      let without = skipping == 0 ? 0 : interval.hasPrefix("0.01") ? 3 : 14
      let hasNegative = scale != 1 || parts == 2
      let negative = !hasNegative ? 0 : guided.hasPrefix("0.2") ? 6 : 20
      #expect(planned == 20 * parts + negative + without * parts)
    }
  }

  @Test func `brackets stay text where a family has no weights, and clip skip does nothing`() {
    var job = job(.klein, .euler)
    job.clipSkip = 3
    #expect(TextSettings(job).emphasis == .none && TextSettings(job).clipSkip == 1)
    #expect(PromptTexts.runs(of: job, callsBefore: nil) == ["a (fish:1.2)", "noise"])
    job.model.family = .flux1Dev
    #expect(TextSettings(job).emphasis == .original)
    #expect(PromptTexts.runs(of: job, callsBefore: nil) == ["a ", "fish", "noise"])
    job.model.family = .stableDiffusion
    #expect(TextSettings(job).clipSkip == 3)
  }

  @Test func `a shift is subtracted before an image is sampled, and added before it is decoded`() throws {
    let shape = LatentShape(channels: 4, height: 2, width: 2)
    let decoder = RecordingDecoder(compute)
    let latent = Latent(shape: shape, repeating: 0.5)
    _ = try ImageDecoder(decoder: decoder, scale: LatentScale(factor: 0.5, shift: 0.25), compute: compute)
      .decode(latent)
    #expect(decoder.values.allSatisfy { $0 == 1.25 } && decoder.values.count == 16)
  }
}

/// A decoder that records its inputs.
private final class RecordingDecoder: LatentDecoder {
  private(set) var values: [Float] = []
  private let compute: Compute

  init(_ compute: Compute) { self.compute = compute }

  func forward(_ latent: Tensor, padding: ConvolutionPadding) -> Tensor {
    values = Array(UnsafeBufferPointer(start: latent.base, count: latent.count))
    let image = compute.tensor(batch: 1, height: 16, width: 16, channels: 3, elementType: .fp32)
    image.base.update(repeating: 0, count: image.count)
    return image
  }
}
