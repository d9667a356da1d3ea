import Foundation
import Settings
import Testing

@testable import Sampling

/// Checks samplers against k-diffusion and their published results.
@Suite struct SamplerTests {
  struct Index: Decodable {
    struct Case: Decodable, CustomStringConvertible, Sendable {
      struct Options: Decodable {
        let eta, s_churn, s_tmin, s_tmax, s_noise: Double?
        let variant: UniPCVariant?, skip_type: UniPCSkipType?, order: Int?, lower_order_final: Bool?
      }
      let sampler: SamplerID, schedule: ScheduleID, steps: Int, seed: Int64, rng: NoiseSourceID, shape: [Int]
      let options: Options, sigmas: Span, calls: Span, result: Span

      var settings: SamplingSettings {
        SamplingSettings(
          sampler: sampler, schedule: schedule, steps: steps,
          options: SamplerOptions(
            // k-diffusion's own default, which the webui overrides.
            eta: options.eta ?? ([.dpmFast, .dpmAdaptive].contains(sampler) ? 0 : 1), sChurn: options.s_churn ?? 0,
            sTmin: options.s_tmin ?? 0, sTmax: options.s_tmax,
            sNoise: options.s_noise ?? 1, etaDDIM: options.eta ?? 0,
            uniPC: UniPCOptions(
              variant: options.variant ?? .bh1, skipType: options.skip_type ?? .timeUniform, order: options.order ?? 3,
              lowerOrderFinal: options.lower_order_final ?? true)),
          seed: seed, rng: rng, shape: LatentShape(shape))
      }
      var description: String { "\(sampler.rawValue), \(schedule), \(steps) steps, seed \(seed), \(rng), \(options)" }
    }
    let cases: [Case]
  }

  @Test(arguments: SamplerID.allCases.filter { ![.erSDE, .resMultistep].contains($0) })
  func `every sampler gives the result of k-diffusion and the webui, with the same calls`(sampler: SamplerID) throws {
    let fixture = try Fixture("samplers", as: Index.self)
    let cases = fixture.index.cases.filter { $0.sampler == sampler }
    #expect(cases.count >= 6)
    var largest: Float = 0
    for row in cases {
      var loop = SamplingLoop(settings: row.settings, training: TrainingSchedule())
      #expect(maxRelativeDifference(loop.sigmas, fixture[row.sigmas]) < 6e-7, "\(row)")
      var calls: [Float] = []
      while !loop.isFinished {
        loop.step { calls.append($0) }
      }
      // In a step from 14.6 to 0.03 almost the whole noise level is added back as noise, and the small rest is a
      // difference of nearly equal numbers: the last bit of PyTorch's square root changes it by 1 %.
      let isExtreme = row.steps == 2
      // In addition to the schedule's last bits, log and exp of a sigma are rounded one time more or less than in PyTorch.
      // An adaptive step's length comes from a sum of squares, whose last bits PyTorch rounds in another order.
      let callsMay: Float = isExtreme ? 2e-2 : sampler == .dpmAdaptive ? 1e-3 : 1e-6
      #expect(maxRelativeDifference(calls, fixture[row.calls]) < callsMay, "\(row)")
      let difference = maxDifference(loop.latent.values, fixture[row.result])
      largest = max(largest, difference)
      // Single precision on latents that start near 30 and end near 1; a level of 255 is 4e-3.
      // The fake model at timesteps ends near 10 rather than 1.
      let isLoose = sampler.usesTimesteps || sampler == .dpmAdaptive
      #expect(difference < (isExtreme ? 2e-4 : isLoose ? 6e-5 : 1e-5), "\(row)")
    }
    print("\(sampler.rawValue): max difference \(largest) in \(cases.count) cases")
  }

  struct Published: CustomStringConvertible, Sendable {
    let sampler: SamplerID
    var options = SamplerOptions()
    var noiseScale: Float = 1
    let calls: Int
    var draws: Int?
    let result: [Float]
    var description: String { "\(sampler.rawValue), eta \(options.eta), churn \(options.sChurn)" }
  }

