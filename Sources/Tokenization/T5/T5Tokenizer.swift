import JSON
import Text

/// Converts text to the token ids of T5: the pieces with the largest sum of scores.
///
/// For every text, the results are those of the `tokenizers` library with a `tokenizer.json`, and those of SentencePiece with a
/// `spiece.model`. It can be shared between threads.
public final class T5Tokenizer: Sendable {
  /// The file with the vocabulary.
  public let path: String
  /// The highest id plus one. The encoder's token embedding must have at least this many rows.
  public let count: Int
  /// The id of `</s>`, which ends every text.
  public let endID: Int32
  /// The id of `<pad>`, which texts are padded with.
  public let fillID: Int32
  /// The vocabulary as bytes, which are the same for equal tokenizers; used for digests.
  public let canonicalBytes: [UInt8]

  private let text: T5Text
  private let model: UnigramModel
  private let splitter: AddedTokenSplitter
  private let normalizedSplitter: AddedTokenSplitter?

  /// The number of tokens `<extra_id_0>` ... after the pieces of a `spiece.model`.
  private static let extraCount = 100

  /// Reads a `tokenizer.json` or a `spiece.model`, recognised by its content.
  ///
  /// Throws `unreadableFile` or `damagedTokenizer`.
  public convenience init(contentsOf path: String) throws(TokenizationError) {
    let bytes = try VocabularyFile(path: path).readBytes()
    if bytes.first(where: { !JSONCursor.isBlank($0) }) == UInt8(ascii: "{") {
      try self.init(try TokenizerDocument(path: path, bytes: bytes, for: .t5))
    } else {
      try self.init(try SentencePieceFile(path: path, bytes: bytes), path: path, file: bytes)
    }
  }

  /// Whether a file is a `tokenizer.json` of the unigram kind, or is named like a SentencePiece model.
  ///
  /// The tokens are not read. The result is false for a file that cannot be read.
  public static func recognises(path: String) -> Bool {
    let file = VocabularyFile(path: path)
    if file.name.hasSuffix(".model") { return true }
    guard let bytes = try? file.readBytes() else { return false }
    return (try? TokenizerDocument(path: path, bytes: bytes, for: .t5))?.modelType == "Unigram"
  }

  private init(
    path: String, text: T5Text, pieces: [UnigramModel.Piece], unknownID: Int32, sums: UnigramModel.Sums,
    leastScore: Double, addedTokens: [AddedToken], count: Int, canonicalBytes: [UInt8]
  ) throws(TokenizationError) {
    func id(_ name: String) throws(TokenizationError) -> Int32 {
      let bytes = Array(name.utf8)
      guard let token = addedTokens.first(where: { $0.content == bytes }) else {
        throw .damagedTokenizer(path: path, position: nil, purpose: .t5, reason: "it has no token \(name)")
      }
      return token.id
    }
    self.path = path
    self.text = text
    self.count = count
    self.canonicalBytes = canonicalBytes
    endID = try id("</s>")
    fillID = try id("<pad>")
    model = UnigramModel(pieces, unknownID: unknownID, leastScore: leastScore, sums: sums)
    splitter = AddedTokenSplitter(addedTokens.filter { !$0.isNormalized })
    let normalized = addedTokens.filter(\.isNormalized).map { token in
      AddedToken(
        id: token.id, content: text.normalized(token.content), isSingleWord: token.isSingleWord,
        takesSpaceBefore: token.takesSpaceBefore, takesSpaceAfter: token.takesSpaceAfter)
    }
    normalizedSplitter = normalized.isEmpty ? nil : AddedTokenSplitter(normalized)
  }

