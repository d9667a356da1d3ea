import Settings
import Testing

@testable import Sampling

@Suite struct ScheduleTests {
  struct Index: Decodable {
    struct Training: Decodable { let name: String, values: Span }
    struct Mapping: Decodable { let name: String, from: Span, to: Span }
    struct Schedule: Decodable { let schedule: ScheduleID, steps: Int, discards: Bool, sigmas: Span }
    let training: [Training]
    let mapping: [Mapping]
    let schedules: [Schedule]
  }

  let training = TrainingSchedule()
  let fixture: Fixture<Index>

  init() throws {
    fixture = try Fixture("schedules", as: Index.self)
  }

  @Test func `the training table is PyTorch's`() throws {
    let alphas = try #require(fixture.index.training.first { $0.name == "alphas_cumprod" })
    #expect(training.alphasCumprod == fixture[alphas.values])
    // PyTorch's square root is MKL's, with errors of up to 3/4 of a unit in the last place; ours is correctly rounded.
    let sigmas = try #require(fixture.index.training.first { $0.name == "sigmas" })
    let difference = maxRelativeDifference(training.sigmas, fixture[sigmas.values])
    print("training sigmas: max relative difference \(difference)")
    #expect(difference < 1.3e-7)
  }

  @Test func `the training table has the webui's published values`() {
    #expect((training.alphasCumprod[0] - 0.99914998).magnitude < 1e-7)
    #expect((training.alphasCumprod[1] - 0.99829602).magnitude < 1e-7)
    #expect((training.alphasCumprod[500] - 0.27633268).magnitude < 1e-7)
    #expect((training.alphasCumprod[999] - 0.004660098).magnitude < 1e-9)
    #expect((training.sigmaMin - 0.0291675348).magnitude < 2e-9)
    #expect((training.sigmaMax - 14.6146421).magnitude < 1e-6)
    #expect((training.timestep(forSigma: 1) - 353.89038).magnitude < 1e-4)
    let quantized = TrainingSchedule(isQuantized: true)
    #expect(quantized.timestep(forSigma: 1) == 354)
    // k-diffusion's definition: the index with the smallest distance of logarithms; of equal ones, the first.
    let logs = training.sigmas.map(Float.log)
    for sigma in stride(from: Float(0.02), to: 16, by: 0.0137) {
      let distances = logs.map { (Float.log(sigma) - $0).magnitude }
      let nearest = distances.firstIndex(of: distances.min() ?? 0) ?? -1
      #expect(quantized.timestep(forSigma: sigma) == Float(nearest))
    }
    var job = PassSettings()
    #expect(TrainingSchedule(job) == training)
    job.enableQuantization = true
    #expect(TrainingSchedule(job) == quantized)
    // Each level has its own timestep; beyond the ends, it is the timestep of the end.
    for index in [0, 1, 500, 998, 999] {
      #expect(quantized.timestep(forSigma: quantized.sigmas[index]) == Float(index))
    }
    #expect(quantized.timestep(forSigma: 0.001) == 0 && quantized.timestep(forSigma: 100) == 999)
    #expect((training.sigma(atTimestep: 500.5) - 1.6209832).magnitude < 1e-6)
  }

  @Test func `sigmas and fractional timesteps map onto each other as in k-diffusion`() throws {
    for mapping in fixture.index.mapping {
      let map = mapping.name == "sigma to timestep" ? training.timestep(forSigma:) : training.sigma(atTimestep:)
      let difference = maxDifference(fixture[mapping.from].map(map), fixture[mapping.to])
      print("\(mapping.name): max difference \(difference)")
      // One unit in the last place of log sigma is 2.4e-7; a timestep at the top spans 0.006 of log sigma, one at the
      // bottom 0.4, so timesteps differ by 1e-4 at most, and sigmas by 1e-5.
      #expect(difference < (mapping.name == "sigma to timestep" ? 2e-4 : 2e-5))
    }
  }

  @Test func `timesteps outside the trained range are clamped`() {
    #expect(training.timestep(forSigma: 0.001) == 0)
    #expect(training.timestep(forSigma: 100) == 999)
  }

  @Test func `every schedule is k-diffusion's`() {
    var largest: Float = 0
    for row in fixture.index.schedules {
      let sampler: SamplerID = row.discards ? .dpmPP3MSDE : .euler
      let sigmas = SigmaSchedule.sigmas(row.schedule, for: sampler, steps: row.steps, training: training)
      #expect(sigmas.count == row.steps + 1)
      #expect(sigmas.last == 0)
      let difference = maxRelativeDifference(sigmas, fixture[row.sigmas])
      largest = max(largest, difference)
      // A few units in the last place, from the training table and from log sigma.
      #expect(difference < 6e-7, "\(row.schedule), \(row.steps) steps")
    }
    print("schedules: max relative difference \(largest)")
  }

