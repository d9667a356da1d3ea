import Synchronization
import Text

/// Converts text to CLIP's token ids by byte-level byte-pair encoding.
///
/// The results are those of the webui's tokenizers for every text, see `TextCleaning`. It can be shared between threads.
public final class CLIPTokenizer: Sendable {
  /// Rises when a repaired text gets other tokens than before.
  public static let repairVersion = 1

  /// The tokens and merges in use.
  public let vocabulary: Vocabulary

  private let encoder: BytePairEncoder
  private let cache = Mutex(WordCache())
  /// Finds added tokens: some in the text as it is, some in the cleaned text; nil if there are none.
  private let splitter: AddedTokenSplitter?
  private let cleanSplitter: AddedTokenSplitter?
  private let addedTokens: [AddedToken]
  private let rows: Int

  /// Creates a tokenizer with this vocabulary.
  ///
  /// - Parameters:
  ///   - vocabulary: The vocabulary.
  ///   - rows: The number of rows of the text encoder's token embedding. Added tokens beyond them are not used; with 0, none
  ///     are.
  public init(_ vocabulary: Vocabulary, rows: Int = 0) {
    self.vocabulary = vocabulary
    self.rows = rows
    encoder = BytePairEncoder(vocabulary)
    let tokens = vocabulary.addedTokens.filter { $0.id < rows }
    addedTokens = tokens.sorted { $0.id < $1.id }
    let verbatim = tokens.filter { !$0.isNormalized }
    let normalized = tokens.filter(\.isNormalized).map { token in
      AddedToken(
        id: token.id, content: CleanText(token.content[...], .unrepaired).withSingleBlanks.bytes,
        isSingleWord: token.isSingleWord,
        takesSpaceBefore: token.takesSpaceBefore, takesSpaceAfter: token.takesSpaceAfter)
    }
    splitter = verbatim.isEmpty ? nil : AddedTokenSplitter(verbatim)
    cleanSplitter = normalized.isEmpty ? nil : AddedTokenSplitter(normalized)
  }

  /// The ids of `text`, without begin and end tokens. Their number is not limited.
  ///
  /// The special texts of the cleaning become the begin and end tokens: `<|startoftext|>` and `<|endoftext|>` for CLIP.
  public func encode(_ text: String, _ cleaning: TextCleaning = .clip) -> [Int32] {
    let bytes = Array(text.utf8)
    guard let splitter else { return encode(bytes, cleaning) }
    return splitter.parts(of: bytes).flatMap { part in
      switch part {
      case .text(let range): encode(Array(bytes[range]), cleaning)
      case .token(let id): [id]
      }
    }
  }

  private func encode(_ bytes: [UInt8], _ cleaning: TextCleaning) -> [Int32] {
    let pattern = WordPattern(cleaning)
    var ids: [Int32] = []
    cache.withLock { cache in
      var start = 0
      var position = 0
      // CLIP's tokenizer cuts out special texts before it cleans what is between them; OpenCLIP's finds them afterwards.
      while cleaning != .openCLIP, position < bytes.count {
        guard let special = pattern.special(in: bytes, at: position) else {
          position += 1
          continue
        }
        append(bytes[start..<position], pattern, cleaning, to: &ids, cache: &cache)
        append(special.word, of: [], to: &ids, cache: &cache)
        position += special.length
        start = position
      }
      append(bytes[start...], pattern, cleaning, to: &ids, cache: &cache)
    }
    return ids
  }

  /// Whether a text gets other tokens than before text was repaired, see `TextCleaning.unrepaired`.
  public func isRepaired(_ text: String, by cleanings: [TextCleaning]) -> Bool {
    guard TextCleaning.mayMatter(for: text) else { return false }
    let before = encode(text, .unrepaired)
    return cleanings.contains { encode(text, $0) != before }
  }

  /// What users should know about tokens that the files add, and the text encoder has no rows for; empty if there are none.
  public var remarks: [String] {
    let unused = vocabulary.addedTokens(beyond: rows)
    if unused.isEmpty { return [] }
    return [
      "\(vocabulary.path): the files next to it add \(unused.prefix(5).map(\.abridged).joined(separator: ", "))"
        + "\(unused.count > 5 ? " ..." : "") to the vocabulary, but the text encoder knows \(rows) tokens: prompts read it as "
        + "other words"
    ]
  }

  /// Whether there are added tokens.
  public var addsTokens: Bool { !addedTokens.isEmpty }

  /// The added tokens in a text as bytes, for digests; empty if it has none.
  public func addedTokenBytes(in text: String, by cleanings: [TextCleaning]) -> [UInt8] {
    if addedTokens.isEmpty { return [] }
    let used = Set(cleanings.flatMap { encode(text, $0) })
    return addedTokens.filter { used.contains($0.id) }.flatMap(\.canonicalBytes)
  }

  private func append(
    _ text: ArraySlice<UInt8>, _ pattern: WordPattern, _ cleaning: TextCleaning, to ids: inout [Int32],
    cache: inout WordCache
  ) {
    let all = CleanText(text, cleaning)
    guard let cleanSplitter else {
      pattern.forEachWord(of: all) { append($0, of: all.bytes, to: &ids, cache: &cache) }
      return
    }
    let clean = all.withSingleBlanks
    for part in cleanSplitter.parts(of: clean.bytes) {
      switch part {
      case .text(let range):
        let text = clean[range]
        pattern.forEachWord(of: text) { append($0, of: text.bytes, to: &ids, cache: &cache) }
      case .token(let id): ids.append(id)
      }
    }
  }

  private func append(
    _ word: WordPattern.Word, of bytes: [UInt8], to ids: inout [Int32], cache: inout WordCache
  ) {
    switch word {
    case .begin: ids.append(vocabulary.beginID)
    case .end: ids.append(vocabulary.endID)
    case .bytes(let range):
      let word = bytes[range]
      if let known = cache[word] {
        ids += known
      } else {
        let new = encoder.encode(word)
        cache[word] = new
        ids += new
      }
    }
  }
}
