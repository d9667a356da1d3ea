import Prompts

/// A prompt as the text encoder takes it: chunks of 75 tokens between a begin and an end token.
public struct PromptChunks: Hashable, Sendable {
  /// One input of the text encoder.
  public struct Chunk: Hashable, Sendable {
    /// Begin, up to 75 tokens, then end tokens: `[77]`.
    public let ids: [Int32]
    /// What each token's encoding is multiplied by, 1 for begin, end and padding: `[77]`.
    public let weights: [Float]
    /// Where vectors stand in the place of tokens, whose ids are 0 there.
    public let embeddings: [Placement]
  }

  /// The place of an embedding in a chunk.
  public struct Placement: Hashable, Sendable {
    /// The first of its tokens among the chunk's 77.
    public let position: Int
    /// Which embedding it is.
    public let number: Int
  }

  /// The tokens of a chunk between begin and end.
  public static let capacity = 75

  /// The chunks in order, at least one; an empty prompt gives one of begin and end tokens.
  public let chunks: [Chunk]

  /// Parts `prompt` by the webui's emphasis syntax and packs its tokens.
  ///
  /// A `BREAK` closes a chunk. Where a chunk is full and the next token is not a comma, the tokens after the chunk's last
  /// comma move to the next chunk, if it is among the last `commaBacktrack` tokens; 0 turns that off. Throws what
  /// `PromptAttention` throws.
  public init(_ prompt: String, tokenizer: CLIPTokenizer, commaBacktrack: Int = 20) throws(PromptError) {
    let runs = try PromptAttention(prompt).runs
    self.init(runs: runs, tokenizer: tokenizer, commaBacktrack: commaBacktrack)
  }

  /// Packs the tokens of runs whose weights are known; each run is tokenized on its own.
  public init(runs: [PromptAttention.Run], tokenizer: CLIPTokenizer, commaBacktrack: Int = 20) {
    self.init(runs: runs, tokenizer: tokenizer, commaBacktrack: commaBacktrack) { _, _ in nil }
  }

  /// Packs the tokens of runs, with embeddings in the places of their names.
  ///
  /// An embedding counts as many tokens as it has vectors, and is never parted: one that does not fit into a chunk begins
  /// the next. Where the tokens after a comma move to the next chunk, an embedding among them moves with them (the webui
  /// leaves its vectors behind).
  ///
  /// - Parameters:
  ///   - runs: The parts of a prompt.
  ///   - tokenizer: The model's.
  ///   - commaBacktrack: How far back a chunk is parted at a comma.
  ///   - match: The embedding whose name begins at a place of a run's tokens, if there is one; of 75 vectors at most.
  /// - Throws: What `match` throws.
  public init(
    runs: [PromptAttention.Run], tokenizer: CLIPTokenizer, commaBacktrack: Int = 20,
    match: (_ tokens: [Int32], _ place: Int) throws -> PromptEmbedding?
  ) rethrows {
    var packer = ChunkPacker(vocabulary: tokenizer.vocabulary, commaBacktrack: commaBacktrack)
    for run in runs {
      if run.isBreak {
        packer.close()
      } else {
        let tokens = tokenizer.encode(run.text)
        var place = 0
        while place < tokens.count {
          let embedding = try match(tokens, place)
          packer.add(tokens[place], embedding, weight: Float(run.weight))
          place += max(embedding?.tokenCount ?? 1, 1)
        }
      }
    }
    chunks = packer.finish()
  }
}

private struct ChunkPacker {
  let vocabulary: Vocabulary
  let commaBacktrack: Int
  private var chunks: [PromptChunks.Chunk] = []
  private var ids: [Int32] = []
  private var weights: [Float] = []
  /// Positions count from the first token of the chunk.
  private var embeddings: [PromptChunks.Placement] = []
  /// The place of the open chunk's last comma. One that arrives at a full chunk counts as its 76th until it closes.
  private var lastComma: Int?

  init(vocabulary: Vocabulary, commaBacktrack: Int) {
    self.vocabulary = vocabulary
    self.commaBacktrack = commaBacktrack
  }

  /// Adds a token, or the vectors of an embedding whose name begins with it.
  mutating func add(_ id: Int32, _ embedding: PromptEmbedding?, weight: Float) {
    let isFull = ids.count == PromptChunks.capacity
    if id == vocabulary.commaID {
      lastComma = ids.count
    } else if isFull, commaBacktrack != 0, let comma = lastComma, ids.count - comma <= commaBacktrack {
      let moved = (ids: ids[(comma + 1)...], weights: weights[(comma + 1)...])
      ids.removeSubrange((comma + 1)...)
      weights.removeSubrange((comma + 1)...)
      let placed = embeddings.filter { $0.position > comma }
      embeddings.removeAll { $0.position > comma }
      close()
      ids += moved.ids
      weights += moved.weights
      embeddings = placed.map { PromptChunks.Placement(position: $0.position - comma - 1, number: $0.number) }
    }
    let count = embedding?.vectorCount ?? 1
    precondition(count <= PromptChunks.capacity, "an embedding fits into a chunk")
    if ids.count + count > PromptChunks.capacity { close() }
    if let embedding { embeddings.append(PromptChunks.Placement(position: ids.count, number: embedding.number)) }
    ids += Array(repeating: embedding == nil ? id : 0, count: count)
    weights += Array(repeating: weight, count: count)
  }

  /// Pads the open chunk and begins the next.
  mutating func close() {
    let padding = PromptChunks.capacity + 1 - ids.count
    chunks.append(
      PromptChunks.Chunk(
        ids: [vocabulary.beginID] + ids + Array(repeating: vocabulary.endID, count: padding),
        weights: [1] + weights + Array(repeating: 1, count: padding),
        embeddings: embeddings.map { PromptChunks.Placement(position: $0.position + 1, number: $0.number) }))
    ids = []
    weights = []
    embeddings = []
    lastComma = nil
  }

  mutating func finish() -> [PromptChunks.Chunk] {
    if !ids.isEmpty || chunks.isEmpty { close() }
    return chunks
  }
}
