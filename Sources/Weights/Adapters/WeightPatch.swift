import TensorFiles

/// The adapters' changes of one tensor, in the order of the prompt.
public struct WeightPatch: Sendable {
  /// One adapter's change.
  struct Step: Sendable {
    let file: AdapterFile
    let module: AdapterModule
    /// The module's name in the file.
    let name: String
    let part: Part
    /// The factor from the prompt.
    let multiplier: Float
    /// The rank that products are truncated to; nil for no limit.
    let rankLimit: Int?
    /// The rows of the module that change the tensor, and the number of rows of the module; nil for all rows.
    var rows: (range: Range<Int>, count: Int)?
  }

  /// The tensor of a layer that is changed.
  enum Part: Hashable, Sendable {
    case weight, bias
  }

  private(set) var steps: [Step] = []

  init() {}

  /// Appends a change.
  mutating func append(_ step: Step) { steps.append(step) }

  /// Whether both change a tensor in the same way.
  func isSame(as other: WeightPatch) -> Bool {
    steps.count == other.steps.count
      && zip(steps, other.steps).allSatisfy { a, b in
        a.file === b.file && a.name == b.name && a.part == b.part && a.multiplier == b.multiplier
          && a.rankLimit == b.rankLimit && a.rows?.range == b.rows?.range
      }
  }

  /// Reads the adapters' matrices, and for DoRA the lengths of the changed weight's columns.
  ///
  /// - Parameters:
  ///   - shape: The shape of the tensor.
  ///   - parallel: Calls a closure with every index below a count, on several threads.
  ///   - read: Reads the numbers of some outputs from the file.
  /// - Returns: The patch, which can be applied to any outputs.
  /// - Throws: `TensorFileError`.
  public func prepared(
    shape: [Int], parallel: (Int, (Int) -> Void) -> Void,
    read: (Range<Int>, UnsafeMutablePointer<Float>) throws(TensorFileError) -> Void
  ) throws(TensorFileError) -> PreparedPatch {
    var prepared = PreparedPatch(rowSize: shape.dropFirst().reduce(1, *))
    for step in steps {
      let delta = try step.delta(rowSize: prepared.rowSize)
      var magnitude: PreparedPatch.Magnitude?
      if step.part == .weight, let lengths = step.module.magnitude {
        magnitude = try step.magnitude(
          lengths, delta, shape: shape, after: prepared, parallel: parallel, read: read)
      }
      prepared.append(
        PreparedPatch.Step(
          delta: delta, scale: step.part == .weight ? step.module.scale : step.module.biasScale,
          multiplier: step.multiplier, magnitude: magnitude, firstRow: step.rows?.range.lowerBound ?? 0))
    }
    return prepared
  }
}

extension WeightPatch.Step {
  fileprivate func delta(rowSize: Int) throws(TensorFileError) -> PreparedPatch.Delta {
    if part == .bias {
      guard let tensor = module.biasDifference else { return .none }
      return .values(try tensor.floats())
    }
    switch module.change {
    case .product(let product): return .product(try LowRankMatrix(product, rankLimit: rankLimit))
    // As in the webui, only plain products are truncated.
    case .hadamard(let first, let second): return .hadamard(try LowRankMatrix(first), try LowRankMatrix(second))
    case .kronecker(let first, let second):
      return .kronecker(
        try first.floats(), try second.floats(), rows: second.rowCount, columns: first.rowSize)
    case .difference(let tensor): return .values(try tensor.floats())
    case .scaling(let tensor, let isOfInputs):
      return isOfInputs ? .inputScaling(try tensor.floats()) : .outputScaling(try tensor.floats())
    case nil: return .none
    }
  }

  /// The lengths of rows that DoRA learnt, or factors for columns. Factors for rows are computed when the rows are read.
  fileprivate func magnitude(
    _ magnitude: AdapterModule.Magnitude, _ delta: PreparedPatch.Delta, shape: [Int], after prepared: PreparedPatch,
    parallel: (Int, (Int) -> Void) -> Void,
    read: (Range<Int>, UnsafeMutablePointer<Float>) throws(TensorFileError) -> Void
  ) throws(TensorFileError) -> PreparedPatch.Magnitude {
    let lengths = try magnitude.tensor.floats()
    if magnitude.isOfRows(rows?.count ?? shape[0]) { return .outputs(lengths) }
    // The lengths of columns need a separate pass over all rows. Chunks are added in the order of rows, so that the sum is the
    // same for any number of threads.
    let (inputs, taps, rowSize) = (shape[1], prepared.rowSize / shape[1], prepared.rowSize)
    let chunk = 32
    let chunks = (shape[0] + chunk - 1) / chunk
    let sums = UnsafeMutableBufferPointer<Double>.allocate(capacity: chunks * inputs)
    sums.initialize(repeating: 0)
    defer { sums.deallocate() }
    let faults = UnsafeMutableBufferPointer<TensorFileError?>.allocate(capacity: chunks)
    faults.initialize(repeating: nil)
    defer {
      faults.deinitialize()
      faults.deallocate()
    }
    let change = PreparedPatch.Step(delta: delta, scale: module.scale, multiplier: 1, magnitude: nil, firstRow: 0)
    // Each call writes only the elements of its own chunk.
    nonisolated(unsafe) let (chunkSums, found) = (sums, faults)
    withoutActuallyEscaping(read) { read in
      nonisolated(unsafe) let read = read
      parallel(chunks) { index in
        let rows = index * chunk..<min((index + 1) * chunk, shape[0])
        withUnsafeTemporaryAllocation(of: Float.self, capacity: rows.count * rowSize) { buffer in
          guard let values = buffer.baseAddress else { return }
          do throws(TensorFileError) {
            try read(rows, values)
          } catch {
            found[index] = error
            return
          }
          prepared.apply(to: values, rows: rows)
          change.apply(to: values, rows: rows, rowSize: rowSize)
          for row in 0..<rows.count {
            for input in 0..<inputs {
              var sum = 0.0
              for tap in 0..<taps {
                let value = Double(values[row * rowSize + input * taps + tap])
                sum += value * value
              }
              chunkSums[index * inputs + input] += sum
            }
          }
        }
      }
    }
    if let fault = faults.lazy.compactMap({ $0 }).first { throw fault }
    return .inputs(
      (0..<inputs).flatMap { input in
        let sum = (0..<chunks).reduce(0.0) { $0 + sums[$1 * inputs + input] }
        return Array(repeating: lengths[input] / Float(max(sum.squareRoot(), .leastNormalMagnitude)), count: taps)
      })
  }
}

extension AdapterFactor {
  /// The whole matrix.
  fileprivate func floats() throws(TensorFileError) -> [Float] {
    switch self {
    case .whole(let tensor): return try tensor.floats()
    case .product(let product):
      let matrix = try LowRankMatrix(product)
      let count = product.rowCount * product.rowSize
      return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
        if let base = buffer.baseAddress { matrix.rows(0..<product.rowCount, into: base) }
        initialized = count
      }
    }
  }
}
