import Networks
import Settings
import Tensors
import Tokenization
import Weights

/// One of a model's text encoders: turns chunks of tokens into encodings, with emphasis applied.
struct TextEncoder {
  /// How the family uses it.
  let role: ModelFamily.TextEncoder
  let model: PagedNetwork<CLIPTextModel>
  let configuration: CLIPConfiguration
  /// Cuts its texts into tokens.
  let tokenizer: CLIPTokenizer
  let compute: Compute

  /// Encodes the texts of one schedule.
  ///
  /// - Parameters:
  ///   - texts: The chunks of each text, and the number of schedule entries with this text; emphasis uses the mean over all
  ///     entries.
  ///   - length: The number of chunks of each encoding, at least that of each text.
  ///   - empty: The chunk for padding short texts.
  ///   - clipSkip: 1 for the last layer.
  ///   - emphasis: How weights are applied.
  ///   - vectors: Returns an embedding's vectors for this encoder.
  /// - Returns: An encoding for each text, all of the same length.
  /// - Throws: The errors of `vectors` and of reading the encoder.
  func encode(
    _ texts: [(chunks: [PromptChunks.Chunk], count: Int)], length: Int, empty: PromptChunks.Chunk, clipSkip: Int,
    emphasis: EmphasisChoice, vectors: (Int) throws -> [Float]
  ) throws -> [TextEncoding] {
    let model = try model.get()
    var encoded: [[EncodedChunk]] = texts.map { _ in [] }
    for index in 0..<length {
      var column: [PromptChunks.Chunk: EncodedChunk] = [:]
      var order: [PromptChunks.Chunk] = []
      for text in texts {
        let chunk = index < text.chunks.count ? text.chunks[index] : empty
        if column[chunk] == nil {
          let encoding = try forward(model, chunk, clipSkip: clipSkip, vectors)
          column[chunk] = EncodedChunk(z: encoding.tokens, pooled: encoding.pooled, weights: chunk.weights)
          order.append(chunk)
        }
        column[chunk]?.count += text.count
      }
      emphasis.apply(to: order.compactMap { column[$0] })
      for (position, text) in texts.enumerated() {
        if let chunk = column[index < text.chunks.count ? text.chunks[index] : empty] {
          encoded[position].append(chunk)
        }
      }
    }
    return encoded.map { TextEncoding(tokens: joined($0.map(\.z)), pooled: $0[0].pooled) }
  }

  /// Encodes one chunk with a model that is in memory.
  func forward(
    _ model: CLIPTextModel, _ chunk: PromptChunks.Chunk, clipSkip: Int, _ vectors: (Int) throws -> [Float]
  ) rethrows -> CLIPTextModel.Encoding {
    let ids = padded(chunk.ids)
    let replacements = try chunk.embeddings.map { (position: $0.position, vectors: try vectors($0.number)) }
    return switch role.output {
    case .clipSkip: model.forward(ids, replacements: replacements, clipSkip: clipSkip)
    case .penultimateNormed:
      model.forward(ids, replacements: replacements, clipSkip: model.lacksLastLayer ? 1 : 2)
    case .penultimate: model.forward(ids, replacements: replacements, clipSkip: 2, isNormed: false)
    }
  }

  /// A chunk with the encoder's own padding after its first end token.
  private func padded(_ ids: [Int32]) -> [Int32] {
    guard role.padding == .zero, let end = ids.firstIndex(of: tokenizer.vocabulary.endID) else { return ids }
    return ids[...end] + Array(repeating: 0, count: ids.count - end - 1)
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
