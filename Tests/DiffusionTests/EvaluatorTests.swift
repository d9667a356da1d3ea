import Networks
import Sampling
import Settings
import Tensors
import Testing
import TestSupport

@testable import Diffusion

/// The parts of a denoiser, each tested alone.
@Suite struct EvaluatorTests {
  private let compute: Compute

  init() throws { compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: 1) }

  private static let shape = LatentShape(channels: 1, height: 1, width: 2)
  private static let strong = FakeNetwork.Context(strength: 2)
  private static let weak = FakeNetwork.Context(strength: 1)

  private func evaluation(
    _ prompts: [(PromptRole, FakeNetwork.Context)], call: Int = 0, input: [Float] = [3, 4], timestep: Float = 500,
    options: NetworkOptions = NetworkOptions()
  ) -> Evaluation<FakeNetwork.Context> {
    Evaluation(
      input: Latent(shape: Self.shape, values: input), timestep: timestep, call: call, guidance: 7, options: options,
      contexts: prompts.map { PromptContext(role: $0, context: $1) })
  }

  private static let both: [(PromptRole, FakeNetwork.Context)] = [(.part(0), strong), (.negative, weak)]

  // MARK: The network

  @Test(arguments: [false, true])
  func `the network is run once for all contexts, in their order`(sharesLatent: Bool) throws {
    let network = FakeNetwork(compute)
    let evaluator = NetworkEvaluator(network: network, sharesLatent: sharesLatent, compute: compute)
    let outputs = try evaluator.outputs(evaluation(Self.both))
    #expect(outputs.map(\.values) == [[6.5, 8.5], [3.5, 4.5]])
    #expect(
      network.calls == [
        FakeNetwork.Call(timestep: 500, latents: sharesLatent ? 1 : 2, strengths: [2, 1], guidance: 7, features: nil)
      ])
    #expect(evaluator.isResumable(atCall: 1))
  }

  @Test func `NaN is reported with the number of the call`() throws {
    let evaluator = NetworkEvaluator(network: FakeNetwork(compute), sharesLatent: true, compute: compute)
    let error = #expect(throws: EngineError.self) {
      try evaluator.outputs(evaluation(Self.both, call: 4, input: [.nan, 0]))
    }
    #expect(error?.description.contains("call 5") == true)
  }

  // MARK: The memory

  @Test func `the memory answers what was asked before, and only that`() throws {
    let network = FakeNetwork(compute)
    let memory = EvaluationMemory()
    let evaluator = RememberingEvaluator(
      base: NetworkEvaluator(network: network, sharesLatent: true, compute: compute), memory: memory)
    let first = try evaluator.outputs(evaluation(Self.both))
    #expect(network.calls.count == 1)
    #expect(try evaluator.outputs(evaluation(Self.both)) == first)
    #expect(try evaluator.outputs(evaluation(Self.both.reversed())) == first.reversed())
    #expect(network.calls.count == 1)
    // Of these two contexts, one is known.
    let other = FakeNetwork.Context(strength: 2)
    #expect(try evaluator.outputs(evaluation([(.part(0), other), (.negative, Self.weak)])) == first)
    #expect(network.calls.last?.strengths == [2])
    #expect(memory.evaluations.asked == 8 && memory.evaluations.saved == 5)
    // Every other input is another evaluation.
    var merging = NetworkOptions()
    merging.tokenMergingRatio = 0.5
    for evaluation in [
      evaluation(Self.both, input: [3, 5]), evaluation(Self.both, timestep: 499),
      evaluation(Self.both, options: merging),
    ] {
      let before = network.calls.count
      _ = try evaluator.outputs(evaluation)
      #expect(network.calls.count == before + 1)
    }
  }

  @Test func `equal parts of a prompt are evaluated once, in every call; later calls are not kept`() throws {
    let network = FakeNetwork(compute)
    let memory = EvaluationMemory()
    let evaluator = RememberingEvaluator(
      base: NetworkEvaluator(network: network, sharesLatent: true, compute: compute), memory: memory)
    let prompts: [(PromptRole, FakeNetwork.Context)] = [(.part(0), Self.strong), (.part(1), Self.strong)]
    for _ in 0..<2 {
      let outputs = try evaluator.outputs(evaluation(prompts, call: EvaluationMemory.calls.upperBound))
      #expect(outputs.count == 2 && outputs[0] == outputs[1])
    }
    #expect(network.calls.map(\.strengths) == [[2], [2]])
  }

  @Test func `a full memory forgets the least recently used outputs`() throws {
    let network = FakeNetwork(compute)
    let memory = EvaluationMemory(capacity: 4 * 8)
    let evaluator = RememberingEvaluator(
      base: NetworkEvaluator(network: network, sharesLatent: true, compute: compute), memory: memory)
    func ask(_ timestep: Float) throws -> Int {
      let before = network.calls.count
      _ = try evaluator.outputs(evaluation([(.part(0), Self.strong)], timestep: timestep))
      return network.calls.count - before
    }
    for timestep in 1...4 { #expect(try ask(Float(timestep)) == 1) }
    #expect(try ask(1) == 0)
    // The fifth one makes it forget half of them.
    #expect(try ask(5) == 1)
    #expect(try [1, 5, 2, 3].map(ask) == [0, 0, 1, 1])
  }

  // MARK: Deep features

  @Test func `deep features are reused between the calls that compute them`() throws {
    let network = FakeNetwork(compute)
    let cache = try #require(FeatureCache<Float>(interval: 3))
    let evaluator = FeatureReusingEvaluator(network: network, cache: cache, compute: compute)
    for call in 0..<6 { _ = try evaluator.outputs(evaluation(Self.both, call: call)) }
    #expect(network.calls.map(\.features) == [nil, [2, 1], [2, 1], nil, [2, 1], [2, 1]])
    #expect((0..<7).map { evaluator.isResumable(atCall: $0) } == [true, false, false, true, false, false, true])
    #expect(FeatureCache<Float>(interval: 1) == nil)
  }

  @Test func `a prompt that was left out since makes all layers run`() throws {
    let network = FakeNetwork(compute)
    let cache = try #require(FeatureCache<Float>(interval: 10))
    let evaluator = FeatureReusingEvaluator(network: network, cache: cache, compute: compute)
    let positive = Array(Self.both.prefix(1))
    for (call, prompts) in [positive, positive, Self.both, Self.both, positive].enumerated() {
      _ = try evaluator.outputs(evaluation(prompts, call: call))
    }
    #expect(network.calls.map(\.features) == [nil, [2], nil, [2, 1], [2]])
  }

  // MARK: Guidance

  /// Answers with a number for each context, and records the questions.
  private final class Recorder: Evaluator {
    var roles: [[PromptRole]] = []
    var skippedLayers: [Set<Int>] = []

    func outputs(_ evaluation: Evaluation<FakeNetwork.Context>) -> [Latent] {
      roles.append(evaluation.contexts.map(\.role))
      skippedLayers.append(evaluation.options.skippedLayers)
      return evaluation.contexts.map {
        // Without layers, the prompt counts half.
        Latent(
          shape: evaluation.input.shape,
          repeating: $0.context.strength * (evaluation.options.skippedLayers.isEmpty ? 1 : 0.5))
      }
    }
  }

  private func denoiser(_ evaluator: Recorder, _ job: PassSettings) throws -> GuidedDenoiser<FakeNetwork.Context> {
    let network = PagedNetwork(bytes: 0, smallBytes: 1, profiler: compute.profiler, requireUnchanged: {}) {
      [compute] in FakeNetwork(compute)
    }
    let prompts = PromptEncoder(FakePrompts(), for: network, readsGuidance: false)
    return GuidedDenoiser(
      evaluator: evaluator, training: TrainingSchedule(), prediction: .epsilon,
      conditioning: try prompts.conditioning(job), guidance: Float(job.cfgScale), options: NetworkOptions(job),
      skips: GuidanceSkips(job), changes: GuidanceChanges(job))
  }

  @Test func `guidance steers from the negative prompt to the prompt, and skips it in the calls that say so`() throws {
    var job = PassSettings()
    // The sums of the bytes decide the strengths: 0.485 and 0.49.
    (job.prompt, job.negativePrompt, job.cfgScale) = ("a", "b", 5)
    job.sMinUncond = 1
    let recorder = Recorder()
    let denoiser = try denoiser(recorder, job)
    let x = Latent(shape: Self.shape, values: [0, 0])
    // x - sigma * (n + 5 * (p - n))
    let guided = try denoiser.denoised(x, sigma: 2, timestep: nil, call: 0).values[0]
    #expect(abs(guided + 2 * (0.49 + 5 * (0.485 - 0.49))) < 1e-5)
    // Odd calls below the noise level leave the negative prompt out.
    let skipped = try denoiser.denoised(x, sigma: 0.5, timestep: nil, call: 1).values[0]
    #expect(abs(skipped + 0.5 * 0.485) < 1e-6)
    #expect(recorder.roles == [[.part(0), .negative], [.part(0)]])
    let noise = try denoiser.noise(x, timestep: 100, call: 2)
    #expect(abs(noise.unconditional.values[0] - 0.49) < 1e-6 && noise.guided.values[0] < noise.unconditional.values[0])
  }

  @Test func `skip-layer guidance steers away from the prompt without layers, in its part of the calls`() throws {
    var job = PassSettings()
    job.model = ModelReference(name: "fake", path: "/fake", family: .sd35Medium)
    (job.prompt, job.negativePrompt, job.cfgScale) = ("a", "b", 5)
    (job.sampler, job.steps) = (.euler, 10)
    job.skipLayerScale = 2
    job.skipLayers = try #require(LayerList([9, 7]))
    job.skipLayerInterval = try #require(PassInterval(0.1, 0.3))
    job.sMinUncond = 1
    let recorder = Recorder()
    let denoiser = try denoiser(recorder, job)
    let x = Latent(shape: Self.shape, values: [0, 0])
    func result(_ call: Int, _ sigma: Float) throws -> Float {
      try denoiser.denoised(x, sigma: sigma, timestep: nil, call: call).values[0]
    }
    let guided: Float = 0.49 + 5 * (0.485 - 0.49)
    #expect(abs(try result(0, 2) + 2 * guided) < 1e-5)
    #expect(abs(try result(2, 2) + 2 * (guided + 2 * (0.485 - 0.5 * 0.485))) < 1e-5)
    // Without the negative prompt, too.
    #expect(abs(try result(1, 0.5) + 0.5 * (0.485 + 2 * (0.485 - 0.5 * 0.485))) < 1e-5)
    #expect(abs(try result(4, 2) + 2 * guided) < 1e-5)
    #expect(
      recorder.roles == [
        [.part(0), .negative], [.part(0), .negative], [.partWithoutLayers(0)], [.part(0)], [.partWithoutLayers(0)],
        [.part(0), .negative],
      ])
    #expect(recorder.skippedLayers == [[], [], [7, 9], [], [7, 9], []])
  }
}
