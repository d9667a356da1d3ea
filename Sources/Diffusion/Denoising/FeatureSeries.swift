import Foundation
import Sampling
import Settings
import Tensors

/// The late features of one prompt in the calls of a pass that computed them, and their forecast for another call.
///
/// Each feature is modelled as a polynomial of the noise level: a sum of Chebyshev polynomials T_0 to T_4 of τ. The
/// coefficients minimise the squared errors plus λ times their own squares (ridge regression). τ goes from -1 at the highest
/// noise level of the training to 1 at the lowest, evenly in log sigma.
///
/// Source: Han et al. 2026, "Adaptive Spectral Feature Forecasting for Diffusion Sampling Acceleration", arXiv:2603.01623, with
/// the same λ and number of polynomials. In the paper τ counts steps; noise levels also work for samplers that call twice a
/// step or go back.
///
/// The features themselves are not kept: Σ T(τ) · T(τ)ᵀ and Σ T(τ) · feature are enough, for any number of calls.
struct FeatureSeries: Hashable {
  /// The number of Chebyshev polynomials.
  static let terms = 5
  /// λ.
  private static let ridge = 0.1

  /// The number of calls that computed the features.
  private(set) var count = 0
  /// The last of these calls.
  private(set) var lastCall = 0
  /// The number of consecutive calls that were forecast since then.
  private(set) var forecasts = 0
  /// The shape of one call's features.
  let shape: LatentShape
  /// Σ T(τ) · T(τ)ᵀ.
  private var products: [Double]
  /// Σ T(τ) · feature: all features for T_0, then for T_1, and so on.
  private var sums: [Float]

  /// Creates a series without calls, for features of this shape.
  init(_ shape: LatentShape) {
    self.shape = shape
    products = Array(repeating: 0, count: Self.terms * Self.terms)
    sums = Array(repeating: 0, count: Self.terms * shape.count)
  }

  /// The Chebyshev polynomials at τ.
  static func polynomials(_ tau: Double) -> [Double] {
    var values = [1, tau]
    while values.count < terms { values.append(2 * tau * values[values.count - 1] - values[values.count - 2]) }
    return values
  }

  // MARK: Calls

  /// Adds the features of a call.
  ///
  /// - Parameters:
  ///   - features: `[images, height, width, channels]` in fp32.
  ///   - image: The index of the image whose features are added.
  ///   - tau: The noise level of the call.
  ///   - call: The number of the call.
  ///   - compute: The machine and numerics to use.
  mutating func add(_ features: Tensor, image: Int, tau: Double, call: Int, _ compute: Compute) {
    let values = Self.polynomials(tau)
    for row in 0..<Self.terms {
      for column in 0..<Self.terms { products[row * Self.terms + column] += values[row] * values[column] }
    }
    let source = features.pixel(image, 0, 0)
    let size = shape.count
    sums.withUnsafeMutableBufferPointer { buffer in
      let sums = buffer
      compute.pool.run(Self.terms) { term in
        let factor = Float(values[term])
        for index in 0..<size { sums[term * size + index] += factor * source[index] }
      }
    }
    (count, lastCall, forecasts) = (count + 1, call, 0)
  }

  /// Turns the series of one prompt into an estimate of another prompt's: the features of all calls are shifted by how much the
  /// two prompts differ in one call.
  ///
  /// - Parameters:
  ///   - features: The features of that call, `[images, height, width, channels]` in fp32.
  ///   - origin: The index of the image of the prompt whose series this is.
  ///   - image: The index of the image of the other prompt.
  ///   - compute: The machine and numerics to use.
  mutating func shift(_ features: Tensor, from origin: Int, to image: Int, _ compute: Compute) {
    // T_0 is 1, so the first row of `products` is Σ T.
    let factors = products[0..<Self.terms].map { Float($0) }
    let (old, new) = (features.pixel(origin, 0, 0), features.pixel(image, 0, 0))
    let size = shape.count
    sums.withUnsafeMutableBufferPointer { buffer in
      let sums = buffer
      compute.pool.run(Self.terms) { term in
        for index in 0..<size { sums[term * size + index] += factors[term] * (new[index] - old[index]) }
      }
    }
  }

  /// Writes the forecast features at a noise level.
  ///
  /// - Parameters:
  ///   - features: `[images, height, width, channels]` in fp32.
  ///   - image: The index of the image to write.
  ///   - tau: The noise level.
  ///   - compute: The machine and numerics to use.
  mutating func forecast(into features: Tensor, image: Int, tau: Double, _ compute: Compute) {
    forecasts += 1
    let weights = weights(tau).map { Float($0) }
    let target = features.pixel(image, 0, 0)
    let (rows, size, step) = (shape.height, shape.count, shape.count / shape.height)
    sums.withUnsafeBufferPointer { sums in
      compute.pool.run(rows) { row in
        for index in row * step..<(row + 1) * step {
          var sum = weights[0] * sums[index]
          for term in 1..<Self.terms { sum += weights[term] * sums[term * size + index] }
          target[index] = sum
        }
      }
    }
  }

  /// The weight of each sum at a noise level: (Σ T · Tᵀ + λ)⁻¹ · T(τ), by Cholesky decomposition.
  private func weights(_ tau: Double) -> [Double] {
    let n = Self.terms
    var lower = products
    for i in 0..<n { lower[i * n + i] += Self.ridge }
    for i in 0..<n {
      for j in 0...i {
        var sum = lower[i * n + j]
        for k in 0..<j { sum -= lower[i * n + k] * lower[j * n + k] }
        lower[i * n + j] = i == j ? sum.squareRoot() : sum / lower[j * n + j]
      }
    }
    var weights = Self.polynomials(tau)
    for i in 0..<n {
      for k in 0..<i { weights[i] -= lower[i * n + k] * weights[k] }
      weights[i] /= lower[i * n + i]
    }
    for i in (0..<n).reversed() {
      for k in i + 1..<n { weights[i] -= lower[k * n + i] * weights[k] }
      weights[i] /= lower[i * n + i]
    }
    return weights
  }
}

/// In a saved image, the sums are raw numbers.
extension FeatureSeries: Codable {
  private enum CodingKeys: String, CodingKey {
    case count, lastCall, forecasts, shape, products, sums
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    self.init(try container.decode(LatentShape.self, forKey: .shape))
    count = try container.decode(Int.self, forKey: .count)
    lastCall = try container.decode(Int.self, forKey: .lastCall)
    forecasts = try container.decode(Int.self, forKey: .forecasts)
    products = try container.decode([Double].self, forKey: .products)
    let bytes = try container.decode(Data.self, forKey: .sums)
    guard products.count == Self.terms * Self.terms, shape.height > 0, bytes.count == Self.terms * shape.count * 4
    else {
      throw DecodingError.dataCorruptedError(
        forKey: .sums, in: container, debugDescription: "\(bytes.count) bytes are not the features of \(shape)")
    }
    sums = bytes.withUnsafeBytes { raw in
      (0..<bytes.count / 4).map {
        Float(bitPattern: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
      }
    }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(count, forKey: .count)
    try container.encode(lastCall, forKey: .lastCall)
    try container.encode(forecasts, forKey: .forecasts)
    try container.encode(shape, forKey: .shape)
    try container.encode(products, forKey: .products)
    let bits = sums.map { $0.bitPattern.littleEndian }
    try container.encode(bits.withUnsafeBytes { Data($0) }, forKey: .sums)
  }
}
