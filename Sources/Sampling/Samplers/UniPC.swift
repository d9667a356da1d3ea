import Foundation
import Settings

/// A predictor and a corrector of any order that share their model calls, in λ = log(α / σ).
///
/// It predicts images, not noise, and takes as many steps as DDIM has timesteps. Coefficients are in double precision.
/// Source: Zhao et al. 2023, "UniPC", arXiv:2302.04867, and its authors' multistep code.
struct UniPC: Sampler {
  let options: UniPCOptions
  /// The levels between the steps, one more than there are steps.
  private let levels: [Level]
  /// Images at earlier levels, the newest last; empty before the first step.
  private var images: [Latent] = []

  /// A point on the path from noise to image.
  struct Level: Codable {
    /// The network's input for the noise level.
    var timestep: Double
    var alpha: Double
    var sigma: Double
    var lambda: Double
  }

  /// Creates a sampler before its first step. It starts at the time `start`; 1 is pure noise.
  init(options: UniPCOptions, steps: Int, training: TrainingSchedule, start: Double = 1) {
    levels = UniPCTime(training).levels(options.skipType, steps: steps, from: start)
    self.options = options
  }

  private var steps: Int { levels.count - 1 }
  private var order: Int { min(max(options.order, 1), steps) }

  func stepCount(sigmas: [Float]) -> Int { steps }

  mutating func step<Model: GuidedModel>(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, model: inout CountedModel<Model>
  ) throws(Model.Failure) {
    if i == 0 { images = [try image(x, at: levels[0], model: &model)] }
    let here = levels[i]
    let next = levels[i + 1]
    let last = images[images.count - 1]
    // The order grows as far as the history allows, and decreases at the end so that the last step is of first order.
    let isWarm = i + 1 >= self.order
    let order = min(self.order, isWarm ? options.lowerOrderFinal ? steps - i : self.order : i + 1)

    let h = next.lambda - here.lambda
    var ratios: [Double] = []
    var slopes: [Latent] = []
    for k in 1..<max(order, 1) {
      let ratio = (levels[i - k].lambda - here.lambda) / h
      ratios.append(ratio)
      slopes.append(images[images.count - 1 - k].difference(from: last, dividedBy: Float(ratio)))
    }
    ratios.append(1)

    var base = x
    base.scale(by: Float(next.sigma / here.sigma), adding: Float(-next.alpha * expm1(-h)), last)
    let weights = UniPCWeights(variant: options.variant, h: h, ratios: ratios)
    x = base
    for (weight, slope) in zip(weights.predictor, slopes) { x.add(Float(-next.alpha * weight), slope) }
    // Correcting the image at the last level would only change the result itself.
    guard i + 1 < steps else { return }
    let image = try image(x, at: next, model: &model)
    x = base
    slopes.append(image.difference(from: last))
    for (weight, slope) in zip(weights.corrector, slopes) { x.add(Float(-next.alpha * weight), slope) }
    images.append(image)
    if images.count > self.order { images.removeFirst() }
  }

  /// (x − σ · noise) / α
  private func image<Model: GuidedModel>(
    _ x: Latent, at level: Level, model: inout CountedModel<Model>
  ) throws(Model.Failure) -> Latent {
    var image = x
    image.add(Float(-level.sigma), try model.noise(x, timestep: Float(level.timestep)).guided)
    image.divide(by: Float(level.alpha))
    return image
  }
}

/// The weights of the slopes in one step of UniPC, before the factor −α.
struct UniPCWeights {
  private(set) var predictor: [Double] = []
  private(set) var corrector: [Double] = []

  /// The weights for a step of length `h` in λ; `ratios` are the positions of earlier images in units of `h`, then 1.
  init(variant: UniPCVariant, h: Double, ratios: [Double]) {
    let order = ratios.count
    // φ_k(−h), k from 1.
    var phi: [Double] = []
    var next = expm1(-h)
    var factorial = 1.0
    for k in 1...(order + 1) {
      phi.append(next)
      next = next / -h - 1 / factorial
      factorial *= Double(k + 1)
    }
    if variant == .varyCoeff {
      varying(phi: phi, ratios: ratios)
      return
    }
    let scale = variant == .bh1 ? -h : expm1(-h)
    var rows: [[Double]] = []
    var right: [Double] = []
    factorial = 1
    for i in 1...order {
      rows.append(ratios.map { pow($0, Double(i - 1)) })
      right.append(phi[i] * factorial / scale)
      factorial *= Double(i + 1)
    }
    if order == 2 {
      predictor = [0.5]
    } else if order > 2 {
      predictor = LinearSystem.solve(rows.dropLast().map { Array($0.dropLast()) }, Array(right.dropLast()))
    }
    corrector = order == 1 ? [0.5] : LinearSystem.solve(rows, right)
    predictor = predictor.map { $0 * scale }
    corrector = corrector.map { $0 * scale }
  }

  /// The variant whose weights come from the inverse of the Taylor coefficients. Its corrector takes the newest slope's weight
  /// from the second-to-last row, as the authors' code does.
  private mutating func varying(phi: [Double], ratios: [Double]) {
    let order = ratios.count
    let taylor = ratios.map { ratio in
      (0..<order).map { k in (1..<(k + 2)).reduce(1 / ratio) { $0 * ratio / Double($1) } }
    }
    func inverseRow(_ k: Int, size: Int) -> [Double] {
      let columns = (0..<size).map { row in (0..<size).map { taylor[$0][row] } }
      var unit = [Double](repeating: 0, count: size)
      unit[k] = 1
      return LinearSystem.solve(columns, unit)
    }
    predictor = [Double](repeating: 0, count: order - 1)
    corrector = [Double](repeating: 0, count: order)
    for k in 0..<(order - 1) {
      for (j, value) in inverseRow(k, size: order - 1).enumerated() { predictor[j] += phi[k + 1] * value }
      for (j, value) in inverseRow(k, size: order).dropLast().enumerated() { corrector[j] += phi[k + 1] * value }
    }
    corrector[order - 1] = phi[order] * inverseRow(max(order - 2, 0), size: order)[order - 1]
  }
}

/// Small systems of linear equations.
enum LinearSystem {
  /// The solution of rows · x = right, by Gaussian elimination with the largest pivot.
  static func solve(_ rows: [[Double]], _ right: [Double]) -> [Double] {
    var a = zip(rows, right).map { $0 + [$1] }
    let n = right.count
    for column in 0..<n {
      let pivot = (column..<n).max { a[$0][column].magnitude < a[$1][column].magnitude } ?? column
      a.swapAt(column, pivot)
      for row in (column + 1)..<max(n, column + 1) {
        let factor = a[row][column] / a[column][column]
        for k in column...n { a[row][k] -= factor * a[column][k] }
      }
    }
    var x = [Double](repeating: 0, count: n)
    for row in stride(from: n - 1, through: 0, by: -1) {
      let known = ((row + 1)..<max(n, row + 1)).reduce(0) { $0 + a[row][$1] * x[$1] }
      x[row] = (a[row][n] - known) / a[row][row]
    }
    return x
  }
}
