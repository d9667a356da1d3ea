import Synchronization

/// Converts text to the token ids of Qwen2 and Qwen3 by byte-level byte-pair encoding.
///
/// The results are those of the `tokenizers` library for every text. It can be shared between threads.
public final class QwenTokenizer: Sendable {
  /// The file with the vocabulary.
  public let path: String
  /// The highest id plus one. The encoder's token embedding must have at least this many rows.
  public let count: Int
  /// The id of `<|endoftext|>`, which prompts are padded with; nil if the vocabulary has none.
  public let endOfTextID: Int32?
  /// The vocabulary as bytes, which are the same for every file format; used for digests.
  public let canonicalBytes: [UInt8]

  private let splitter: AddedTokenSplitter
  private let normalizedSplitter: AddedTokenSplitter?
  private let encoder: BytePairEncoder
  private let cache = Mutex(WordCache())

  /// Reads a `tokenizer.json`, or a `vocab.json` and a `merges.txt` in one folder.
  ///
  /// Throws `unreadableFile` or `damagedTokenizer`.
  public convenience init(contentsOf path: String) throws(TokenizationError) {
    self.init(try QwenVocabulary(contentsOf: path))
  }

  /// Creates a tokenizer from the metadata of a GGUF file.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - tokens: `tokenizer.ggml.tokens`.
  ///   - types: `tokenizer.ggml.token_type`.
  ///   - merges: `tokenizer.ggml.merges`.
  /// - Throws: `damagedTokenizer`.
  public convenience init(path: String, tokens: [String], types: [Int], merges: [String]) throws(TokenizationError) {
    self.init(try QwenVocabulary(path: path, tokens: tokens, types: types, merges: merges))
  }

  /// Whether a file is a `tokenizer.json` of byte-pair encoding with Qwen's special tokens, or a `vocab.json` of such a vocabulary.
  ///
  /// Only a few of the tokens are read. The result is false for a file that cannot be read.
  public static func recognises(path: String) -> Bool { QwenVocabulary.recognises(path: path) }

  init(_ vocabulary: QwenVocabulary) {
    path = vocabulary.path
    count = vocabulary.count
    canonicalBytes = vocabulary.canonicalBytes
    let end = Array("<|endoftext|>".utf8)
    endOfTextID = vocabulary.addedTokens.first { $0.content == end }?.id
    splitter = AddedTokenSplitter(vocabulary.addedTokens.filter { !$0.isNormalized })
    let normalized = vocabulary.addedTokens.filter(\.isNormalized).map { token in
      AddedToken(
        id: token.id, content: Self.normalized(token.content[...]).flatMap { Array(UTF8.encode($0) ?? .init()) },
        isSingleWord: token.isSingleWord, takesSpaceBefore: token.takesSpaceBefore,
        takesSpaceAfter: token.takesSpaceAfter)
    }
    normalizedSplitter = normalized.isEmpty ? nil : AddedTokenSplitter(normalized)
    encoder = BytePairEncoder(
      byteIDs: vocabulary.byteIDs, lastByteIDs: vocabulary.byteIDs, merges: vocabulary.merges)
  }

  /// The ids of `text`. Texts such as `<|im_start|>` become the tokens with these names. The number of ids is not limited.
  public func encode(_ text: String) -> [Int32] {
    let bytes = Array(text.utf8)
    var ids: [Int32] = []
    cache.withLock { cache in
      for part in splitter.parts(of: bytes) {
        switch part {
        case .token(let id): ids.append(id)
        case .text(let range): append(Self.normalized(bytes[range]), to: &ids, &cache)
        }
      }
    }
    return ids
  }

  private static func normalized(_ bytes: ArraySlice<UInt8>) -> [Unicode.Scalar] {
    NormalForm.composed(
      Array(String(decoding: bytes, as: UTF8.self).unicodeScalars), unicode: UnicodeAge.tokenizersNormalForm)
  }

  private func append(_ text: [Unicode.Scalar], to ids: inout [Int32], _ cache: inout WordCache) {
    guard let normalizedSplitter else { return appendWords(of: text, to: &ids, &cache) }
    var bytes: [UInt8] = []
    for scalar in text { bytes += UTF8.encode(scalar) ?? .init() }
    for part in normalizedSplitter.parts(of: bytes) {
      switch part {
      case .token(let id): ids.append(id)
      case .text(let range):
        appendWords(of: Array(String(decoding: bytes[range], as: UTF8.self).unicodeScalars), to: &ids, &cache)
      }
    }
  }

  private func appendWords(of text: [Unicode.Scalar], to ids: inout [Int32], _ cache: inout WordCache) {
    QwenWords.forEach(in: text) { word in
      var bytes: [UInt8] = []
      for scalar in word { bytes += UTF8.encode(scalar) ?? .init() }
      let word = bytes[...]
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
