import TensorFiles

/// A patch with the adapters' small matrices in memory. It is applied to rows when they are read.
///
/// Several threads may use it at the same time.
public struct PreparedPatch: Sendable {
  /// A change of a weight, without its scale and multiplier.
  enum Delta: Sendable {
    case none
    case product(LowRankMatrix)
    case hadamard(LowRankMatrix, LowRankMatrix)
    /// A Kronecker product, with the number of rows of the second matrix and of columns of the first.
    case kronecker([Float], [Float], rows: Int, columns: Int)
    case values([Float])
    case outputScaling([Float])
    case inputScaling([Float])
  }

  /// How the changed weight is scaled to the lengths that DoRA learnt.
  enum Magnitude: Sendable {
    /// The length of each row.
    case outputs([Float])
    /// A factor for each number of a row: the learnt length of its column divided by the actual length.
    case inputs([Float])
  }

  /// One adapter's change.
  struct Step: Sendable {
    let delta: Delta
    let scale: Float
    let multiplier: Float
    let magnitude: Magnitude?
    /// The row of the change that belongs to the tensor's first row.
    let firstRow: Int
  }

  /// The number of weights for each output.
  let rowSize: Int
  private var steps: [Step] = []

  init(rowSize: Int) { self.rowSize = rowSize }

  mutating func append(_ step: Step) { steps.append(step) }

  /// Changes some outputs.
  ///
  /// - Parameters:
  ///   - values: `[rows, row size]`: the numbers from the file; they are replaced by the changed ones.
  ///   - rows: The outputs in `values`.
  public func apply(to values: UnsafeMutablePointer<Float>, rows: Range<Int>) {
    for step in steps { step.apply(to: values, rows: rows, rowSize: rowSize) }
  }
}

extension PreparedPatch.Step {
  /// W ← W + m·s·Δ, or with DoRA W ← W + m·(g·(W + s·Δ)/‖W + s·Δ‖ − W).
  ///
  /// Source: Liu et al. 2024, "DoRA: Weight-Decomposed Low-Rank Adaptation", arXiv:2402.09353. As in the webui, the
  /// multiplier interpolates between W and the whole change.
  func apply(to values: UnsafeMutablePointer<Float>, rows: Range<Int>, rowSize: Int) {
    let rows = rows.lowerBound + firstRow..<rows.upperBound + firstRow
    withUnsafeTemporaryAllocation(of: Float.self, capacity: rows.count * rowSize) { buffer in
      guard let change = buffer.baseAddress else { return }
      delta.rows(rows, of: values, into: change, rowSize: rowSize)
      guard let magnitude else {
        let factor = scale * multiplier
        for index in 0..<rows.count * rowSize { values[index] += factor * change[index] }
        return
      }
      for (position, row) in rows.enumerated() {
        let (value, change) = (values + position * rowSize, change + position * rowSize)
        for index in 0..<rowSize { change[index] = value[index] + scale * change[index] }
        switch magnitude {
        case .outputs(let lengths):
          var sum = 0.0
          for index in 0..<rowSize { sum += Double(change[index]) * Double(change[index]) }
          let factor = lengths[row] / Float(max(sum.squareRoot(), .leastNormalMagnitude))
          for index in 0..<rowSize { value[index] += multiplier * (factor * change[index] - value[index]) }
        case .inputs(let factors):
          factors.withUnsafeBufferPointer { factors in
            for index in 0..<rowSize { value[index] += multiplier * (factors[index] * change[index] - value[index]) }
          }
        }
      }
    }
  }
}

extension PreparedPatch.Delta {
  /// Computes the change of some rows. Some kinds depend on the rows' values.
  fileprivate func rows(
    _ rows: Range<Int>, of values: UnsafeMutablePointer<Float>, into change: UnsafeMutablePointer<Float>, rowSize: Int
  ) {
    switch self {
    case .none: change.update(repeating: 0, count: rows.count * rowSize)
    case .product(let matrix): matrix.rows(rows, into: change)
    case .hadamard(let first, let second):
      first.rows(rows, into: change)
      withUnsafeTemporaryAllocation(of: Float.self, capacity: rows.count * rowSize) { buffer in
        guard let factor = buffer.baseAddress else { return }
        second.rows(rows, into: factor)
        for index in 0..<rows.count * rowSize { change[index] *= factor[index] }
      }
    case .kronecker(let first, let second, let secondRows, let columns):
      let width = rowSize / columns
      for (position, row) in rows.enumerated() {
        for column in 0..<columns {
          let factor = first[row / secondRows * columns + column]
          let target = change + position * rowSize + column * width
          second.withUnsafeBufferPointer { second in
            let start = row % secondRows * width
            for index in 0..<width { target[index] = factor * second[start + index] }
          }
        }
      }
    case .values(let numbers):
      numbers.withUnsafeBufferPointer { numbers in
        for index in 0..<rows.count * rowSize { change[index] = numbers[rows.lowerBound * rowSize + index] }
      }
    case .outputScaling(let factors):
      for (position, row) in rows.enumerated() {
        for index in position * rowSize..<(position + 1) * rowSize { change[index] = values[index] * factors[row] }
      }
    case .inputScaling(let factors):
      let taps = rowSize / factors.count
      for position in 0..<rows.count {
        for index in 0..<rowSize {
          change[position * rowSize + index] = values[position * rowSize + index] * factors[index / taps]
        }
      }
    }
  }
}

