import Glibc
import Synchronization
import TensorFiles
import Tensors
import Weights

/// A linear layer that is applied to few vectors and whose weights stay in the file: what turns the noise level into the
/// modulation of blocks. Its results are computed once per noise level, so its weights are not worth their memory.
final class RowLinear: Sendable {
  private let w: WeightScope
  private let inputs: Int
  private let outputs: Int
  private let hasBias: Bool

  /// Creates a layer that reads `weight`, and `bias` if it has one, each time it is applied.
  init(_ w: WeightScope, inputs: Int, outputs: Int, hasBias: Bool) {
    self.w = w
    self.inputs = inputs
    self.outputs = outputs
    self.hasBias = hasBias
  }

  /// W x + b for each vector, in floats. The weights are read once for all of them.
  ///
  /// - Parameters:
  ///   - vectors: `[inputs]` each; at least one.
  ///   - compute: The threads.
  /// - Returns: `[outputs]` for each vector, the same whatever other vectors there are.
  /// - Throws: `WeightError`, and what the machine's interruption throws.
  func forward(_ vectors: [[Float]], _ compute: Compute) throws -> [[Float]] {
    precondition(vectors.allSatisfy { $0.count == self.inputs }, "a vector does not fit the layer")
    try compute.machine.interruption.check()
    let (inputs, outputs, count) = (inputs, outputs, vectors.count)
    let x = vectors.flatMap { $0 }
    let weight = try w.tensor("weight", shape: [outputs, inputs])
    @Sendable func read(_ rows: Range<Int>, _ destination: UnsafeMutablePointer<Float>) throws(TensorFileError) {
      try weight.read(elements: rows.lowerBound * inputs..<rows.upperBound * inputs, into: destination)
    }
    let patch = try WeightError.wrapping(
      try w.patch("weight")?.prepared(shape: [outputs, inputs], parallel: compute.pool.run, read: read))
    let bias = hasBias ? try w.floats("bias", shape: [outputs]) : [Float](repeating: 0, count: outputs)
    var y = (0..<count).flatMap { _ in bias }
    // Small enough for the second-level cache.
    let rowsInBlock = max(min((256 << 10) / (4 * inputs), outputs), 1)
    let blocks = (outputs + rowsInBlock - 1) / rowsInBlock
    let failure = Mutex<(block: Int, error: TensorFileError)?>(nil)
    y.withUnsafeMutableBufferPointer { y in
      x.withUnsafeBufferPointer { x in
        guard let y = y.baseAddress, let x = x.baseAddress else { return }
        compute.pool.run(blocks) { block in
          let rows = block * rowsInBlock..<min((block + 1) * rowsInBlock, outputs)
          withUnsafeTemporaryAllocation(of: Float.self, capacity: rows.count * inputs) { weights in
            guard let weights = weights.baseAddress else { return }
            do throws(TensorFileError) {
              try read(rows, weights)
              patch?.apply(to: weights, rows: rows)
              for row in rows {
                let weights = weights + (row - rows.lowerBound) * inputs
                compute.products(weights, x, count: count, width: inputs) { vector, product in
                  y[vector * outputs + row] += product
                }
              }
            } catch {
              failure.withLock { first in
                if first.map({ block < $0.block }) ?? true { first = (block, error) }
              }
            }
          }
        }
      }
    }
    if let failure = failure.withLock({ $0 }) { throw WeightError.file(failure.error) }
    return (0..<count).map { Array(y[$0 * outputs..<($0 + 1) * outputs]) }
  }
}

/// x · sigmoid(x) for each number.
func silu(_ x: [Float]) -> [Float] { x.map { $0 / (1 + expf(-$0)) } }

/// x · sigmoid(x) of each number of each vector.
func silu(_ vectors: [[Float]]) -> [[Float]] { vectors.map(silu) }

/// The sums of vectors.
func sums(_ a: [[Float]], _ b: [[Float]]) -> [[Float]] { zip(a, b).map { zip($0, $1).map(+) } }
