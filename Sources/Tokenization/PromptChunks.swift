import Prompts

/// A prompt as input for the text encoder: chunks of 75 tokens between a begin and an end token.
public struct PromptChunks: Hashable, Sendable {
  /// One input of the text encoder.
  public struct Chunk: Hashable, Sendable {
    /// Begin, up to 75 tokens, then end tokens: `[77]`.
    public let ids: [Int32]
    /// The factor of each token's encoding, 1 for begin, end and padding: `[77]`.
    public let weights: [Float]
    /// The embeddings whose vectors replace tokens. The ids of these tokens are 0.
    public let embeddings: [Placement]
  }

  /// The position of an embedding in a chunk.
  public struct Placement: Hashable, Sendable {
    /// The index of its first token among the chunk's 77.
    public let position: Int
    /// The number of the embedding.
    public let number: Int
  }

  /// The number of tokens of a chunk between begin and end.
  public static let capacity = 75

  /// The chunks in order, at least one. An empty prompt has one chunk of begin and end tokens.
  public let chunks: [Chunk]

  /// Splits `prompt` by the webui's emphasis syntax and packs its tokens into chunks.
  ///
  /// A `BREAK` closes a chunk. If a chunk is full and the next token is not a comma, the tokens after the chunk's last comma
  /// move to the next chunk. This happens only if the comma is among the last `commaBacktrack` tokens; 0 turns it off. Throws
  /// the errors of `PromptAttention`.
  public init(
    _ prompt: String, tokenizer: CLIPTokenizer, cleaning: TextCleaning = .clip, commaBacktrack: Int = 20
  ) throws(PromptError) {
    let runs = try PromptAttention(prompt).runs
    self.init(runs: runs, tokenizer: tokenizer, cleaning: cleaning, commaBacktrack: commaBacktrack)
  }

  /// Packs the tokens of runs with given weights; each run is tokenized separately.
  public init(
    runs: [PromptAttention.Run], tokenizer: CLIPTokenizer, cleaning: TextCleaning = .clip, commaBacktrack: Int = 20
  ) {
    self.init(runs: runs, tokenizer: tokenizer, cleaning: cleaning, commaBacktrack: commaBacktrack) { _, _ in nil }
  }

  /// Packs the tokens of runs; embeddings replace their names.
  ///
  /// An embedding counts as many tokens as it has vectors, and is never split: if it does not fit into a chunk, it starts the
  /// next one. If the tokens after a comma move to the next chunk, an embedding among them moves too (the webui leaves its
  /// vectors behind).
  ///
  /// - Parameters:
  ///   - runs: The parts of a prompt.
  ///   - tokenizer: The model's tokenizer.
  ///   - cleaning: How the text of each run is cleaned; its weights were read before.
  ///   - commaBacktrack: A chunk may be broken at a comma among this many tokens at its end.
  ///   - match: Returns the embedding whose name starts at a position in a run's tokens, if there is one. It has at most 75
  ///     vectors.
  /// - Throws: The errors of `match`.
  public init(
    runs: [PromptAttention.Run], tokenizer: CLIPTokenizer, cleaning: TextCleaning = .clip, commaBacktrack: Int = 20,
    match: (_ tokens: [Int32], _ position: Int) throws -> PromptEmbedding?
  ) rethrows {
    var packer = ChunkPacker(vocabulary: tokenizer.vocabulary, commaBacktrack: commaBacktrack)
    for run in runs {
      if run.isBreak {
        packer.close()
      } else {
        let tokens = tokenizer.encode(run.text, cleaning)
        var position = 0
        while position < tokens.count {
          let embedding = try match(tokens, position)
          packer.add(tokens[position], embedding, weight: Float(run.weight))
          position += max(embedding?.tokenCount ?? 1, 1)
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
  /// The embeddings; positions count from the first token after the begin token.
  private var embeddings: [PromptChunks.Placement] = []
  /// The index of the open chunk's last comma. A comma that arrives at a full chunk counts as its 76th token.
  private var lastComma: Int?

  init(vocabulary: Vocabulary, commaBacktrack: Int) {
    self.vocabulary = vocabulary
    self.commaBacktrack = commaBacktrack
  }

  /// Adds a token, or the vectors of an embedding whose name starts with it.
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

  /// Pads the open chunk and starts the next one.
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
