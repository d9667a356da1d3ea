import Jobs
import Models
import Prompts
import Tensors
import Tokenization

/// Turns prompts into contexts for the UNet, and remembers the last few: a grid has many images of one prompt.
final class PromptEncoder {
  private let tokenizer: CLIPTokenizer
  private let textModel: CLIPTextModel
  private let unet: UNet
  private let compute: Compute
  private var remembered: [(key: Key, contexts: [UNetContext], count: Int)] = []

  private struct Key: Hashable {
    /// The schedule's texts, as bytes: to `String` more is equal than to the prompt language.
    let texts: [[UInt8]]
    let chunkCount: Int
    let clipSkip: Int
    let emphasis: EmphasisChoice
  }

  /// Contexts kept: those of a full-size model take some 10 MB each.
  private static let capacity = 32

  init(tokenizer: CLIPTokenizer, textModel: CLIPTextModel, unet: UNet, compute: Compute) {
    self.tokenizer = tokenizer
    self.textModel = textModel
    self.unet = unet
    self.compute = compute
  }

  /// How many chunks the longest text of a schedule has.
  func chunkCount(_ schedule: PromptSchedule, emphasis: EmphasisChoice) throws -> Int {
    var texts: Set<[UInt8]> = []
    var count = 1
    for entry in schedule.entries where texts.insert(Array(entry.text.utf8)).inserted {
      count = max(count, try chunks(entry.text, emphasis).count)
    }
    return count
  }

  /// The contexts of a schedule: of each text its chunks of 77 tokens one after the other, emphasised, projected for
  /// every cross-attention.
  ///
  /// - Parameters:
  ///   - schedule: What the prompt says, call by call.
  ///   - chunkCount: The length to reach by repeating the last token, no less than the schedule's own.
  ///   - clipSkip: 1 for the text encoder's last layer.
  ///   - emphasis: What weights do.
  /// - Returns: One context for each entry of the schedule.
  /// - Throws: `PromptError`, or `EngineError` for a clip skip that is too large.
  func timeline(
    _ schedule: PromptSchedule, chunkCount: Int, clipSkip: Int, emphasis: EmphasisChoice
  ) throws -> ContextTimeline {
    let key = Key(
      texts: schedule.entries.map { Array($0.text.utf8) }, chunkCount: chunkCount, clipSkip: clipSkip,
      emphasis: emphasis)
    if let index = remembered.firstIndex(where: { $0.key == key }) {
      let entry = remembered.remove(at: index)
      remembered.append(entry)
      return ContextTimeline(schedule: schedule, contexts: entry.contexts)
    }
    // Equal texts share a place here.
    var places: [[UInt8]: Int] = [:]
    var texts: [(text: String, count: Int)] = []
    let order = zip(key.texts, schedule.entries).map { bytes, entry in
      let place = places[bytes] ?? texts.count
      if place == texts.count {
        places[bytes] = place
        texts.append((entry.text, 0))
      }
      texts[place].count += 1
      return place
    }
    let contexts = try tokens(texts, clipSkip: clipSkip, emphasis: emphasis).map {
      unet.prepare(lengthened($0, to: chunkCount * (PromptChunks.capacity + 2)))
    }
    let inOrder = order.map { contexts[$0] }
    remembered.append((key, inOrder, contexts.count))
    while remembered.count > 1, remembered.reduce(0, { $0 + $1.count }) > Self.capacity { remembered.removeFirst() }
    return ContextTimeline(schedule: schedule, contexts: inOrder)
  }

  /// For each text `[1, 1, 77 * chunks, width]`, all of the same length: short ones end in encodings of the empty chunk.
  ///
  /// The texts are those of one schedule, with how often each of them stands there; emphasis takes the mean over all.
  func tokens(
    _ texts: [(text: String, count: Int)], clipSkip: Int, emphasis: EmphasisChoice
  ) throws -> [Tensor] {
    guard clipSkip <= textModel.layerCount else {
      throw EngineError.clipSkipTooLarge(clipSkip, layers: textModel.layerCount)
    }
    let chunks = try texts.map { try self.chunks($0.text, emphasis) }
    let empty = PromptChunks(runs: [], tokenizer: tokenizer).chunks[0]
    let length = chunks.reduce(1) { max($0, $1.count) }
    var encoded: [[Tensor]] = texts.map { _ in [] }
    for index in 0..<length {
      var column: [PromptChunks.Chunk: EncodedChunk] = [:]
      var order: [PromptChunks.Chunk] = []
      for (text, chunks) in zip(texts, chunks) {
        let chunk = index < chunks.count ? chunks[index] : empty
        if column[chunk] == nil {
          column[chunk] = EncodedChunk(z: textModel.forward(chunk.ids, clipSkip: clipSkip), weights: chunk.weights)
          order.append(chunk)
        }
        column[chunk]?.count += text.count
      }
      emphasis.act(on: order.compactMap { column[$0] })
      for (place, chunks) in chunks.enumerated() {
        if let z = column[index < chunks.count ? chunks[index] : empty]?.z { encoded[place].append(z) }
      }
    }
    return encoded.map(joined)
  }

  private func chunks(_ text: String, _ emphasis: EmphasisChoice) throws -> [PromptChunks.Chunk] {
    guard emphasis == .none else { return try PromptChunks(text, tokenizer: tokenizer).chunks }
    return PromptChunks(runs: [PromptAttention.Run(text: text, weight: 1)], tokenizer: tokenizer).chunks
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

  /// The tokens with the last one repeated, as the webui makes parts of a prompt equally long.
  private func lengthened(_ tokens: Tensor, to length: Int) -> Tensor {
    guard tokens.width < length else { return tokens }
    let longer = compute.tensor(batch: 1, height: 1, width: length, channels: tokens.channels)
    for position in 0..<length {
      let source = tokens.pixel(0, 0, min(position, tokens.width - 1))
      longer.pixel(0, 0, position).update(from: source, count: tokens.channels)
    }
    return longer
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