  /// Results of k-diffusion in double precision: a toy model, known noise, six steps of Karras' schedule.
  @Test(arguments: [
    Published(sampler: .euler, calls: 6, draws: 6, result: [0.710879194, -0.555951927]),
    Published(
      sampler: .euler, options: SamplerOptions(sChurn: 2), calls: 6, draws: 6, result: [-0.233595832, -0.611954225]),
    Published(sampler: .eulerAncestral, calls: 6, draws: 5, result: [-0.391515743, -0.602983433]),
    // Published with an s_noise of 1.1, which the webui does not pass on. Here, the noise itself is multiplied by this factor.
    Published(
      sampler: .eulerAncestral, options: SamplerOptions(eta: 0.5), noiseScale: 1.1, calls: 6, draws: 5,
      result: [0.507206283, -0.632749835]),
    Published(sampler: .heun, calls: 11, draws: 6, result: [0.65489247, -0.540423193]),
    Published(sampler: .dpm2, calls: 11, draws: 6, result: [0.679419957, -0.554309447]),
    Published(sampler: .dpm2Ancestral, calls: 11, draws: 5, result: [-0.318983184, -0.472992187]),
    Published(sampler: .lms, calls: 6, draws: 0, result: [0.683424595, -0.551140149]),
    Published(sampler: .dpmPP2SAncestral, calls: 11, draws: 5, result: [-0.362531014, -0.566201438]),
    Published(sampler: .dpmPP2M, calls: 6, draws: 0, result: [0.705799379, -0.576803668]),
    Published(sampler: .dpmPPSDE, calls: 11, draws: 10, result: [0.163176639, -0.100319943]),
    Published(
      sampler: .dpmPPSDE, options: SamplerOptions(eta: 0), calls: 11, result: [0.693973111, -0.557454888]),
    Published(sampler: .dpmPP2MSDE, calls: 6, draws: 5, result: [-0.723867098, -0.714394523]),
    Published(sampler: .dpmPP2MSDE, options: SamplerOptions(eta: 0), calls: 6, result: [0.705799379, -0.576803668]),
    Published(sampler: .dpmPP2MSDEHeun, calls: 6, draws: 5, result: [-0.79394552, -0.754353287]),
    Published(sampler: .dpmPP2MSDEHeun, options: SamplerOptions(eta: 0), calls: 6, result: [0.704771346, -0.58107264]),
    Published(sampler: .lcm, calls: 6, draws: 5, result: [-0.566976862, -0.577036308]),
    Published(sampler: .dpmPP3MSDE, calls: 6, draws: 5, result: [-0.670433795, -0.600581372]),
    Published(sampler: .dpmPP3MSDE, options: SamplerOptions(eta: 0), calls: 6, result: [0.689104252, -0.568259191]),
  ])
  func `samplers have their published results, calls and draws`(published: Published) {
    let sigmas: [Float] = [10, 4.918109658, 2.232486973, 0.916425414, 0.330331887, 0.1, 0]
    let sampler = SamplerRegistry.sampler(
      published.sampler, options: published.options, sigmas: sigmas, steps: 6, training: TrainingSchedule())
    let run = Self.run(sampler, sigmas: sigmas, noiseScale: published.noiseScale)
    let difference = maxDifference(run.x, published.result)
    print("\(published): max difference \(difference)")
    // Single precision on numbers up to 15.
    #expect(difference < 5e-6)
    #expect(run.calls == published.calls)
    if let draws = published.draws { #expect(run.draws == draws) }
  }

  /// Runs all steps from (1, −0.5) times the first sigma, with cos k as the k-th noise. The model is
  /// tanh(x / √(1 + σ²)), and at timesteps tanh(x) (½ + t / 2000), half of it without the prompt.
  private static func run(
    _ fresh: some Sampler, sigmas: [Float], noiseScale: Float = 1
  ) -> (x: [Float], calls: Int, draws: Int, steps: Int, timesteps: [Float]) {
    let shape = LatentShape(channels: 1, height: 1, width: 2)
    var sampler = fresh
    var noise: any NoiseSampler = CosineNoise(shape: shape, scale: noiseScale)
    let start = sigmas.first ?? 1
    var x = Latent(shape: shape, values: [start, -0.5 * start])
    var timesteps: [Float] = []
    let model = ToyModel<Never>(
      denoise: { x, sigma, timestep in
        var image = Latent(shape: shape, values: x.values.map { tanh($0 / (1 + sigma * sigma).squareRoot()) })
        if let timestep {
          // Undoes what LCM does to an output: the published result is that of its step alone.
          let scaled = 10 * timestep
          let norm = scaled * scaled + 0.25
          image.add(-0.25 / norm, x)
          image.scale(by: norm.squareRoot() / scaled)
        }
        return image
      },
      predict: { x, timestep in
        timesteps.append(timestep)
        let guided = Latent(shape: shape, values: x.values.map { tanh($0) * (0.5 + timestep / 2000) })
        var unconditional = guided
        unconditional.scale(by: 0.5)
        return GuidedNoise(guided: guided, unconditional: unconditional)
      })
    var counted = CountedModel(model)
    var step = 0
    while !sampler.isFinished(after: step, sigmas: sigmas) {
      sampler.step(step, sigmas: sigmas, x: &x, noise: &noise, model: &counted)
      step += 1
    }
    return (x.values, counted.callCount, noise.drawCount, step, timesteps)
  }

  @Test(
    arguments: [
      (1.0, 5, 2, [0.60595, 0.03396]), (1, 6, 3, [0.56244, 0.02887]), (1, 7, 3, [0.43394, -0.01717]),
      (1, 20, 7, [-0.30184, -0.47547]), (0, 5, 2, [0.78617, -0.63754]), (0, 6, 3, [0.91761, -0.68124]),
      (0, 7, 3, [0.90523, -0.65635]), (0, 20, 7, [0.84376, -0.6254]),
    ] as [(Double, Int, Int, [Float])])
  func `DPM fast has its published results, calls and draws`(eta: Double, calls: Int, draws: Int, result: [Float]) {
    let run = Self.run(
      DPMFast(eta: eta, sNoise: 1, calls: calls, sigmaMin: 0.1, sigmaMax: 10), sigmas: [10])
    #expect(run.calls == calls)
    #expect(run.draws == draws)
    #expect(maxDifference(run.x, result) < 2e-5)
  }

  @Test(
    arguments: [(1.0, 27, 8, [0.0213, -0.20945]), (0, 18, 6, [0.83676, -0.62287])] as [(Double, Int, Int, [Float])])
  func `DPM adaptive has its published results, calls and draws`(eta: Double, calls: Int, draws: Int, result: [Float]) {
    let run = Self.run(DPMAdaptive(eta: eta, sigmaMin: 0.1, sigmaMax: 10), sigmas: [10])
    #expect(run.calls == calls)
    #expect(run.draws == draws)
    #expect(run.calls == 3 * run.steps)
    #expect(maxDifference(run.x, result) < 2e-5)
  }

  @Test(
    arguments: [
      (10, 19, 0, [0.581261, -0.494027]), (20, 39, 1, [0.542032, 0.289915]), (36, 71, 2, [-0.080881, -0.300735]),
      (40, 79, 2, [-0.064637, -0.297951]),
    ] as [(Int, Int, Int, [Float])])
  func `Restart has its published results, calls and draws`(steps: Int, calls: Int, draws: Int, result: [Float]) {
    let sigmas = SigmaSchedule.karras(steps, 0.03, 14, rho: 7) + [0]
    let run = Self.run(Restart(sigmas: sigmas), sigmas: sigmas)
    #expect(run.calls == calls)
    #expect(run.draws == draws)
    #expect(run.steps == steps)
    #expect(maxDifference(run.x, result) < 2e-5)
  }

  @Test(
    arguments: [
      (SamplerID.ddim, 0.0, 5, [801, 601, 401, 201], [1.8126046, -0.5545013]),
      (.ddim, 0, 10, [901, 801, 701, 601, 501, 401, 301, 201, 101], [2.4701167, -0.6272943]),
      (.ddim, 1, 5, [801, 601, 401, 201], [0.6304648, -0.5332945]),
      (.ddim, 1, 10, [901, 801, 701, 601, 501, 401, 301, 201, 101], [0.4665567, -0.2357351]),
      (.ddimCFGPP, 0, 5, [801, 601, 401, 201], [0.7665227, -0.1998939]),
      (.ddimCFGPP, 0, 10, [901, 801, 701, 601, 501, 401, 301, 201, 101], [0.1206469, -0.0327528]),
      (.plms, 0, 5, [801, 601, 601, 401, 201], [1.8504795, -0.5849297]),
      (.plms, 0, 10, [901, 801, 801, 701, 601, 501, 401, 301, 201, 101], [2.4789344, -0.6450084]),
    ] as [(SamplerID, Double, Int, [Float], [Float])])
  func `samplers of timesteps have their published results and calls`(
    id: SamplerID, eta: Double, steps: Int, timesteps: [Float], result: [Float]
  ) {
    let sampler = SamplerRegistry.sampler(
      id, options: SamplerOptions(etaDDIM: eta), sigmas: [], steps: steps, training: TrainingSchedule())
    let run = Self.run(sampler, sigmas: [])
    #expect(run.timesteps == timesteps)
    // Noise is drawn even if it is not used.
    #expect(run.draws == (id == .plms ? 0 : run.calls))
    #expect(maxDifference(run.x, result) < 3e-6)
  }

  @Test(
    arguments: [
      (UniPCVariant.bh1, 3, [3.5174, -0.6922]), (.bh2, 3, [3.52656, -0.69048]), (.varyCoeff, 3, [3.5072, -0.68752]),
      (.bh1, 2, [3.51217, -0.69238]),
    ] as [(UniPCVariant, Int, [Float])])
  func `UniPC has its published results and calls`(variant: UniPCVariant, order: Int, result: [Float]) {
    let run = Self.run(
      UniPC(options: UniPCOptions(variant: variant, order: order), steps: 10, training: TrainingSchedule()),
      sigmas: [])
    #expect(maxDifference(run.timesteps, (0..<10).map { 999 - 99.9 * Float($0) }) < 1e-3)
    #expect(maxDifference(run.x, result) < 6e-5)
  }

  @Test(arguments: [(20, 51, 951, 20), (30, 34, 991, 31), (7, 143, 995, 8)])
  func `timesteps are every n-th one, from 1`(steps: Int, second: Int, last: Int, count: Int) {
    let timesteps = Timesteps(count: steps, training: TrainingSchedule()).steps
    #expect(timesteps.count == count)
    #expect((timesteps[0], timesteps[1], timesteps[count - 1]) == (1, second, last))
  }

  @Test func `latent consistency models have levels of their own`() {
    let training = TrainingSchedule()
    let sigmas = SigmaSchedule.sigmas(.automatic, for: .lcm, steps: 4, training: training)
    #expect(maxRelativeDifference(sigmas, [14.6146, 2.99106, 0.972826, 0.134451, 0]) < 5e-6)
    #expect(sigmas.dropLast().map(LCMLevels(training).timestep(forSigma:)) == [999, 679, 339, 19])
  }

  @Test func `Euler a ignores s_noise and the other ancestral samplers read it`() {
    let euler = Self.result(.eulerAncestral, SamplerOptions(sNoise: 1))
    #expect(Self.result(.eulerAncestral, SamplerOptions(sNoise: 1.5)) == euler)
    for sampler in [SamplerID.dpm2Ancestral, .dpmPP2SAncestral, .dpmPPSDE, .dpmPP2MSDE, .dpmPP3MSDE] {
      #expect(Self.result(sampler, SamplerOptions(sNoise: 1.5)) != Self.result(sampler, SamplerOptions()))
    }
  }

  @Test(arguments: SamplerID.allCases)
  func `eta changes only the samplers that use it`(sampler: SamplerID) {
    let changes = Self.result(sampler, SamplerOptions(eta: 0.5)) != Self.result(sampler, SamplerOptions())
    #expect(changes == sampler.usesEta)
  }

  @Test(arguments: [SamplerID.euler, .heun, .dpm2])
  func `churn stays within its range of sigmas`(sampler: SamplerID) {
    let none = Self.result(sampler, SamplerOptions())
    #expect(Self.result(sampler, SamplerOptions(sChurn: 5)) != none)
    #expect(Self.result(sampler, SamplerOptions(sChurn: 5, sTmin: 20)) == none)
    #expect(Self.result(sampler, SamplerOptions(sChurn: 5, sTmax: 0.001)) == none)
  }

  /// The samplers that end without noise.
  private static let exhaustive = SamplerID.allCases.filter {
    !$0.usesTimesteps && $0 != .dpmFast && $0 != .dpmAdaptive
  }

  @Test(arguments: exhaustive)
  func `a model that always returns the same image ends there`(sampler: SamplerID) {
    let shape = LatentShape(channels: 4, height: 2, width: 3)
    let image = Latent(shape: shape, values: (0..<24).map { Float($0) / 8 - 1 })
    var loop = SamplingLoop(
      settings: SamplingSettings(sampler: sampler, steps: 9, seed: 5, rng: .nv, shape: shape),
      training: TrainingSchedule())
    let model = ToyModel<Never>(
      denoise: { _, _, _ in image }, predict: { x, _ in GuidedNoise(guided: x, unconditional: x) })
    while !loop.isFinished { loop.step(model: model) }
    // x − (x − D) / σ · σ leaves the rounding of x, which is below 1 at the last sigma; LMS sums four derivatives whose
    // weights are far larger than the last sigma; LCM mixes in a few millionths of its input.
    #expect(
      maxDifference(loop.latent.values, image.values) < (sampler == .lms ? 1e-4 : sampler == .lcm ? 1e-5 : 1e-6))
  }

