import Foundation
import Jobs
import Testing

@testable import Sampling

/// Samplers without noise against the exact solution of an ODE.
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
    // Third order, after a start of first and second order.
    Order(sampler: .dpmPP3MSDE, order: 2),
    // Fourth order, after a start of first order.
    Order(sampler: .lms, order: 2),
  ])
  func `halving the steps divides the error by two to the order`(expected: Order) {
    let errors = [16, 32, 64].map { Self.error(expected.sampler, steps: $0) }
    let order = log2(errors[0] / errors[2]) / 2
    print("\(expected): errors \(errors), observed order \(order)")
    #expect(order > expected.order - 0.25)
    #expect(errors[1] < errors[0] && errors[2] < errors[1])
  }

  /// The relative error at σ = 0.5 after that many steps from σ = 8, even in log σ.
  private static func error(_ id: SamplerID, steps: Int) -> Double {
    let high = 8.0
    let low = 0.5
    let deviation = 0.7
    let sigmas = (0...steps).map { Float(high * pow(low / high, Double($0) / Double(steps))) }
    let shape = LatentShape(channels: 1, height: 1, width: 1)
    var sampler = SamplerRegistry.sampler(id, options: SamplerOptions(eta: 0))
    var noise: any NoiseSampler = CosineNoise(shape: shape)
    var x = Latent(shape: shape, values: [1])
    for i in 0..<steps {
      sampler.step(i, sigmas: sigmas, x: &x, noise: &noise) { x, sigma in
        let variance = Float(deviation * deviation)
        var denoised = x
        denoised.scale(by: variance / (sigma * sigma + variance))
        return denoised
      }
    }
    let exact = sqrt((low * low + deviation * deviation) / (high * high + deviation * deviation))
    return abs(Double(x.values[0]) / exact - 1)
  }

  @Test func `the Lagrange basis is integrated exactly`() {
    // t³ through its own values at four nodes, and 1 at two: the integrals of the interpolating polynomials.
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
