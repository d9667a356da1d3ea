import Synchronization

/// Converts text to the token ids of CLIP by byte-level byte-pair encoding.
///
/// The results equal those of `CLIPTokenizer` in Hugging Face's transformers for every text. It may be shared between
/// threads.
public final class CLIPTokenizer: Sendable {
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
  /// `<|startoftext|>` and `<|endoftext|>` in `text` become those tokens.
  public func encode(_ text: String) -> [Int32] {
    let bytes = Array(text.utf8)
    var ids: [Int32] = []
    cache.withLock { cache in
      var start = 0
      var position = 0
      while position < bytes.count {
        guard let special = WordPattern.special(in: bytes, at: position) else {
          position += 1
          continue
        }
        append(bytes[start..<position], to: &ids, cache: &cache)
        ids.append(special == Vocabulary.begin ? vocabulary.beginID : vocabulary.endID)
        position += special.utf8.count
        start = position
      }
      append(bytes[start...], to: &ids, cache: &cache)
    }
    return ids
  }

  private func append(_ text: ArraySlice<UInt8>, to ids: inout [Int32], cache: inout WordCache) {
    let clean = CleanText(text)
    WordPattern.forEachWord(of: clean) { word in
      let word = clean.bytes[word]
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

/// The pattern that splits clean text into words:
/// `<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+`.
enum WordPattern {
  private static let specials = [Vocabulary.begin, Vocabulary.end].map { (text: $0, bytes: Array($0.utf8)) }
  private static let contractions = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"].map { Array($0.utf8) }

  /// The special token whose text begins at `position`.
  static func special(in bytes: [UInt8], at position: Int) -> String? {
    guard bytes[position] == UInt8(ascii: "<") else { return nil }
    return specials.first { bytes[position...].starts(with: $0.bytes) }?.text
  }

  /// Calls `body` with the range of each word in `text.bytes`.
  static func forEachWord(of text: CleanText, _ body: (Range<Int>) -> Void) {
    let bytes = text.bytes
    let kinds = text.kinds
    var start = 0
    while start < bytes.count {
      var end = start + 1
      switch kinds[start] {
      case .space:
        break
      case .number:
        while end < bytes.count, UTF8.isContinuation(bytes[end]) { end += 1 }
        body(start..<end)
      case .letter:
        while end < bytes.count, kinds[end] == .letter { end += 1 }
        body(start..<end)
      case .other:
        if let special = special(in: bytes, at: start) {
          // The text was in capitals and has been lowered. The reference splits it again, by kind.
          end = start + special.utf8.count
          body(start..<(start + 2))
          body((start + 2)..<(end - 2))
          body((end - 2)..<end)
        } else if let contraction = contraction(in: bytes, at: start) {
          end = start + contraction
          body(start..<end)
        } else {
          while end < bytes.count, kinds[end] == .other { end += 1 }
          body(start..<end)
        }
      }
      start = end
    }
  }

  private static func contraction(in bytes: [UInt8], at position: Int) -> Int? {
    guard bytes[position] == UInt8(ascii: "'") else { return nil }
    return contractions.first { bytes[position...].starts(with: $0) }?.count
  }
}

/// A cache of the ids of words, because the prompts of one grid share most of their words.
private struct WordCache {
  private static let wordLimit = 16384
  private static let byteLimit = 64

  private var words: [ArraySlice<UInt8>: [Int32]] = [:]

  subscript(word: ArraySlice<UInt8>) -> [Int32]? {
    get { words[word] }
    set {
      guard word.count <= Self.byteLimit else { return }
      if words.count >= Self.wordLimit { words.removeAll(keepingCapacity: true) }
      // A copy, because a slice would keep the whole text alive.
      words[ArraySlice(Array(word))] = newValue
    }
  }
}
