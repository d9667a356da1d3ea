import Settings
import Tensors

/// The encoding of one chunk, and how many times the chunk occurs in a schedule.
struct EncodedChunk {
  let z: Tensor
  let pooled: Tensor?
  let weights: [Float]
  var count = 0
}

extension EmphasisChoice {
  /// Multiplies every token by its weight; `original` then restores the mean over all chunks.
  func apply(to chunks: [EncodedChunk]) {
    guard self == .original || self == .noNorm, chunks.contains(where: { $0.weights.contains { $0 != 1 } }) else {
      return
    }
    let before = Self.mean(chunks)
    for chunk in chunks {
      for (token, weight) in chunk.weights.enumerated() {
        let row = chunk.z.pixel(0, 0, token)
        for c in 0..<chunk.z.channels { row[c] *= weight }
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
