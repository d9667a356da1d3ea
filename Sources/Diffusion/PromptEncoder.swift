import Jobs
import Models
import Prompts
import Tensors
import Tokenization

/// Turns prompts into contexts for the UNet, and remembers the last few: a grid has many images of one prompt.
final class PromptEncoder {
  private let tokenizer: CLIPTokenizer
  /// In the order in which the UNet takes their encodings.
  private let encoders: [TextEncoder]
  private let unet: UNet
  private let compute: Compute
  /// The embeddings that prompts may name.
  private var library: EmbeddingLibrary?
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

  init(tokenizer: CLIPTokenizer, encoders: [TextEncoder], unet: UNet, compute: Compute) {
    self.tokenizer = tokenizer
    self.encoders = encoders
    self.unet = unet
    self.compute = compute
  }

  /// Has prompts name the embeddings of a library, or none.
  func use(_ library: EmbeddingLibrary?) {
    guard library !== self.library else { return }
    self.library = library
    forget()
  }

  /// Forgets all contexts, because the networks' weights have changed.
  func forget() { remembered = [] }

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
    let contexts = try encodings(texts, clipSkip: clipSkip, emphasis: emphasis).map {
      unet.prepare($0.lengthened(to: chunkCount * (PromptChunks.capacity + 2), compute).tokens)
    }
    let inOrder = order.map { contexts[$0] }
    remembered.append((key, inOrder, contexts.count))
    while remembered.count > 1, remembered.reduce(0, { $0 + $1.count }) > Self.capacity { remembered.removeFirst() }
    return ContextTimeline(schedule: schedule, contexts: inOrder)
  }

  /// For each text its encoding, all of the same length: short ones end in encodings of the empty chunk.
  ///
  /// The texts are those of one schedule, with how often each of them stands there; emphasis takes the mean over all.
  func encodings(
    _ texts: [(text: String, count: Int)], clipSkip: Int, emphasis: EmphasisChoice
  ) throws -> [TextEncoding] {
    for encoder in encoders where encoder.role.output == .clipSkip && clipSkip > encoder.model.layerCount {
      throw EngineError.clipSkipTooLarge(clipSkip, layers: encoder.model.layerCount)
    }
    let chunks = try texts.map { (try self.chunks($0.text, emphasis), $0.count) }
    let empty = PromptChunks(runs: [], tokenizer: tokenizer).chunks[0]
    let encodings = try encoders.enumerated().map { number, encoder in
      try encoder.encode(chunks, empty: empty, clipSkip: clipSkip, emphasis: emphasis) { [library] embedding in
        try library?.vectors(embedding, encoder: number) ?? []
      }
    }
    return texts.indices.map { text in TextEncoding(joining: encodings.map { $0[text] }, compute) }
  }

  private func chunks(_ text: String, _ emphasis: EmphasisChoice) throws -> [PromptChunks.Chunk] {
    let runs = try PromptAttention.Run.runs(text, emphasis)
    guard let library else { return PromptChunks(runs: runs, tokenizer: tokenizer).chunks }
    return try PromptChunks(runs: runs, tokenizer: tokenizer, match: library.match).chunks
  }
}