  @Test(arguments: exhaustive)
  func `a second-order sampler calls the model twice in all steps but the last`(sampler: SamplerID) {
    var loop = SamplingLoop(
      settings: SamplingSettings(
        sampler: sampler, steps: 6, seed: 5, rng: .cpu, shape: LatentShape(channels: 4, height: 2, width: 3)),
      training: TrainingSchedule())
    while !loop.isFinished {
      let isLast = loop.stepIndex == loop.stepCount - 1
      var calls = 0
      loop.step { _ in calls += 1 }
      #expect(calls == (sampler.isSecondOrder && !isLast ? 2 : 1))
    }
  }

  private static func result(_ sampler: SamplerID, _ options: SamplerOptions) -> Latent {
    var loop = SamplingLoop(
      settings: SamplingSettings(
        sampler: sampler, steps: 5, options: options, seed: 1, rng: .cpu,
        shape: LatentShape(channels: 4, height: 4, width: 4)),
      training: TrainingSchedule())
    while !loop.isFinished { loop.step() }
    return loop.latent
  }
}

/// Noise whose k-th draw is cos k everywhere, scaled.
struct CosineNoise: NoiseSampler {
  let shape: LatentShape
  let scale: Float
  private(set) var drawCount = 0

  init(shape: LatentShape, scale: Float = 1) {
    self.shape = shape
    self.scale = scale
  }

  mutating func noise(from sigma: Float, to nextSigma: Float) -> Latent {
    drawCount += 1
    return Latent(shape: shape, repeating: scale * cos(Float(drawCount)))
  }
}
