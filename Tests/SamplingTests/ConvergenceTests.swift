import Foundation
import Settings
import Testing

@testable import Sampling

/// Checks samplers without noise against the exact solution of an ODE.
@Suite struct ConvergenceTests {
  struct Order: CustomStringConvertible, Sendable {
    let sampler: SamplerID
    let order: Double
    var description: String { "\(sampler.rawValue), order \(order)" }
  }

  /// For data of deviation s the ODE's solution is x(σ) = x(σ_max) √((σ² + s²) / (σ_max² + s²)).
  @Test(arguments: [
    Order(sampler: .euler, order: 1),
    Order(sampler: .eulerAncestral, order: 1),
    Order(sampler: .heun, order: 2),
    Order(sampler: .dpm2, order: 2),
    Order(sampler: .dpm2Ancestral, order: 2),
    Order(sampler: .dpmPP2SAncestral, order: 2),
    Order(sampler: .dpmPPSDE, order: 2),
    Order(sampler: .dpmPP2M, order: 2),
    Order(sampler: .dpmPP2MSDE, order: 2),
    Order(sampler: .dpmPP2MSDEHeun, order: 2),
    Order(sampler: .restart, order: 2),
    // Third order, after a start of first and second order.
    Order(sampler: .dpmPP3MSDE, order: 2),
    // Fourth order, after a start of first order.
    Order(sampler: .lms, order: 2),
  ])
  func `doubling the steps divides the error by two to the power of the order`(expected: Order) {
    // From 20 steps on, Restart goes back to higher levels.
    let steps = expected.sampler == .restart ? [4, 8, 16] : [16, 32, 64]
    let errors = steps.map { Self.error(expected.sampler, steps: $0) }
    let order = log2(errors[0] / errors[2]) / 2
    print("\(expected): errors \(errors), observed order \(order)")
    #expect(order > expected.order - 0.25)
    #expect(errors[1] < errors[0] && errors[2] < errors[1])
  }

  /// The relative error at σ = 0.5 after `steps` steps from σ = 8, evenly spaced in log σ.
  private static func error(_ id: SamplerID, steps: Int) -> Double {
    let high = 8.0
    let low = 0.5
    let deviation = 0.7
    let sigmas = (0...steps).map { Float(high * pow(low / high, Double($0) / Double(steps))) }
    let shape = LatentShape(channels: 1, height: 1, width: 1)
    var sampler = SamplerRegistry.sampler(
      id, options: SamplerOptions(eta: 0), sigmas: sigmas, steps: steps, training: TrainingSchedule())
    var noise: any NoiseSampler = CosineNoise(shape: shape)
    var x = Latent(shape: shape, values: [1])
    var model = CountedModel(Self.gaussian(deviation))
    for i in 0..<steps { sampler.step(i, sigmas: sigmas, x: &x, noise: &noise, model: &model) }
    let exact = sqrt((low * low + deviation * deviation) / (high * high + deviation * deviation))
    return abs(Double(x.values[0]) / exact - 1)
  }

  /// The exact model for images that are noise with this deviation.
  private static func gaussian(_ deviation: Double) -> ToyModel<Never> {
    let variance = Float(deviation * deviation)
    let training = TrainingSchedule()
    return ToyModel<Never>(
      denoise: { x, sigma, _ in
        var denoised = x
        denoised.scale(by: variance / (sigma * sigma + variance))
        return denoised
      },
      predict: { x, timestep in
        // In UniPC, ᾱ is log-linear between two timesteps.
        let low = Int(timestep)
        let (a, b) = (training.alphasCumprod[low], training.alphasCumprod[min(low + 1, 999)])
        let part = Double(timestep - Float(low))
        let alpha = Float(pow(Double(a), 1 - part) * pow(Double(b), part))
        var noise = x
        noise.scale(by: (1 - alpha).squareRoot() / (alpha * variance + 1 - alpha))
        return GuidedNoise(guided: noise, unconditional: noise)
      })
  }

  @Test(
    arguments: [
      // With steps evenly spaced in time, few are at the steep end near zero noise, so multistep methods show less than their
      // order.
      (SamplerID.ddim, UniPCOptions(), 1.0), (.plms, UniPCOptions(), 1.5), (.uniPC, UniPCOptions(), 1.5),
      (.uniPC, UniPCOptions(variant: .bh2, order: 2), 1.5), (.uniPC, UniPCOptions(skipType: .logSNR), 3),
      (.uniPC, UniPCOptions(order: 1), 1),
    ] as [(SamplerID, UniPCOptions, Double)])
  func `samplers of timesteps converge too`(id: SamplerID, options: UniPCOptions, expected: Double) {
    let training = TrainingSchedule()
    func error(_ steps: Int) -> Double {
      let shape = LatentShape(channels: 1, height: 1, width: 1)
      var sampler = SamplerRegistry.sampler(
        id, options: SamplerOptions(uniPC: options), sigmas: [], steps: steps, training: training)
      var noise: any NoiseSampler = CosineNoise(shape: shape)
      var x = Latent(shape: shape, values: [1])
      var model = CountedModel(Self.gaussian(0.7))
      for i in 0..<sampler.stepCount(sigmas: []) {
        sampler.step(i, sigmas: [], x: &x, noise: &noise, model: &model)
      }
      let timesteps = Timesteps(count: steps, training: training)
      let first = Double(id == .uniPC ? training.alphasCumprod[999] : timesteps.alphas[timesteps.alphas.count - 1])
      let last = Double(id == .uniPC ? training.alphasCumprod[0] : timesteps.alphas[0])
      let exact = sqrt((last * 0.49 + 1 - last) / (first * 0.49 + 1 - first))
      return abs(Double(x.values[0]) / exact - 1)
    }
    let errors = [10, 20, 40].map(error)
    let order = log2(errors[0] / errors[2]) / 2
    print("\(id.rawValue) \(options): errors \(errors), observed order \(order)")
    #expect(order > expected - 0.35)
  }

  @Test func `the Lagrange basis is integrated exactly`() {
    // t³ from its own values at four nodes, and 1 from two: the integrals of the interpolating polynomials.
    let nodes = [3.0, 4.5, 5, 8]
    let cube = nodes.indices.reduce(0) {
      $0 + pow(nodes[$1], 3) * LMS.lagrangeIntegral($1, nodes: nodes, from: 3, to: 2)
    }
    #expect(abs(cube - (16.0 - 81.0) / 4) < 1e-12)
    let one =
      LMS.lagrangeIntegral(0, nodes: [2, 3], from: 2, to: 1) + LMS.lagrangeIntegral(1, nodes: [2, 3], from: 2, to: 1)
    #expect(abs(one + 1) < 1e-14)
  }
}
