import Foundation
import Settings
import Testing

@testable import Sampling

/// Checks the sampling of models that are trained by flow matching against PyTorch and k-diffusion.
@Suite struct FlowSamplingTests {
  struct Index: Decodable {
    struct Case: Decodable, CustomStringConvertible, Sendable {
      struct Options: Decodable { let eta, s_noise: Double? }
      let family: FamilyID, sampler: SamplerID, schedule: ScheduleID, steps: Int, seed: Int64, rng: NoiseSourceID
      let shape: [Int], options: Options, strength: Double?, extra: Double, sigmas: Span, calls: Span, result: Span

      var description: String {
        "\(family), \(sampler.rawValue), \(schedule), \(steps) steps, seed \(seed), \(rng), strength \(strength ?? 1)"
      }

      /// The settings of a job with this pass.
      var job: PassSettings {
        var job = PassSettings()
        job.model = ModelReference(name: "model", path: "/model", family: family)
        (job.sampler, job.scheduler, job.steps, job.seed, job.rng) = (sampler, schedule, steps, seed, rng)
        let place = job.traits.geometry.pixelsPerPlace
        (job.height, job.width) = (shape[1] * place, shape[2] * place)
        if let eta = options.eta { job.eta = eta }
        if let noise = options.s_noise { job.sNoise = noise }
        return job
      }

      var settings: SamplingSettings {
        var settings = SamplingSettings(job, channels: shape[0])
        settings.denoisingStrength = strength
        if extra != 0 { settings.extraNoise = extra }
        return settings
      }

      var loop: SamplingLoop {
        let training = TrainingSchedule(flow: job)
        guard strength != nil else { return SamplingLoop(settings: settings, training: training) }
        let shape = LatentShape(shape)
        let latent = Latent(shape: shape, values: (0..<shape.count).map { Float(sin(Double($0))) })
        return SamplingLoop(over: latent, settings: settings, training: training, earlierSteps: 0)
      }
    }
    struct Curve: Decodable { let width, height, steps: Int, sigmas: Span }
    let cases: [Case]
    let curves: [Curve]
  }

  /// The denoised latent for a velocity that is nonlinear in x and depends on σ.
  static func toy(_ x: Latent, _ sigma: Float) -> Latent {
    let output = Latent(shape: x.shape, values: x.values.map { 1.5 * $0 / (1 + $0.magnitude) + sigma * 0.25 })
    return Prediction.flow.denoised(x, output: output, sigma: sigma)
  }

  static func model(_ onCall: @escaping (Float) -> Void = { _ in }) -> ToyModel<Never> {
    ToyModel(
      denoise: { x, sigma, _ in
        onCall(sigma)
        return toy(x, sigma)
      },
      predict: { x, _ in GuidedNoise(guided: x, unconditional: x) })
  }

  /// The levels of k-diffusion.
  static let samplers = SamplerID.allCases.filter { $0.runsInFlow && $0 != .erSDE && $0 != .resMultistep }

  @Test(arguments: samplers)
  func `every sampler gives the result of k-diffusion through every schedule of every family`(
    sampler: SamplerID
  ) throws {
    let fixture = try Fixture("flow", as: Index.self)
    let cases = fixture.index.cases.filter { $0.sampler == sampler }
    #expect(cases.count >= 60)
    var largest: Float = 0
    for row in cases {
      var loop = row.loop
      #expect(maxDifference(loop.sigmas, fixture[row.sigmas]) < 1e-6, "\(row)")
      var calls: [Float] = []
      while !loop.isFinished { loop.step(model: Self.model { calls.append($0) }) }
      #expect(maxDifference(calls, fixture[row.calls]) < 1e-6, "\(row)")
      let difference = maxDifference(loop.latent.values, fixture[row.result])
      largest = max(largest, difference)
      #expect(difference < 3e-5, "\(row)")
    }
    print("\(sampler.rawValue) in flow: max difference \(largest) in \(cases.count) cases")
  }

  @Test func `FLUX.2's curve is that of diffusers at every size and number of steps`() throws {
    let fixture = try Fixture("flow", as: Index.self)
    for curve in fixture.index.curves {
      let sigmas = SigmaSchedule.sigmas(
        .flux2, for: .euler, steps: curve.steps, training: TrainingSchedule(flow: Self.job(.klein)),
        tokens: curve.width / 16 * (curve.height / 16))
      #expect(maxDifference(sigmas, fixture[curve.sigmas]) < 2e-7, "\(curve)")
    }
  }

  static func job(_ family: FamilyID) -> PassSettings {
    var job = PassSettings()
    job.model = ModelReference(name: "model", path: "/model", family: family)
    return job
  }

