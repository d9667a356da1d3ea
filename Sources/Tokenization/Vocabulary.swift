/// A CLIP byte-pair vocabulary: the tokens with their ids, and the merges in the order in which they are applied.
public struct Vocabulary: Sendable {
  /// The file with the merges.
  public let path: String
  /// The id of `<|startoftext|>`, which opens every chunk.
  public let beginID: Int32
  /// The id of `<|endoftext|>`, which closes and pads every chunk, and replaces tokens that the vocabulary lacks.
  public let endID: Int32
  /// The id of a comma at the end of a word, where long prompts may be broken; nil if the vocabulary has none.
  public let commaID: Int32?
  /// The highest id plus one. The text encoder's token embedding must have this many rows.
  public let count: Int

  /// The id of each token, written as in the file.
  let ids: [String: Int32]
  /// The merges by rank; the first one is applied before all others.
  let merges: [Merge]
  /// The texts that the files next to the merges define as tokens, besides begin and end.
  let addedTokens: [AddedToken]
  /// Whether the ids are derived from the merges. All ids are wrong then if merges are missing.
  private let isNumberedByMerges: Bool

  /// Two neighbouring tokens that become one.
  struct Merge: Hashable, Sendable {
    let left: Int32
    let right: Int32
    let result: Int32
  }

  static let begin = "<|startoftext|>"
  static let end = "<|endoftext|>"

  /// Whether another vocabulary gives every text the same ids.
  public func isSame(as other: Vocabulary) -> Bool {
    func bytes(_ tokens: [AddedToken]) -> [UInt8] { tokens.sorted { $0.id < $1.id }.flatMap(\.canonicalBytes) }
    return canonicalBytes == other.canonicalBytes && bytes(addedTokens) == bytes(other.addedTokens)
  }

  /// The id of a token as the file writes it, such as `cat</w>`; nil if the vocabulary lacks it.
  public func id(of token: String) -> Int32? { ids[token] }

  /// The vocabulary as bytes, which are the same for every file format; used for digests.
  ///
  /// Tokens in the order of their ids, each as `id length token`, then the merges by rank, each as two ids; one per line.
  public var canonicalBytes: [UInt8] {
    var bytes: [UInt8] = []
    for (token, id) in ids.sorted(by: { $0.value < $1.value }) {
      bytes += "\(id) \(token.utf8.count) ".utf8
      bytes += token.utf8
      bytes.append(UInt8(ascii: "\n"))
    }
    for merge in merges { bytes += "\(merge.left) \(merge.right)\n".utf8 }
    return bytes
  }
}

extension Vocabulary {
  /// How many merges of `bpe_simple_vocab_16e6.txt` CLIP uses: 49152 minus 256 bytes and 2 special tokens.
  static let clipMergeCount = 49152 - 256 - 2

  /// Reads `merges.txt` (with the ids of a `vocab.json` next to it, if there is one), `bpe_simple_vocab_16e6.txt`, both also
  /// gzipped, or a `tokenizer.json`.
  ///
  /// Without a `vocab.json`, ids are derived from the merges as CLIP numbers them: bytes, bytes that end a word, merges, begin,
  /// end. An `added_tokens.json` and a `tokenizer_config.json` next to `merges.txt` add tokens. Throws `unreadableFile` or
  /// `damagedVocabulary`.
  public init(contentsOf path: String) throws(TokenizationError) {
    let file = VocabularyFile(path: path)
    if file.name.hasSuffix(".json") {
      self = try file.readTokenizerJSON()
    } else {
      let limit = file.name.hasPrefix("bpe_simple_vocab") ? Self.clipMergeCount : Int.max
      let pairs = try file.readMerges(limit: limit)
      let known = try file.beside("vocab.json").map { json throws(TokenizationError) in try json.readIDs() }
      let ids = known ?? Self.ids(following: pairs)
      var added = file.name == "merges.txt" ? try file.readAddedTokens() : []
      // Some files list tokens that are already in the vocabulary.
      if !added.isEmpty {
        let own = Set(ids.values)
        added.removeAll { own.contains($0.id) }
      }
      try self.init(ids: ids, pairs: pairs, file: file, isNumberedByMerges: known == nil, addedTokens: added)
    }
  }