  private convenience init(_ document: TokenizerDocument) throws(TokenizationError) {
    guard document.modelType == "Unigram" else {
      throw document.damaged("it is a tokenizer of the type \(document.modelType.abridged), expected Unigram")
    }
    if document["byte_fallback"] == .bool(true) {
      throw document.damaged("it has byte_fallback, which T5's tokenizer does not have")
    }
    guard let unknown = document["unk_id"]?.integerValue.flatMap(Int32.init(exactly:)), unknown >= 0 else {
      throw document.damaged("it has no \"unk_id\" in \"model\"")
    }
    var pieces: [UnigramModel.Piece] = []
    try document.readVocabulary { cursor throws(JSONError) in
      try cursor.array { cursor throws(JSONError) in
        let start = cursor.offset
        let pair = try cursor.value().elements ?? []
        guard pair.count == 2, let text = pair[0].text, let score = pair[1].numberValue, score.isFinite,
          pieces.count < 1 << 20
        else { throw JSONError(offset: start, reason: "a token is not a pair of a text and a score") }
        pieces.append(UnigramModel.Piece(text: Array(text.utf8), id: Int32(pieces.count), score: score))
      }
    }
    guard Int(unknown) < pieces.count else {
      throw document.damaged("its \"unk_id\" is \(unknown), but it has \(pieces.count) tokens")
    }
    let text = try T5Text(document)
    var canonical = Array("t5 tokenizers\n\(unknown)\n".utf8)
    for piece in pieces {
      canonical += Array("\(piece.score.bitPattern) \(piece.text.count) ".utf8) + piece.text + [UInt8(ascii: "\n")]
    }
    for token in document.addedTokens.sorted(by: { $0.id < $1.id }) { canonical += token.canonicalBytes }
    canonical += Array(document.normalizer.jsonText.utf8) + Array(document.preTokenizer.jsonText.utf8)
    let highest = document.addedTokens.map { Int($0.id) + 1 }.max() ?? 0
    try self.init(
      path: document.path, text: text, pieces: pieces, unknownID: unknown, sums: .double,
      leastScore: pieces.map(\.score).min() ?? 0, addedTokens: document.addedTokens,
      count: max(pieces.count, highest), canonicalBytes: canonical)
  }

  private convenience init(
    _ file: SentencePieceFile, path: String, file bytes: [UInt8]
  ) throws(TokenizationError) {
    guard let unknown = file.pieces.firstIndex(where: { $0.kind == .unknown }) else {
      throw .damagedTokenizer(path: path, position: nil, purpose: .t5, reason: "it has no piece for unknown characters")
    }
    guard let map = CharacterMap(file.characterMap) else {
      throw .damagedTokenizer(
        path: path, position: nil, purpose: .t5, reason: "its precompiled_charsmap is damaged")
    }
    var pieces: [UnigramModel.Piece] = []
    var added: [AddedToken] = []
    for (index, piece) in file.pieces.enumerated() {
      switch piece.kind {
      case .normal: pieces.append(UnigramModel.Piece(text: piece.text, id: Int32(index), score: Double(piece.score)))
      case .control, .unknown: added.append(AddedToken(id: Int32(index), content: piece.text))
      default: break
      }
    }
    // T5 numbers these backwards, down from the highest id.
    let count = file.pieces.count + Self.extraCount
    for index in 0..<Self.extraCount {
      added.append(AddedToken(id: Int32(count - 1 - index), content: Array("<extra_id_\(index)>".utf8)))
    }
    try self.init(
      path: path,
      text: .sentencePiece(map, addsBlank: file.addsBlank, removesBlanks: file.removesBlanks), pieces: pieces,
      unknownID: Int32(unknown), sums: .single, leastScore: pieces.map(\.score).min() ?? 0, addedTokens: added,
      count: count, canonicalBytes: Array("t5 sentencepiece\n".utf8) + bytes)
  }

  /// The ids of `text`, without `</s>`. Texts such as `<extra_id_0>` become the tokens with these names.
  public func encode(_ text: String) -> [Int32] {
    let bytes = Array(text.utf8)
    var ids: [Int32] = []
    for part in splitter.parts(of: bytes) {
      switch part {
      case .token(let id): ids.append(id)
      case .text(let range): append(self.text.normalized(Array(bytes[range])), isFirst: range.lowerBound == 0, to: &ids)
      }
    }
    return ids
  }

  private func append(_ text: [UInt8], isFirst: Bool, to ids: inout [Int32]) {
    for part in normalizedSplitter?.parts(of: text) ?? (text.isEmpty ? [] : [.text(text.indices)]) {
      switch part {
      case .token(let id): ids.append(id)
      case .text(let range):
        for word in self.text.words(of: Array(text[range]), isFirst: isFirst && range.lowerBound == 0) {
          ids += model.encode(word)
        }
      }
    }
  }
}