  @Test func `the schedules have the published values`() {
    func sigmas(_ family: FamilyID, _ schedule: ScheduleID, _ steps: Int, shift: Double = 0) -> [Float] {
      var job = Self.job(family)
      job.shift = shift
      return SigmaSchedule.sigmas(schedule, for: .euler, steps: steps, training: TrainingSchedule(flow: job))
    }
    let published: [(FamilyID, ScheduleID, [Float])] = [
      (.sd3, .uniform, [1, 0.947426, 0.882498, 0.80028, 0.692804, 0.546321, 0.334885, 0.00299401, 0]),
      (.sd3, .sgmUniform, [1, 0.954595, 0.90012, 0.833555, 0.750375, 0.643469, 0.500998, 0.301677, 0]),
      (.zImage, .simple, [1, 0.954545, 0.9, 0.833333, 0.75, 0.642857, 0.5, 0.3, 0]),
      (.sd35Large, .beta, [1, 0.929071, 0.783798, 0.599772, 0.403222, 0.219196, 0.073923, 0.00299401, 0]),
      (.flux1Dev, .simple, [1, 0.956724, 0.904531, 0.840349, 0.759511, 0.654567, 0.512844, 0.310901, 0]),
      (.flux1Schnell, .simple, [1, 0.890768, 0.731059, 0.475367, 0]),
      (.klein, .simple, [1, 0.957654, 0.882881, 0.715325, 0]),
      (.klein, .beta, [1, 0.972502, 0.882922, 0.616551, 0]),
      (.klein, .flux2, [1, 0.958085, 0.883982, 0.717497, 0]),
    ]
    for (family, schedule, values) in published {
      #expect(
        maxDifference(sigmas(family, schedule, values.count - 1), values) < 1e-6, "\(family), \(schedule)")
    }
    // A shift of 1 does not change the noise levels.
    #expect(maxDifference(sigmas(.flux1Schnell, .simple, 4, shift: 1), [1, 0.75, 0.5, 0.25, 0]) < 1e-6)
    #expect(maxDifference(sigmas(.klein, .flux2, 4, shift: 1), [1, 0.75, 0.5, 0.25, 0]) < 1e-6)
  }

  @Test func `the network is told a thousand sigmas and gets the latent as it is`() {
    let training = TrainingSchedule(flow: Self.job(.sd3))
    #expect(training.networkTimestep(forSigma: 0.75) == 750)
    let x = Latent(shape: LatentShape(channels: 1, height: 1, width: 2), values: [3, -1])
    #expect(Prediction.flow.networkInput(x, sigma: 0.5) == x)
    #expect(TrainingSchedule().networkTimestep(forSigma: 1) == TrainingSchedule().timestep(forSigma: 1))
  }

  @Test(arguments: samplers, [FamilyID.sd3, .flux1Dev, .klein])
  func `an image stopped, saved and resumed after any step has the same bits`(
    sampler: SamplerID, family: FamilyID
  ) throws {
    let fixture = try Fixture("flow", as: Index.self)
    let row = try #require(
      fixture.index.cases.first { $0.sampler == sampler && $0.family == family && $0.schedule == .automatic })
    var whole = row.loop
    while !whole.isFinished { whole.step(model: Self.model()) }
    for stop in 0...whole.stepCount {
      var loop = row.loop
      while loop.stepIndex < stop { loop.step(model: Self.model()) }
      let encoder = PropertyListEncoder()
      encoder.outputFormat = .binary
      var resumed = try PropertyListDecoder().decode(SamplingLoop.self, from: encoder.encode(loop))
      while !resumed.isFinished { resumed.step(model: Self.model()) }
      #expect(resumed.latent.values.map(\.bitPattern) == whole.latent.values.map(\.bitPattern), "stopped at \(stop)")
    }
  }

  @Test(arguments: FamilyID.allCases.filter { $0.traits.flow != nil }, samplers)
  func `no number of steps and no schedule makes levels or latents that are not finite`(
    family: FamilyID, sampler: SamplerID
  ) {
    for schedule in ScheduleID.allCases {
      for steps in [1, 2, 3, 7, 1000, 10_000] where steps <= 7 || schedule == .simple || schedule == .flux2 {
        var job = Self.job(family)
        (job.sampler, job.scheduler, job.steps) = (sampler, schedule, steps)
        var image = ImageSettings(job)
        guard image.familyRefusals.isEmpty else { continue }
        image.width = 32
        image.height = 32
        let training = TrainingSchedule(flow: image.base)
        let settings = SamplingSettings(image.base, channels: 2)
        #expect(SamplingLoop.hasFiniteLevels(settings, training: training))
        guard steps <= 7 else { continue }
        var loop = SamplingLoop(settings: settings, training: training)
        while !loop.isFinished { loop.step(model: Self.model()) }
        #expect(loop.latent.values.allSatisfy { $0.isFinite }, "\(family), \(sampler.rawValue), \(schedule), \(steps)")
      }
    }
  }
}