  @Test(arguments: [
    (
      ScheduleID.uniform,
      [14.6146, 7.83988, 4.60917, 2.91831, 1.95016, 1.34493, 0.932358, 0.624977, 0.368658, 0.0291675, 0] as [Float]
    ),
    (
      .karras,
      [14.6146, 9.10293, 5.4784, 3.16861, 1.74942, 0.914077, 0.446921, 0.2014, 0.0819111, 0.0291675, 0]
    ),
    (
      .exponential,
      [14.6146, 7.32488, 3.67124, 1.84003, 0.922227, 0.462222, 0.231666, 0.116111, 0.0581952, 0.0291675, 0]
    ),
    (
      .polyexponential,
      [14.6146, 7.32488, 3.67124, 1.84003, 0.922227, 0.462222, 0.231666, 0.116111, 0.0581952, 0.0291675, 0]
    ),
    (.normal, [14.6146, 7.83988, 4.60917, 2.91831, 1.95016, 1.34493, 0.932358, 0.624977, 0.368658, 0.0291675, 0]),
    (.sgmUniform, [14.6146, 8.30717, 5.09241, 3.32507, 2.27973, 1.61558, 1.16286, 0.831884, 0.571189, 0.343705, 0]),
    (
      .klOptimal,
      [14.6146, 4.56504, 2.63289, 1.78645, 1.29477, 0.961588, 0.711627, 0.50942, 0.335638, 0.178347, 0.0291675]
    ),
    (.alignYourSteps, [14.615, 6.11351, 3.56511, 2.39387, 1.64996, 1.13579, 0.742518, 0.445007, 0.169205, 0.029, 0]),
    (.simple, [14.6146, 8.3028, 5.08776, 3.32108, 2.27646, 1.61289, 1.16058, 0.82986, 0.569285, 0.341674, 0]),
    (.ddim, [8.39069, 5.13443, 3.34776, 2.29285, 1.62369, 1.16822, 0.835653, 0.57405, 0.346187, 0.0413145, 0]),
    (.beta, [14.6146, 13.9278, 12.491, 10.5976, 8.44244, 6.20137, 4.0462, 2.15283, 0.716024, 0.0291675, 0]),
    (
      .karras,
      [
        14.6146, 11.7254, 9.34021, 7.38363, 5.78942, 4.49984, 3.46475, 2.64085, 1.99092, 1.48322, 1.09079, 0.790949,
        0.564725, 0.396392, 0.27304, 0.184169, 0.121342, 0.0778608, 0.0484819, 0.0291675, 0,
      ]
    ),
  ])
  func `schedules have the webui's published values`(schedule: ScheduleID, published: [Float]) {
    let sigmas = SigmaSchedule.sigmas(schedule, for: .euler, steps: published.count - 1, training: training)
    // The published values have six digits.
    #expect(maxRelativeDifference(sigmas, published) < 5e-6)
  }

  @Test func `the DDIM schedule has a length of its own`() {
    func count(_ steps: Int) -> Int {
      SigmaSchedule.sigmas(.ddim, for: .euler, steps: steps, training: training).count - 1
    }
    #expect(count(10) == 10)
    #expect(count(30) == 31)
    #expect(count(7) == 8)
  }

  @Test func `eleven steps of Align Your Steps equal its table`() {
    let table: [Float] = [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029, 0]
    #expect(SigmaSchedule.sigmas(.alignYourSteps, for: .euler, steps: 11, training: training) == table)
  }

  @Test func `half precision gives the noise levels of old versions`() {
    let half = TrainingSchedule(isDowncast: true)
    #expect(half.sigmaMin == 0.03125)
    #expect(half.sigmaMax == 14.609375)
  }

  @Test func `a zero terminal signal-to-noise ratio ends near zero`() {
    let stretched = TrainingSchedule(noise: .zeroTerminalSNR)
    #expect(stretched.alphasCumprod[999] == 4.8973451890853435e-08)
    #expect((stretched.alphasCumprod[0] - training.alphasCumprod[0]).magnitude < 1e-6)
    let root = (0.27633268 as Float).squareRoot() - (0.004660098 as Float).squareRoot()
    let whole = (0.99914998 as Float).squareRoot()
    let expected = root * whole / (whole - (0.004660098 as Float).squareRoot())
    #expect((stretched.alphasCumprod[500] - expected * expected).magnitude < 1e-6)
  }

  @Test(arguments: SamplerID.allCases)
  func `automatic is the sampler's own schedule`(sampler: SamplerID) {
    let own: ScheduleID = sampler.defaultSchedule == .automatic ? .uniform : sampler.defaultSchedule
    #expect(
      SigmaSchedule.sigmas(.automatic, for: sampler, steps: 9, training: training)
        == SigmaSchedule.sigmas(own, for: sampler, steps: 9, training: training))
  }

  @Test func `discarding the penultimate sigma keeps the number of steps`() {
    let discarding = SigmaSchedule.sigmas(.karras, for: .dpm2, steps: 10, training: training)
    let longer = SigmaSchedule.sigmas(.karras, for: .euler, steps: 11, training: training)
    #expect(discarding == longer[..<10] + [0])
  }
}
