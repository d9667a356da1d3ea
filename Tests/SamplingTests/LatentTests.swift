import Foundation
import Testing

@testable import Sampling

@Suite struct LatentTests {
  static let shape = LatentShape(channels: 1, height: 2, width: 2)
  static let x = Latent(shape: shape, values: [1, -2, 3, 0.5])
  static let y = Latent(shape: shape, values: [4, 1, -1, 2])

  @Test func `operations compute their formulas`() {
    var sum = Self.x
    sum.add(2, Self.y)
    #expect(sum.values == [9, 0, 1, 4.5])
    var blend = Self.x
    blend.scale(by: 0.5, adding: -1, Self.y)
    #expect(blend.values == [-3.5, -2, 2.5, -1.75])
    #expect(Self.x.difference(from: Self.y, dividedBy: 2).values == [-1.5, -1.5, 2, -0.75])
    var quotient = Self.x
    quotient.divide(by: -2)
    #expect(quotient.values == [-0.5, 1, -1.5, -0.25])
  }

  @Test func `coding keeps every bit, even of NaN`() throws {
    let odd = Latent(shape: Self.shape, values: [.nan, -.infinity, -0.0, .leastNonzeroMagnitude])
    let copy = try JSONDecoder().decode(Latent.self, from: JSONEncoder().encode(odd))
    #expect(copy.values.map(\.bitPattern) == odd.values.map(\.bitPattern))
  }

  @Test func `both predictions recover the image from a perfect network's output`() {
    let sigma: Float = 2
    let image = Self.x
    let noise = Self.y
    var x = image
    x.add(sigma, noise)
    #expect(maxDifference(Prediction.epsilon.denoised(x, output: noise, sigma: sigma).values, image.values) < 1e-6)
    // v = α · noise − √(1 − α²) · image with α = 1 / √(σ² + 1)
    let alpha = 1 / (sigma * sigma + 1).squareRoot()
    var velocity = noise
    velocity.scale(by: alpha, adding: -sigma * alpha, image)
    let denoised = Prediction.vPrediction.denoised(x, output: velocity, sigma: sigma)
    #expect(maxDifference(denoised.values, image.values) < 1e-6)
  }

  @Test func `the network's input has unit variance for noise and image of unit variance`() {
    let input = Prediction.epsilon.networkInput(Self.x, sigma: 3)
    #expect(maxDifference(input.values, Self.x.values.map { $0 / Float(10).squareRoot() }) < 1e-6)
  }
}
