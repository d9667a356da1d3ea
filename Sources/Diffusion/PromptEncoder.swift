import Networks
import Prompts
import Settings
import Tensors
import Tokenization
import Weights

/// Turns prompts into contexts for the UNet, and remembers the last few: a grid has many images of one prompt.
final class PromptEncoder {
  private let family: ModelFamily
  private let tokenizer: CLIPTokenizer
  /// In the order in which the UNet takes their encodings.
  private let encoders: [TextEncoder]
  private let unet: PagedNetwork<UNet>
  /// Whether the UNet is told the guidance scale.
  let readsGuidance: Bool
  /// Floats that each number of the vector becomes.
  private let numberWidth: Int
  private let compute: Compute
  /// The embeddings that prompts may name.
  private var library: EmbeddingLibrary?
  private var remembered: [(key: Key, contexts: [UNetContext], count: Int)] = []

  private struct Key: Hashable {
    /// The schedule's texts, as bytes: to `String` more is equal than to the prompt language.
    let texts: [[UInt8]]
    let chunkCount: Int
    let settings: TextSettings
  }

  /// Contexts kept: those of a full-size model take some 10 MB each.
  private static let capacity = 32

  /// The encoder of a model's prompts.
  ///
  /// - Parameters:
  ///   - family: What its UNet is told, and how.
  ///   - tokenizer: Of all its text encoders.
  ///   - encoders: In the order of the family's.
  ///   - unet: What prompts are prepared for.
  ///   - readsGuidance: Whether it is told the guidance scale.
  ///   - numberWidth: Floats that each number of the UNet's vector becomes.
  ///   - compute: What the arithmetic runs on.
  init(
    family: ModelFamily, tokenizer: CLIPTokenizer, encoders: [TextEncoder], unet: PagedNetwork<UNet>,
    readsGuidance: Bool, numberWidth: Int, compute: Compute
  ) {
    self.family = family
    self.tokenizer = tokenizer
    self.encoders = encoders
    self.numberWidth = numberWidth
    self.unet = unet
    self.readsGuidance = readsGuidance
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

  /// What a schedule is to become.
  struct Question {
    /// What the prompt says, call by call.
    let schedule: PromptSchedule
    /// The length to reach by repeating the last token, no less than the schedule's own.
    let chunkCount: Int
    /// What else decides the encoding.
    let settings: TextSettings
  }

  /// The contexts of schedules: of each text its chunks of 77 tokens one after the other, emphasised, projected for
  /// every cross-attention.
  ///
  /// All texts are encoded before the UNet is needed, so that the encoders need not be in memory beside it.
  ///
  /// - Parameter questions: The schedules.
  /// - Returns: For each of them one context for each of its entries.
  /// - Throws: `PromptError`, `EngineError` for a clip skip that is too large, or what reading a network throws.
  func timelines(_ questions: [Question]) throws -> [ContextTimeline] {
    let keys = questions.map { question in
      Key(
        texts: question.schedule.entries.map { Array($0.text.utf8) }, chunkCount: question.chunkCount,
        settings: question.settings.reduced(for: family))
    }
    var encoded: [Key: EncodedSchedule] = [:]
    for (key, question) in zip(keys, questions)
    where encoded[key] == nil && !remembered.contains(where: { $0.key == key }) {
      encoded[key] = try encode(question, key)
    }
    if !encoded.isEmpty { for encoder in encoders { encoder.model.release() } }
    // Those of one image must not make each other forgotten.
    return try zip(keys, questions).map { key, question in
      let contexts = try recall(key) ?? encoded[key].map { try prepare($0, question, key) } ?? []
      return ContextTimeline(schedule: question.schedule, contexts: contexts)
    }
  }

  /// The different texts of a schedule.
  private struct EncodedSchedule {
    let encodings: [TextEncoding]
    /// Which of them each entry has.
    let order: [Int]
  }

  private func recall(_ key: Key) -> [UNetContext]? {
    guard let index = remembered.firstIndex(where: { $0.key == key }) else { return nil }
    let entry = remembered.remove(at: index)
    remembered.append(entry)
    return entry.contexts
  }

  private func encode(_ question: Question, _ key: Key) throws -> EncodedSchedule {
    // Equal texts share a place here.
    var places: [[UInt8]: Int] = [:]
    var texts: [(text: String, count: Int)] = []
    let order = zip(key.texts, question.schedule.entries).map { bytes, entry in
      let place = places[bytes] ?? texts.count
      if place == texts.count {
        places[bytes] = place
        texts.append((entry.text, 0))
      }
      texts[place].count += 1
      return place
    }
    let settings = question.settings
    let isSilent = family.zeroesEmptyNegative && settings.isNegative && texts.allSatisfy(\.text.isEmpty)
    let encodings = try encodings(texts, clipSkip: settings.clipSkip, emphasis: settings.emphasis)
    return EncodedSchedule(encodings: isSilent ? encodings.map { $0.zeroed(compute) } : encodings, order: order)
  }

  private func prepare(_ encoded: EncodedSchedule, _ question: Question, _ key: Key) throws -> [UNetContext] {
    let unet = try unet.get()
    let contexts = encoded.encodings.map { encoding in
      let tokens = encoding.lengthened(to: question.chunkCount * (PromptChunks.capacity + 2), compute).tokens
      return unet.prepare(tokens, vector: vector(encoding, question.settings))
    }
    let inOrder = encoded.order.map { contexts[$0] }
    remembered.append((key, inOrder, contexts.count))
    while remembered.count > 1, remembered.reduce(0, { $0 + $1.count }) > Self.capacity { remembered.removeFirst() }
    return inOrder
  }

  /// For each text its encoding, all of the same length: short ones end in encodings of the empty chunk.
  ///
  /// The texts are those of one schedule, with how often each of them stands there; emphasis takes the mean over all.
  func encodings(
    _ texts: [(text: String, count: Int)], clipSkip: Int, emphasis: EmphasisChoice
  ) throws -> [TextEncoding] {
    for encoder in encoders where encoder.role.output == .clipSkip && clipSkip > encoder.configuration.layerCount {
      throw EngineError.clipSkipTooLarge(clipSkip, layers: encoder.configuration.layerCount)
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

  /// What the UNet is told besides tokens and timestep.
  private func vector(_ encoding: TextEncoding, _ settings: TextSettings) -> [Float] {
    family.vector.flatMap { part in
      part == .pooledText
        ? encoding.pooled?.values ?? []
        : part.numbers(settings).flatMap { SinusoidalEmbedding.waves($0, count: numberWidth) }
    }
  }

  private func chunks(_ text: String, _ emphasis: EmphasisChoice) throws -> [PromptChunks.Chunk] {
    let runs = try PromptAttention.Run.runs(text, emphasis)
    guard let library else { return PromptChunks(runs: runs, tokenizer: tokenizer).chunks }
    return try PromptChunks(runs: runs, tokenizer: tokenizer, match: library.match).chunks
  }
}
