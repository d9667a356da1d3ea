import Settings
import Tensors

/// The encoding of one chunk, and how many times the chunk occurs in a schedule.
struct EncodedChunk {
  let z: Tensor
  let pooled: Tensor?
  /// A weight for each token.
  let weights: [Float]
  /// The weights of the channels from a second encoder, which has other tokens, and the first of these channels; nil if there are
  /// none.
  var others: (weights: [Float], channel: Int)?
  var count = 0

  fileprivate var isWeighted: Bool {
    weights.contains { $0 != 1 } || others?.weights.contains { $0 != 1 } == true
  }
}

extension EmphasisChoice {
  /// Multiplies every token by its weight; `original` then restores the mean over all chunks.
  func apply(to chunks: [EncodedChunk]) {
    guard self == .original || self == .noNorm, chunks.contains(where: \.isWeighted) else {
      return
    }
    let before = Self.mean(chunks)
    for chunk in chunks {
      for (token, weight) in chunk.weights.enumerated() {
        let row = chunk.z.pixel(0, 0, token)
        let end = chunk.others?.channel ?? chunk.z.channels
        for c in 0..<end { row[c] *= weight }
        if let others = chunk.others?.weights { for c in end..<chunk.z.channels { row[c] *= others[token] } }
      }
    }
    guard self == .original else { return }
    let factor = Float(before / Self.mean(chunks))
    for chunk in chunks {
      for index in 0..<chunk.z.count { chunk.z.base[index] *= factor }
    }
  }

  private static func mean(_ chunks: [EncodedChunk]) -> Double {
    var sum = 0.0
    var count = 0.0
    for chunk in chunks {
      var part = 0.0
      for index in 0..<chunk.z.count { part += Double(chunk.z.base[index]) }
      sum += Double(chunk.count) * part
      count += Double(chunk.count) * Double(chunk.z.count)
    }
    return sum / count
  }
}