/// A matrix that is the product of a tall and a wide matrix.
struct LowRankMatrix: Sendable {
  /// The number of columns in a panel of the wide matrix: as many sums as stay in registers.
  private static let panelWidth = 32

  private let innerCount: Int
  private let rowSize: Int
  /// `[rows, inner]`
  private let left: [Float]
  /// `[panels][inner][panel width]`; columns past the last one are zero.
  private let panels: [Float]

  /// Reads both matrices, and multiplies the core by the right one.
  ///
  /// - Parameters:
  ///   - product: The tensors.
  ///   - rankLimit: Ranks from this one on are left out, unless there is a core.
  /// - Throws: `TensorFileError`.
  init(_ product: AdapterProduct, rankLimit: Int? = nil) throws(TensorFileError) {
    let count = product.innerCount
    rowSize = product.rowSize
    innerCount = product.core == nil ? min(count, max(rankLimit ?? count, 0)) : count
    let numbers = try product.left.floats()
    let (rowCount, inner) = (product.rowCount, innerCount)
    let isTransposed = product.isLeftTransposed
    left = [Float](unsafeUninitializedCapacity: rowCount * inner) { buffer, initialized in
      for row in 0..<rowCount {
        for column in 0..<inner {
          buffer[row * inner + column] = numbers[isTransposed ? column * rowCount + row : row * count + column]
        }
      }
      initialized = rowCount * inner
    }
    var right = try product.right.floats()
    if let core = product.core { right = try Self.combined(core, right, product) }
    let (width, size) = (Self.panelWidth, rowSize)
    let panelCount = (size + width - 1) / width
    panels = right.withUnsafeBufferPointer { right in
      [Float](unsafeUninitializedCapacity: panelCount * inner * width) { buffer, initialized in
        for panel in 0..<panelCount {
          for row in 0..<inner {
            for lane in 0..<width {
              let column = panel * width + lane
              buffer[(panel * inner + row) * width + lane] = column < size ? right[row * size + column] : 0
            }
          }
        }
        initialized = panelCount * inner * width
      }
    }
  }

  /// Σ_m core[n, m, taps] · right[m, inputs], as `[n, inputs, taps]`.
  private static func combined(
    _ core: StoredTensor, _ right: [Float], _ product: AdapterProduct
  ) throws(TensorFileError) -> [Float] {
    let numbers = try core.floats()
    let (outer, rank, taps) = (core.shape[0], core.shape[1], core.shape[2] * core.shape[3])
    let inputs = product.rowSize / taps
    var combined = [Float](repeating: 0, count: outer * product.rowSize)
    combined.withUnsafeMutableBufferPointer { combined in
      for n in 0..<outer {
        for m in 0..<rank {
          for tap in 0..<taps {
            let factor = numbers[(n * rank + m) * taps + tap]
            let target = n * product.rowSize + tap
            for input in 0..<inputs { combined[target + input * taps] += factor * right[m * inputs + input] }
          }
        }
      }
    }
    return combined
  }

  /// Computes some rows of the product, `[rows, row size]`.
  func rows(_ rows: Range<Int>, into destination: UnsafeMutablePointer<Float>) {
    let width = Self.panelWidth
    left.withUnsafeBufferPointer { left in
      panels.withUnsafeBytes { panels in
        guard let base = panels.baseAddress else {
          destination.update(repeating: 0, count: rows.count * rowSize)
          return
        }
        // A panel stays in the cache for all rows.
        for start in stride(from: 0, to: rowSize, by: width) {
          let panel = base + start * innerCount * MemoryLayout<Float>.stride
          for (position, row) in rows.enumerated() {
            var low = SIMD16<Float>.zero
            var high = SIMD16<Float>.zero
            for inner in 0..<innerCount {
              let factor = left[row * innerCount + inner]
              let source = panel + inner * width * MemoryLayout<Float>.stride
              low += factor * source.loadUnaligned(as: SIMD16<Float>.self)
              high += factor * source.loadUnaligned(fromByteOffset: 64, as: SIMD16<Float>.self)
            }
            let target = destination + position * rowSize + start
            let count = min(width, rowSize - start)
            if count == width {
              UnsafeMutableRawPointer(target).storeBytes(of: low, as: SIMD16<Float>.self)
              UnsafeMutableRawPointer(target).storeBytes(of: high, toByteOffset: 64, as: SIMD16<Float>.self)
            } else {
              for lane in 0..<count { target[lane] = lane < 16 ? low[lane] : high[lane - 16] }
            }
          }
        }
      }
    }
  }
}
