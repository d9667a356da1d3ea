@testable import Tensors

extension Kernels {
  /// The reference for all others.
  static let portable = available[0]
  /// The other instruction sets of this machine.
  static let accelerated = available.filter { $0.name != "portable" }
}

/// A sum of products of matrices, `[m, k]` times `[k, n]`, over taps.
struct ProductShape: Sendable {
  let taps: Int
  let k: Int
  let m: Int
  let n: Int

  /// Odd and even sums, full and partial tiles, full, half and partial panels.
  static let all = [
    ProductShape(taps: 1, k: 1, m: 1, n: 1), ProductShape(taps: 1, k: 7, m: 5, n: 3),
    ProductShape(taps: 9, k: 5, m: 8, n: 16), ProductShape(taps: 9, k: 40, m: 13, n: 9),
    ProductShape(taps: 1, k: 320, m: 33, n: 16), ProductShape(taps: 3, k: 64, m: 64, n: 15),
    ProductShape(taps: 9, k: 33, m: 7, n: 12), ProductShape(taps: 2, k: 16, m: 11, n: 8),
    ProductShape(taps: 9, k: 320, m: 64, n: 16),
  ]
}

/// A 3x3 convolution of a batch of images.
struct ConvolutionShape: Sendable {
  let height: Int
  let width: Int
  let inputs: Int
  let outputs: Int
  let step: Int
  var start = 0
  var batch = 1

  static let all = [
    ConvolutionShape(height: 1, width: 1, inputs: 1, outputs: 1, step: 1),
    ConvolutionShape(height: 5, width: 7, inputs: 4, outputs: 33, step: 1, batch: 2),
    ConvolutionShape(height: 5, width: 7, inputs: 5, outputs: 33, step: 1, batch: 2),
    ConvolutionShape(height: 9, width: 12, inputs: 32, outputs: 4, step: 1),
    ConvolutionShape(height: 9, width: 7, inputs: 8, outputs: 40, step: 2, batch: 2),
    ConvolutionShape(height: 9, width: 8, inputs: 8, outputs: 40, step: 2, start: 1, batch: 2),
    ConvolutionShape(height: 2, width: 300, inputs: 3, outputs: 17, step: 1),
    // So many inputs that the taps take several passes.
    ConvolutionShape(height: 3, width: 3, inputs: 1500, outputs: 5, step: 1),
  ]
}

/// Attention of some queries to some keys.
struct AttentionShape: Sendable {
  let queries: Int
  let keys: Int
  let heads: Int
  let width: Int
  let mask: AttentionMask

  /// The head widths of SD 1.5, of other families and of the VAE; more and fewer keys than a block, and odd numbers of keys.
  static let all = [
    AttentionShape(queries: 1, keys: 1, heads: 1, width: 1, mask: .none),
    AttentionShape(queries: 5, keys: 77, heads: 2, width: 40, mask: .none),
    AttentionShape(queries: 77, keys: 77, heads: 3, width: 64, mask: .causal),
    AttentionShape(queries: 70, keys: 231, heads: 2, width: 80, mask: .none),
    AttentionShape(queries: 30, keys: 300, heads: 1, width: 160, mask: .none),
    AttentionShape(queries: 49, keys: 257, heads: 1, width: 512, mask: .none),
    AttentionShape(queries: 33, keys: 33, heads: 4, width: 8, mask: .causal),
    AttentionShape(queries: 150, keys: 150, heads: 1, width: 13, mask: .causal),
  ]

  /// The formula, in double precision.
  func expected(_ q: [Float], _ k: [Float], _ v: [Float]) -> [Float] {
    let channels = heads * width
    var out = [Float](repeating: 0, count: q.count)
    for head in 0..<heads {
      for i in 0..<queries {
        let seen = mask == .causal ? i + 1 : keys
        let scores = (0..<seen).map { key in
          (0..<width).reduce(0.0) { sum, c in
            let at = head * width + c
            return sum + Double(q[i * channels + at]) * Double(k[key * channels + at])
          } / Double(width).squareRoot()
        }
        let largest = scores.max() ?? 0
        let weights = scores.map { Double.exp($0 - largest) }
        let total = weights.reduce(0, +)
        for c in 0..<width {
          let at = head * width + c
          out[i * channels + at] = Float(
            (0..<seen).reduce(0.0) { $0 + weights[$1] * Double(v[$1 * channels + at]) } / total)
        }
      }
    }
    return out
  }
}