  /// Numbers the tokens that result from `pairs` as CLIP does.
  private static func ids(following pairs: [VocabularyFile.Pair]) -> [String: Int32] {
    let bytes = ByteAlphabet.characters.map(\.character)
    var ids: [String: Int32] = [:]
    ids.reserveCapacity(pairs.count + 514)
    var next: Int32 = 0
    func add(_ token: String) {
      ids[token] = next
      next += 1
    }
    for byte in bytes { add(byte) }
    for byte in bytes { add(byte + ByteAlphabet.endOfWord) }
    for pair in pairs { add(pair.left + pair.right) }
    add(begin)
    add(end)
    return ids
  }

  /// Creates a vocabulary, after checking that tokens and merges match.
  init(
    ids: [String: Int32], pairs: [VocabularyFile.Pair], file: VocabularyFile, isNumberedByMerges: Bool = false,
    addedTokens: [AddedToken] = []
  ) throws(TokenizationError) {
    func id(_ token: String, line: Int?) throws(TokenizationError) -> Int32 {
      if let id = ids[token] { return id }
      throw file.damaged(line: line, found: "a merge with \"\(token)\"", expected: "only tokens of the vocabulary")
    }
    var merges: [Merge] = []
    merges.reserveCapacity(pairs.count)
    for pair in pairs {
      merges.append(
        Merge(
          left: try id(pair.left, line: pair.line), right: try id(pair.right, line: pair.line),
          result: try id(pair.left + pair.right, line: pair.line)))
    }
    if !isNumberedByMerges { try Self.requireMerges(merges, for: ids, addedTokens, file) }
    guard let beginID = ids[Self.begin], let endID = ids[Self.end] else {
      let missing = ids[Self.begin] == nil ? Self.begin : Self.end
      throw file.damaged(found: "no token \(missing)", expected: "both \(Self.begin) and \(Self.end)")
    }
    self.path = file.path
    self.beginID = beginID
    self.endID = endID
    self.commaID = ids["," + ByteAlphabet.endOfWord]
    self.count = Int(ids.values.max() ?? -1) + 1
    self.ids = ids
    self.merges = merges
    self.isNumberedByMerges = isNumberedByMerges
    self.addedTokens = addedTokens.filter { token in
      !token.content.isEmpty && ![Self.begin, Self.end].contains(String(decoding: token.content, as: UTF8.self))
    }
  }

  /// Throws unless there is a merge for every token that is longer than a byte. Without the last merges of a truncated file,
  /// words would get other tokens, and nothing else would show that.
  private static func requireMerges(
    _ merges: [Merge], for ids: [String: Int32], _ addedTokens: [AddedToken], _ file: VocabularyFile
  ) throws(TokenizationError) {
    let results = Set(merges.map(\.result))
    let added = Set(addedTokens.map(\.id))
    let missing = ids.filter { token, id in
      let text =
        token.hasSuffix(ByteAlphabet.endOfWord) ? Substring(token.dropLast(ByteAlphabet.endOfWord.count)) : token[...]
      // Tokens for padding and similar purposes are in angle brackets, and some vocabularies list them.
      let isSpecial = token.hasPrefix("<") && token.hasSuffix(">") && text.count == token.count
      return !results.contains(id) && text.unicodeScalars.count > 1 && !isSpecial && !added.contains(id)
    }
    guard let first = missing.min(by: { $0.value < $1.value }) else { return }
    throw file.damaged(
      found: "\(merges.count) merges, none of which results in \"\(first.key)\" (\(missing.count) such tokens)",
      expected: "a merge for every token of the vocabulary")
  }

  /// Checks that a text encoder with this many rows can belong to the vocabulary, if the files alone do not show it.
  ///
  /// Throws `damagedVocabulary` if merges are missing.
  public func requireComplete(rows: Int) throws(TokenizationError) {
    guard isNumberedByMerges, count < rows, merges.count != Self.clipMergeCount else { return }
    throw VocabularyFile(path: path).damaged(
      found: "\(merges.count) merges, which result in \(count) tokens",
      expected: "\(rows) tokens, as the model's text encoder has")
  }

  /// The texts of the added tokens that are beyond the rows of a text encoder.
  public func addedTokens(beyond rows: Int) -> [String] {
    addedTokens.filter { $0.id >= rows }.map { String(decoding: $0.content, as: UTF8.self) }
  }
}
