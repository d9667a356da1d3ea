import Jobs
import Models
import Tensors
import Tokenization
import Weights

/// One of a model's text encoders: chunks of tokens in, emphasised encodings out.
struct TextEncoder {
  /// What the family takes from it.
  let role: ModelFamily.TextEncoder
  let model: CLIPTextModel
  let compute: Compute

  /// Encodes the texts of one schedule.
  ///
  /// - Parameters:
  ///   - texts: The chunks of each text and how often it stands in the schedule; emphasis takes the mean over all.
  ///   - empty: The chunk that short texts are filled up with.
  ///   - clipSkip: 1 for the last layer.
  ///   - emphasis: What weights do.
  ///   - vectors: Gives an embedding's vectors for this encoder.
  /// - Returns: For each text its encoding, all of the same length.
  /// - Throws: What `vectors` throws.
  func encode(
    _ texts: [(chunks: [PromptChunks.Chunk], count: Int)], empty: PromptChunks.Chunk, clipSkip: Int,
    emphasis: EmphasisChoice, vectors: (Int) throws -> [Float]
  ) rethrows -> [TextEncoding] {
    let length = texts.reduce(1) { max($0, $1.chunks.count) }
    var encoded: [[Tensor]] = texts.map { _ in [] }
    for index in 0..<length {
      var column: [PromptChunks.Chunk: EncodedChunk] = [:]
      var order: [PromptChunks.Chunk] = []
      for text in texts {
        let chunk = index < text.chunks.count ? text.chunks[index] : empty
        if column[chunk] == nil {
          column[chunk] = EncodedChunk(z: try forward(chunk, clipSkip: clipSkip, vectors), weights: chunk.weights)
          order.append(chunk)
        }
        column[chunk]?.count += text.count
      }
      emphasis.act(on: order.compactMap { column[$0] })
      for (place, text) in texts.enumerated() {
        if let z = column[index < text.chunks.count ? text.chunks[index] : empty]?.z { encoded[place].append(z) }
      }
    }
    return encoded.map { TextEncoding(tokens: joined($0)) }
  }

  private func forward(
    _ chunk: PromptChunks.Chunk, clipSkip: Int, _ vectors: (Int) throws -> [Float]
  ) rethrows -> Tensor {
    let ids = chunk.ids
    let replacements = try chunk.embeddings.map { (position: $0.position, vectors: try vectors($0.number)) }
    return switch role.output {
    case .clipSkip: model.forward(ids, replacements: replacements, clipSkip: clipSkip)
    case .penultimateNormed: model.forward(ids, replacements: replacements, clipSkip: 2)
    case .penultimate: model.forward(ids, replacements: replacements, clipSkip: 2, isNormed: false)
    }
  }

  private func joined(_ parts: [Tensor]) -> Tensor {
    let length = parts.reduce(0) { $0 + $1.width }
    let context = compute.tensor(batch: 1, height: 1, width: length, channels: parts[0].channels)
    var position = 0
    for z in parts {
      context.pixel(0, 0, position).update(from: z.base, count: z.count)
      position += z.width
    }
    return context
  }
}

/// One chunk's encoding, and how often it stands among those of a schedule.
private struct EncodedChunk {
  let z: Tensor
  let weights: [Float]
  var count = 0
}

extension EmphasisChoice {
  /// Multiplies every token with its weight; `original` then brings the mean over all chunks back to what it was.
  fileprivate func act(on chunks: [EncodedChunk]) {
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
