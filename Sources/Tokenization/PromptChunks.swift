import Prompts

/// A prompt as the text encoder takes it: chunks of 75 tokens between a begin and an end token.
public struct PromptChunks: Hashable, Sendable {
  /// One input of the text encoder.
  public struct Chunk: Hashable, Sendable {
    /// Begin, up to 75 tokens, then end tokens: `[77]`.
    public let ids: [Int32]
    /// What each token's encoding is multiplied by, 1 for begin, end and padding: `[77]`.
    public let weights: [Float]
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
    var packer = ChunkPacker(vocabulary: tokenizer.vocabulary, commaBacktrack: commaBacktrack)
    for run in runs {
      if run.isBreak {
        packer.close()
      } else {
        for id in tokenizer.encode(run.text) { packer.add(id, weight: Float(run.weight)) }
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
  /// The place of the open chunk's last comma. One that arrives at a full chunk counts as its 76th until it closes.
  private var lastComma: Int?

  init(vocabulary: Vocabulary, commaBacktrack: Int) {
    self.vocabulary = vocabulary
    self.commaBacktrack = commaBacktrack
  }

  mutating func add(_ id: Int32, weight: Float) {
    let isFull = ids.count == PromptChunks.capacity
    if id == vocabulary.commaID {
      lastComma = ids.count
    } else if isFull, commaBacktrack != 0, let comma = lastComma, ids.count - comma <= commaBacktrack {
      let moved = (ids: ids[(comma + 1)...], weights: weights[(comma + 1)...])
      ids.removeSubrange((comma + 1)...)
      weights.removeSubrange((comma + 1)...)
      close()
      ids += moved.ids
      weights += moved.weights
    }
    if ids.count == PromptChunks.capacity { close() }
    ids.append(id)
    weights.append(weight)
  }

  /// Pads the open chunk and begins the next.
  mutating func close() {
    let padding = PromptChunks.capacity + 1 - ids.count
    chunks.append(
      PromptChunks.Chunk(
        ids: [vocabulary.beginID] + ids + Array(repeating: vocabulary.endID, count: padding),
        weights: [1] + weights + Array(repeating: 1, count: padding)))
    ids = []
    weights = []
    lastComma = nil
  }

  mutating func finish() -> [PromptChunks.Chunk] {
    if !ids.isEmpty || chunks.isEmpty { close() }
    return chunks
  }
}
