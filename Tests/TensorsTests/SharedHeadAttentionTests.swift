import Testing
import TestSupport

@testable import Tensors

/// Attention of language models: heads that share keys, a bias by distance, and only the first tokens as keys.
@Suite struct SharedHeadAttentionTests {
  struct Shape: Sendable {
    let tokens: Int
    let keys: Int
    let heads: Int
    let keyHeads: Int
    let width: Int
    let mask: AttentionMask
    let scale: Float?
    let hasBias: Bool
  }

  static let shapes = [
    Shape(tokens: 70, keys: 70, heads: 6, keyHeads: 2, width: 16, mask: .causal, scale: nil, hasBias: false),
    Shape(tokens: 300, keys: 37, heads: 4, keyHeads: 2, width: 13, mask: .causal, scale: nil, hasBias: false),
    Shape(tokens: 50, keys: 1, heads: 2, keyHeads: 1, width: 8, mask: .causal, scale: 0.3, hasBias: false),
    Shape(tokens: 301, keys: 301, heads: 3, keyHeads: 3, width: 16, mask: .none, scale: 1, hasBias: true),
    Shape(tokens: 33, keys: 33, heads: 2, keyHeads: 2, width: 64, mask: .none, scale: 1, hasBias: true),
    Shape(tokens: 1, keys: 1, heads: 1, keyHeads: 1, width: 4, mask: .none, scale: 0.5, hasBias: true),
    Shape(tokens: 90, keys: 90, heads: 4, keyHeads: 2, width: 20, mask: .causal, scale: 0.4, hasBias: true),
  ]

  @Test(arguments: Kernels.available, shapes)
  func `attention agrees with the formula in double precision`(kernels: Kernels, shape: Shape) {
    for elementType in [ElementType.fp32, .bf16] {
      let compute = Compute(kernels: kernels, threadCount: 2, elementType: elementType)
      var random = SplitMix64(seed: shape.tokens * 31 + shape.keys)
      func tensor(_ channels: Int, times scale: Float) -> Tensor {
        let values = random.floats(shape.tokens * channels, times: scale)
        return elementType == .bf16
          ? compute.tensor16([shape.tokens, channels], values) : compute.tensor([shape.tokens, channels], values)
      }
      let q = tensor(shape.heads * shape.width, times: 2)
      let k = tensor(shape.keyHeads * shape.width, times: 1)
      let v = tensor(shape.keyHeads * shape.width, times: 1)
      let biases = random.floats(shape.heads * (2 * shape.tokens + 5), times: 2)
      func value(_ head: Int, _ distance: Int) -> Float {
        biases[head * (2 * shape.tokens + 5) + distance + shape.tokens + 2]
      }
      // Made for more tokens than there are, as for several texts with different lengths.
      let bias = shape.hasBias ? DistanceBias(count: shape.tokens + 2, heads: shape.heads, value: value) : nil
      let source = KeysValues(
        keys: k, values: v, image: 0, heads: shape.keyHeads, count: shape.keys, compute: compute)
      let found = compute.attention(q, [source], mask: shape.mask, scale: shape.scale, bias: bias).values
      let expected = expected(shape, q.values, k.values, v.values) { shape.hasBias ? Double(value($0, $1)) : 0 }
      let difference = relativeDifference(found, expected)
      #expect(difference < (elementType == .bf16 ? 8e-3 : 2e-5), "\(kernels.name) \(shape) differs by \(difference)")
    }
  }

  private func expected(
    _ shape: Shape, _ q: [Float], _ k: [Float], _ v: [Float], bias: (Int, Int) -> Double
  ) -> [Float] {
    let (channels, keyChannels) = (shape.heads * shape.width, shape.keyHeads * shape.width)
    let scale = shape.scale.map(Double.init) ?? 1 / Double(shape.width).squareRoot()
    var out = [Float](repeating: 0, count: q.count)
    for head in 0..<shape.heads {
      let keyHead = head / (shape.heads / shape.keyHeads)
      for i in 0..<shape.tokens {
        let seen = shape.mask == .causal ? min(i + 1, shape.keys) : shape.keys
        let scores = (0..<seen).map { key in
          (0..<shape.width).reduce(0.0) { sum, c in
            let (one, other) = (
              q[i * channels + head * shape.width + c], k[key * keyChannels + keyHead * shape.width + c]
            )
            return sum + Double(one) * Double(other)
          } * scale + bias(head, key - i)
        }
        let largest = scores.max() ?? 0
        let weights = scores.map { Double.exp($0 - largest) }
        let total = weights.reduce(0, +)
        for c in 0..<shape.width {
          out[i * channels + head * shape.width + c] = Float(
            (0..<seen).reduce(0.0) { $0 + weights[$1] * Double(v[$1 * keyChannels + keyHead * shape.width + c]) }
              / total)
        }
      }
    }
    return out
  }
}
