import Synchronization

/// Converts text to the token ids of CLIP by byte-level byte-pair encoding.
///
/// The results equal those of the webui's tokenizers for every text, see `TextCleaning`. It may be shared between threads.
public final class CLIPTokenizer: Sendable {
  /// Rises whenever a text that is repaired gets other tokens than before.
  public static let repairVersion = 1

  /// The tokens and merges in use.
  public let vocabulary: Vocabulary

  private let encoder: BytePairEncoder
  private let cache = Mutex(WordCache())

  /// A tokenizer with this vocabulary.
  public init(_ vocabulary: Vocabulary) {
    self.vocabulary = vocabulary
    encoder = BytePairEncoder(vocabulary)
  }

  /// The ids of `text`, without begin and end tokens. Their number is not limited.
  ///
  /// The special texts of the cleaning become the tokens for begin and end: `<|startoftext|>` and `<|endoftext|>` for CLIP.
  public func encode(_ text: String, _ cleaning: TextCleaning = .clip) -> [Int32] {
    let bytes = Array(text.utf8)
    let pattern = WordPattern(cleaning)
    var ids: [Int32] = []
    cache.withLock { cache in
      var start = 0
      var position = 0
      // CLIP's tokenizer cuts special texts out before it cleans what is between them, OpenCLIP's finds them afterwards.
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

  /// Whether a text has other tokens than before text was repaired, see `TextCleaning.unrepaired`.
  public func isRepaired(_ text: String, by cleanings: [TextCleaning]) -> Bool {
    guard TextCleaning.mayMatter(for: text) else { return false }
    let before = encode(text, .unrepaired)
    return cleanings.contains { encode(text, $0) != before }
  }

  private func append(
    _ text: ArraySlice<UInt8>, _ pattern: WordPattern, _ cleaning: TextCleaning, to ids: inout [Int32],
    cache: inout WordCache
  ) {
    let clean = CleanText(text, cleaning)
    pattern.forEachWord(of: clean) { append($0, of: clean.bytes, to: &ids, cache: &cache) }
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
