import Tensors
import Weights

/// The queries, keys and values of several sequences as one, head by head: for attention over text and image tokens together.
struct JointSequence {
  private let queries: Tensor
  private let keys: Tensor
  private let values: Tensor
  private let headWidth: Int
  private let rotation: RotaryTable?

  /// Allocates memory for the tokens of all sequences.
  ///
  /// - Parameters:
  ///   - rotation: The angles of all tokens.
  ///   - width: Channels of a token, a multiple of the head's.
  ///   - compute: Provides the memory.
  init(rotation: RotaryTable, width: Int, _ compute: Compute) {
    self.init(count: rotation.count, headWidth: rotation.headWidth, width: width, rotation: rotation, compute)
  }

  /// The same, for tokens that need not have angles.
  init(count: Int, headWidth: Int, width: Int, rotation: RotaryTable?, _ compute: Compute) {
    func room() -> Tensor { compute.tensor(batch: 1, height: 1, width: count, channels: width) }
    (queries, keys, values) = (room(), room(), room())
    self.headWidth = headWidth
    self.rotation = rotation
  }

  /// Adds the projections of one sequence. Queries and keys are normalised head by head and rotated by their positions.
  ///
  /// - Parameters:
  ///   - x: The queries, keys and values, `[1, 1, tokens, width]` each; without queries for tokens that do not attend.
  ///   - norms: The norms of queries and keys; nil for none.
  ///   - token: The index of the sequence's first token.
  ///   - compute: The machine and numerics to use.
  func put(
    _ x: (query: Tensor?, key: Tensor, value: Tensor), norms: (query: RMSNorm?, key: RMSNorm?), at token: Int,
    _ compute: Compute
  ) {
    for (x, y, norm) in [(x.query, queries, norms.query), (Optional(x.key), keys, norms.key)] {
      guard let x else { continue }
      compute.takeHeads(
        x, gamma: norm?.gamma, epsilon: norm?.epsilon ?? 0, rotation: rotation, row: token, into: y, at: token,
        headWidth: headWidth)
    }
    compute.copyTokens(x.value, into: values, at: token)
  }

  /// Attention from all tokens, or from some of them, to all tokens.
  ///
  /// - Returns: `[1, 1, tokens, width]`.
  func attended(_ name: String, from tokens: Range<Int>? = nil, _ compute: Compute) -> Tensor {
    let asking = tokens.map { queries.tokens($0) } ?? queries
    let source = compute.measuredPacking(name, keys) {
      [KeysValues(keys: keys, values: values, image: 0, heads: keys.channels / headWidth, compute: compute)]
    }
    let operations = 4 * Double(keys.pixels) * Double(keys.channels)
    return compute.measured(name, .attention, asking, operationsPerPixel: operations) {
      compute.attention(asking, source)
    }
  }
}
