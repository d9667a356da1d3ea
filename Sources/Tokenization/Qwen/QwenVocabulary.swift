import Foundation
import JSON
import Text

/// The vocabulary of Qwen's tokenizer: byte-level tokens, merges in order, and added tokens.
struct QwenVocabulary {
  /// The file.
  let path: String
  /// The id of each byte.
  let byteIDs: [Int32]
  /// The merges by rank.
  let merges: [Vocabulary.Merge]
  /// The texts that are always one token.
  let addedTokens: [AddedToken]
  /// The highest id plus one.
  let count: Int

  /// The tokens that Qwen3 adds after its vocabulary, in order; `vocab.json` and `merges.txt` do not contain them.
  private static let standardTokens = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
    "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>",
    "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<tool_response>", "</tool_response>", "<think>",
    "</think>",
  ]

  /// The limit of tokens, more than any vocabulary has.
  private static let limit = 4_000_000

  /// Reads a `tokenizer.json`, a `vocab.json` with the `merges.txt` next to it, or a `merges.txt` with the `vocab.json`.
  ///
  /// Throws `unreadableFile` or `damagedTokenizer`.
  init(contentsOf path: String) throws(TokenizationError) {
    let file = VocabularyFile(path: path)
    guard file.name == "merges.txt" || file.name == "vocab.json" else {
      try self.init(TokenizerDocument(path: path, bytes: try file.readBytes(), for: .qwen))
      return
    }
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
    func beside(_ name: String) -> VocabularyFile? {
      let path = folder.appendingPathComponent(name).path
      return FileManager.default.fileExists(atPath: path) ? VocabularyFile(path: path) : nil
    }
    guard let ids = beside("vocab.json"), let pairs = beside("merges.txt") else {
      let missing = file.name == "merges.txt" ? "vocab.json" : "merges.txt"
      throw .damagedTokenizer(
        path: path, position: nil, purpose: .qwen, reason: "the file \(missing) must be next to it, and is missing")
    }
    var builder = Builder(path: path)
    try TokenizerDocument.reading(ids.path, try ids.readBytes(), .qwen) { cursor throws(JSONError) in
      try builder.readIDs(&cursor)
    }
    for pair in try pairs.readMerges(limit: .max) {
      try builder.add(pair.left, pair.right, line: pair.line, file: pairs.path)
    }
    if let config = beside("tokenizer_config.json") { try builder.readDecoder(config) }
    if let added = beside("added_tokens.json") { try builder.readAdded(added) }
    builder.addStandardTokens(Self.standardTokens)
    self = try builder.vocabulary()
  }

  /// Whether a file is for this tokenizer, see `QwenTokenizer.recognises(path:)`.
  static func recognises(path: String) -> Bool {
    let file = VocabularyFile(path: path)
    guard let bytes = try? file.readBytes() else { return false }
    if file.name == "vocab.json" {
      // CLIP's vocabulary marks the ends of words and has its own begin token; Qwen's has neither.
      let text = Data(bytes)
      return !["</w>\"", "<|startoftext|>"].contains { text.range(of: Data($0.utf8)) != nil }
    }
    guard let document = try? TokenizerDocument(path: path, bytes: bytes, for: .qwen), document.modelType == "BPE"
    else {
      return false
    }
    let begin = Array("<|im_start|>".utf8)
    return document.addedTokens.contains { $0.content == begin }
  }

  private init(_ document: TokenizerDocument) throws(TokenizationError) {
    guard document.modelType == "BPE" else {
      throw document.damaged("it is a tokenizer of the type \(document.modelType.abridged), expected BPE")
    }
    for (key, value) in [
      ("end_of_word_suffix", ""), ("continuing_subword_prefix", ""),
    ] {
      if let found = document[key], found.text != value {
        throw document.damaged("its \(key) is \(found), expected none")
      }
    }
    for key in ["byte_fallback", "ignore_merges"] {
      if document[key] == .bool(true) { throw document.damaged("it has \(key), which Qwen's tokenizer does not have") }
    }
    guard document.normalizer["type"]?.text == "NFC" else {
      throw document.damaged("its normalizer is \(document.normalizer["type"] ?? .null), expected NFC")
    }
    try Self.requireSplit(document)
    var builder = Builder(path: document.path)
    try document.readVocabulary { cursor throws(JSONError) in try builder.readIDs(&cursor) }
    var merges: [(String, String)] = []
    try document.readMerges { cursor throws(JSONError) in
      try cursor.array { cursor throws(JSONError) in merges.append(try Builder.merge(&cursor)) }
    }
    for (left, right) in merges { try builder.add(left, right, line: nil, file: document.path) }
    builder.addedTokens = document.addedTokens
    self = try builder.vocabulary()
  }

  /// Throws unless text is split by Qwen's pattern and then read byte by byte.
  private static func requireSplit(_ document: TokenizerDocument) throws(TokenizationError) {
    let steps = document.preTokenizer["pretokenizers"]?.elements ?? [document.preTokenizer]
    guard steps.count == 2, steps[0]["type"]?.text == "Split", steps[1]["type"]?.text == "ByteLevel",
      steps[0]["behavior"]?.text == "Isolated", steps[0]["invert"] != .bool(true),
      steps[1]["add_prefix_space"] != .bool(true), steps[1]["use_regex"] == .bool(false)
    else { throw document.damaged("its pre_tokenizer is not the Split and ByteLevel of Qwen") }
    let pattern = steps[0]["pattern"]?["Regex"]?.text ?? ""
    guard pattern == QwenWords.pattern else {
      throw document.damaged("it splits text by \"\(pattern.abridged)\", expected Qwen's pattern")
    }
  }

  /// Reads the vocabulary in the metadata of a GGUF file.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - tokens: `tokenizer.ggml.tokens`.
  ///   - types: `tokenizer.ggml.token_type`: 3 for control tokens, 4 for other added ones.
  ///   - merges: `tokenizer.ggml.merges`.
  /// - Throws: `damagedTokenizer`.
  init(path: String, tokens: [String], types: [Int], merges: [String]) throws(TokenizationError) {
    var builder = Builder(path: path)
    guard types.count == tokens.count, !tokens.isEmpty else {
      throw builder.damaged("its metadata has \(tokens.count) tokens and \(types.count) types")
    }
    for (id, token) in tokens.enumerated() {
      if types[id] == 3 || types[id] == 4 {
        builder.addedTokens.append(AddedToken(id: Int32(id), content: Array(token.utf8)))
      } else if types[id] == 1 {
        try builder.add(token, id: Int32(id))
      }
      builder.count = id + 1
    }
    for merge in merges {
      let sides = merge.utf8.split(separator: UInt8(ascii: " "))
      guard sides.count == 2 else { throw builder.damaged("its metadata has the merge \"\(merge.abridged)\"") }
      try builder.add(String(Substring(sides[0])), String(Substring(sides[1])), line: nil, file: path)
    }
    self = try builder.vocabulary()
  }

  private init(_ builder: Builder, byteIDs: [Int32]) {
    path = builder.path
    self.byteIDs = byteIDs
    merges = builder.merges
    addedTokens = builder.addedTokens
    count = builder.count
  }

  /// A vocabulary while it is being read.
  private struct Builder {
    let path: String
    var table = TokenTable(capacity: 1 << 17)
    var merges: [Vocabulary.Merge] = []
    /// The ids of the tokens that are longer than a byte.
    var ids: [Int32] = []
    var addedTokens: [AddedToken] = []
    var count = 0

    init(path: String) { self.path = path }

    func damaged(_ reason: String, line: Int? = nil, file: String? = nil) -> TokenizationError {
      .damagedTokenizer(path: file ?? path, position: line.map(String.init), purpose: .qwen, reason: reason)
    }

    mutating func add(_ token: String, id: Int32) throws(TokenizationError) {
      if table.insert(token.utf8, id: id) != nil { throw damaged("it has the token \"\(token.abridged)\" twice") }
      count = max(count, Int(id) + 1)
      if token.unicodeScalars.count > 1 { ids.append(id) }
    }

    mutating func readIDs(_ cursor: inout JSONCursor) throws(JSONError) {
      var builder = self
      self.table = TokenTable(capacity: 1)
      try cursor.object { cursor, token throws(JSONError) in
        let start = cursor.keyOffset
        let number = try cursor.integer()
        guard let id = Int32(exactly: number), id >= 0, number < QwenVocabulary.limit else {
          throw JSONError(offset: start, reason: "the token \"\(token.abridged)\" has the id \(number)")
        }
        do throws(TokenizationError) {
          try builder.add(token, id: id)
        } catch {
          throw JSONError(offset: start, reason: "the token \"\(token.abridged)\" is repeated")
        }
      }
      self = builder
    }

    /// Either `"a b"` or `["a", "b"]`, depending on the version that wrote the file.
    static func merge(_ cursor: inout JSONCursor) throws(JSONError) -> (String, String) {
      let start = cursor.offset
      var sides: [String]
      switch try cursor.value() {
      case .string(let line): sides = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
      case .array(let tokens): sides = tokens.compactMap(\.text)
      default: sides = []
      }
      guard sides.count == 2 else { throw JSONError(offset: start, reason: "a merge is not of two tokens") }
      return (sides[0], sides[1])
    }

    mutating func add(_ left: String, _ right: String, line: Int?, file: String) throws(TokenizationError) {
      guard let first = table.id(left.utf8), let second = table.id(right.utf8),
        let result = table.id(left.utf8, right.utf8)
      else {
        throw damaged(
          "it merges \"\(left.abridged)\" and \"\(right.abridged)\", expected tokens of the vocabulary that together are one",
          line: line, file: file)
      }
      merges.append(Vocabulary.Merge(left: first, right: second, result: result))
    }

    /// Reads the added tokens in a `tokenizer_config.json`.
    mutating func readDecoder(_ file: VocabularyFile) throws(TokenizationError) {
      var value = JSONValue.null
      try TokenizerDocument.reading(file.path, try file.readBytes(), .qwen) { cursor throws(JSONError) in
        value = try cursor.value()
      }
      guard case .object(let entries)? = value["added_tokens_decoder"] else { return }
      for entry in entries {
        guard let id = Int32(entry.name), id >= 0, let content = entry.value["content"]?.text else { continue }
        func flag(_ name: String) -> Bool { entry.value[name] == .bool(true) }
        addedTokens.append(
          AddedToken(
            id: id, content: Array(content.utf8), isSingleWord: flag("single_word"), takesSpaceBefore: flag("lstrip"),
            takesSpaceAfter: flag("rstrip"), isNormalized: flag("normalized")))
      }
    }

    /// Reads the tokens and ids of an `added_tokens.json`.
    mutating func readAdded(_ file: VocabularyFile) throws(TokenizationError) {
      var value = JSONValue.null
      try TokenizerDocument.reading(file.path, try file.readBytes(), .qwen) { cursor throws(JSONError) in
        value = try cursor.value()
      }
      guard case .object(let entries) = value else { return }
      for entry in entries {
        guard let id = entry.value.integerValue.flatMap(Int32.init(exactly:)), id >= 0 else { continue }
        let content = Array(entry.name.utf8)
        if !addedTokens.contains(where: { $0.content == content }) {
          addedTokens.append(AddedToken(id: id, content: content))
        }
      }
    }

    /// Adds Qwen3's own added tokens, unless the files name any.
    mutating func addStandardTokens(_ tokens: [String]) {
      guard addedTokens.isEmpty else { return }
      var next = Int32(count)
      for token in tokens {
        if let id = table.id(token.utf8) {
          addedTokens.append(AddedToken(id: id, content: Array(token.utf8)))
        } else {
          addedTokens.append(AddedToken(id: next, content: Array(token.utf8)))
          next += 1
        }
      }
    }

    func vocabulary() throws(TokenizationError) -> QwenVocabulary {
      let results = Set(merges.map(\.result))
      let added = Set(addedTokens.map(\.id))
      let missing = ids.filter { !results.contains($0) && !added.contains($0) }
      // A truncated file lacks the merges for its last tokens, and nothing else would show that.
      if let first = missing.min() {
        throw damaged(
          "it has \(merges.count) merges, none of which results in the token \(first) (\(missing.count) such tokens)")
      }
      var byteIDs = [Int32](repeating: 0, count: 256)
      for (byte, character) in ByteAlphabet.characters {
        guard let id = table.id(character.utf8) else { throw damaged("it has no token \"\(character)\" for a byte") }
        byteIDs[Int(byte)] = id
      }
      var complete = self
      for token in addedTokens { complete.count = max(complete.count, Int(token.id) + 1) }
      return QwenVocabulary(complete, byteIDs: byteIDs)
    }
  }
}

extension QwenVocabulary {
  /// The vocabulary as bytes, which are the same for every file format: bytes, merges and added tokens; used for digests.
  var canonicalBytes: [UInt8] {
    var bytes = Array("qwen\n".utf8)
    for id in byteIDs { bytes += "\(id)\n".utf8 }
    for merge in merges { bytes += "\(merge.left) \(merge.right) \(merge.result)\n".utf8 }
    for token in addedTokens.sorted(by: { $0.id < $1.id }) { bytes += token.canonicalBytes }
    return bytes
  }
}

extension AddedToken {
  /// The token as bytes, for digests.
  var canonicalBytes: [UInt8] {
    let flags = [isSingleWord, takesSpaceBefore, takesSpaceAfter, isNormalized].map { $0 ? "1" : "0" }.joined()
    return Array("\(id) \(flags) \(content.count) ".utf8) + content + [UInt8(ascii: "\n")]
  }
}
