/// What adapters make of one tensor: changes that follow each other in the order of the prompt.
public struct WeightPatch: Sendable {
  /// One adapter's change.
  struct Step: Sendable {
    let file: AdapterFile
    let module: AdapterModule
    /// The module's name in the file.
    let name: String
    let part: Part
    /// The prompt's number.
    let multiplier: Float
    /// The rank that products are cut to; nothing for the whole.
    let rankLimit: Int?
  }

  /// Which of a layer's tensors is changed.
  enum Part: Hashable, Sendable {
    case weight, bias
  }

  private(set) var steps: [Step] = []

  init() {}

  /// A change after those that there are.
  mutating func append(_ step: Step) { steps.append(step) }

  /// Whether both make the same of a tensor.
  func isSame(as other: WeightPatch) -> Bool {
    steps.count == other.steps.count
      && zip(steps, other.steps).allSatisfy { a, b in
        a.file === b.file && a.name == b.name && a.part == b.part && a.multiplier == b.multiplier
          && a.rankLimit == b.rankLimit
      }
  }

  /// Reads the adapters' matrices, and for DoRA the lengths of the changed weight's columns.
  ///
  /// - Parameters:
  ///   - shape: Of the tensor.
  ///   - parallel: Calls its closure with every number below its first argument, on several threads.
  ///   - read: Gives the file's numbers of some outputs.
  /// - Returns: The patch, ready to be applied to any outputs.
  /// - Throws: `WeightError`.
  public func prepared(
    shape: [Int], parallel: (Int, (Int) -> Void) -> Void,
    read: (Range<Int>, UnsafeMutablePointer<Float>) throws(WeightError) -> Void
  ) throws(WeightError) -> PreparedPatch {
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
          delta: delta, scale: step.part == .weight ? step.module.scale : 1, multiplier: step.multiplier,
          magnitude: magnitude))
    }
    return prepared
  }
}

extension WeightPatch.Step {
  fileprivate func delta(rowSize: Int) throws(WeightError) -> PreparedPatch.Delta {
    if part == .bias {
      guard let tensor = module.biasDifference else { return .none }
      return .values(try tensor.floats())
    }
    switch module.change {
    case .product(let product): return .product(try LowRankMatrix(product, rankLimit: rankLimit))
    // As in the webui, only plain products are cut.
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

  /// What DoRA multiplies rows or columns with, as far as that can be said before the rows are read.
  fileprivate func magnitude(
    _ magnitude: AdapterModule.Magnitude, _ delta: PreparedPatch.Delta, shape: [Int], after prepared: PreparedPatch,
    parallel: (Int, (Int) -> Void) -> Void,
    read: (Range<Int>, UnsafeMutablePointer<Float>) throws(WeightError) -> Void
  ) throws(WeightError) -> PreparedPatch.Magnitude {
    let lengths = try magnitude.tensor.floats()
    if magnitude.isOfRows(shape[0]) { return .outputs(lengths) }
    // Lengths of columns take a pass of their own over all rows. Parts add up in the order of rows, for the same sum with
    // any number of threads.
    let (inputs, taps, rowSize) = (shape[1], prepared.rowSize / shape[1], prepared.rowSize)
    let chunk = 32
    let chunks = (shape[0] + chunk - 1) / chunk
    let sums = UnsafeMutableBufferPointer<Double>.allocate(capacity: chunks * inputs)
    sums.initialize(repeating: 0)
    defer { sums.deallocate() }
    let faults = UnsafeMutableBufferPointer<WeightError?>.allocate(capacity: chunks)
    faults.initialize(repeating: nil)
    defer {
      faults.deinitialize()
      faults.deallocate()
    }
    let change = PreparedPatch.Step(delta: delta, scale: module.scale, multiplier: 1, magnitude: nil)
    // Each call writes its own chunk's places only.
    nonisolated(unsafe) let (places, found) = (sums, faults)
    withoutActuallyEscaping(read) { read in
      nonisolated(unsafe) let read = read
      parallel(chunks) { index in
        let rows = index * chunk..<min((index + 1) * chunk, shape[0])
        withUnsafeTemporaryAllocation(of: Float.self, capacity: rows.count * rowSize) { buffer in
          guard let values = buffer.baseAddress else { return }
          do throws(WeightError) {
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
              places[index * inputs + input] += sum
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
  fileprivate func floats() throws(WeightError) -> [Float] {
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
