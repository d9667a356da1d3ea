import JSON
import Text

/// A `tokenizer.json` of the `tokenizers` library. The vocabulary itself is read by the type that knows its format.
struct TokenizerDocument {
  /// The file.
  let path: String
  /// What the file is expected to be, for messages.
  let purpose: TokenizerPurpose
  /// The kind of the model, such as `BPE` or `Unigram`.
  private(set) var modelType = ""
  /// The members of `model` that are neither the vocabulary nor the merges.
  private(set) var model: [JSONMember] = []
  /// The texts that are always one token.
  private(set) var addedTokens: [AddedToken] = []
  /// The settings for changing the text before it is split.
  private(set) var normalizer = JSONValue.null
  /// The settings for splitting the text into words.
  private(set) var preTokenizer = JSONValue.null
  private var vocabulary: Int?
  private var merges: Int?
  private let bytes: [UInt8]

  /// Reads the document except for its vocabulary.
  ///
  /// Throws `unreadableFile` or `damagedTokenizer`.
  init(path: String, bytes: [UInt8], for purpose: TokenizerPurpose) throws(TokenizationError) {
    self.path = path
    self.purpose = purpose
    self.bytes = bytes
    var parts = Parts()
    try Self.reading(path, bytes, purpose) { cursor throws(JSONError) in
      try cursor.object { cursor, key throws(JSONError) in
        switch key {
        case "added_tokens": try parts.readAddedTokens(&cursor)
        case "normalizer": parts.normalizer = try cursor.value()
        case "pre_tokenizer": parts.preTokenizer = try cursor.value()
        case "model": try parts.readModel(&cursor)
        default: try cursor.skip()
        }
      }
      try cursor.end()
    }
    addedTokens = parts.addedTokens
    normalizer = parts.normalizer
    preTokenizer = parts.preTokenizer
    model = parts.model
    vocabulary = parts.vocabulary
    merges = parts.merges
    modelType = self["type"]?.text ?? ""
    // Files of 2020 do not name the type.
    if modelType.isEmpty, merges != nil { modelType = "BPE" }
    guard !modelType.isEmpty else { throw damaged("it has no \"type\" in \"model\"") }
  }

  /// A member of `model`; nil if it is missing or null.
  subscript(name: String) -> JSONValue? {
    let value = model.last { $0.name == name }?.value
    return value == .null ? nil : value
  }

  /// The error for a file with unexpected content.
  func damaged(_ reason: String) -> TokenizationError {
    .damagedTokenizer(path: path, position: nil, purpose: purpose, reason: reason)
  }

  /// Reads the vocabulary, an object or an array. Throws `damagedTokenizer` if there is none.
  func readVocabulary(_ body: (inout JSONCursor) throws(JSONError) -> Void) throws(TokenizationError) {
    guard let vocabulary else { throw damaged("it has no \"vocab\" in \"model\"") }
    try read(from: vocabulary, body)
  }

  /// Reads the merges. Throws `damagedTokenizer` if there are none.
  func readMerges(_ body: (inout JSONCursor) throws(JSONError) -> Void) throws(TokenizationError) {
    guard let merges else { throw damaged("it has no \"merges\" in \"model\"") }
    try read(from: merges, body)
  }

  private func read(
    from offset: Int, _ body: (inout JSONCursor) throws(JSONError) -> Void
  ) throws(TokenizationError) {
    try Self.reading(path, bytes, purpose) { cursor throws(JSONError) in
      cursor.move(to: offset)
      try body(&cursor)
    }
  }

  /// Runs `body` with a cursor at the start of a JSON text, and adds line and column to its errors.
  static func reading(
    _ path: String, _ bytes: [UInt8], _ purpose: TokenizerPurpose,
    _ body: (inout JSONCursor) throws(JSONError) -> Void
  ) throws(TokenizationError) {
    do throws(JSONError) {
      try bytes.withUnsafeBufferPointer { bytes throws(JSONError) in
        // The reader of the vocabulary checks for repeated tokens, byte by byte.
        var cursor = JSONCursor(UnsafeRawBufferPointer(bytes), repeatedKeys: .kept)
        try body(&cursor)
      }
    } catch {
      let position = bytes.withUnsafeBytes { bytes in
        error.offset.map { JSONPosition(offset: $0, in: bytes).description }
      }
      throw .damagedTokenizer(path: path, position: position, purpose: purpose, reason: error.reason)
    }
  }
}

/// The parts of a document while it is being read.
private struct Parts {
  var addedTokens: [AddedToken] = []
  var normalizer = JSONValue.null
  var preTokenizer = JSONValue.null
  var model: [JSONMember] = []
  var vocabulary: Int?
  var merges: Int?

  mutating func readModel(_ cursor: inout JSONCursor) throws(JSONError) {
    var parts = self
    try cursor.object { cursor, key throws(JSONError) in
      switch key {
      case "vocab":
        parts.vocabulary = cursor.offset
        try cursor.skip()
      case "merges":
        parts.merges = cursor.offset
        try cursor.skip()
      default: parts.model.append(JSONMember(key, try cursor.value()))
      }
    }
    self = parts
  }

  mutating func readAddedTokens(_ cursor: inout JSONCursor) throws(JSONError) {
    if try cursor.skipNull() { return }
    var tokens: [AddedToken] = []
    try cursor.array { cursor throws(JSONError) in
      let start = cursor.offset
      let value = try cursor.value()
      guard let content = value["content"]?.text, let id = value["id"]?.integerValue.flatMap(Int32.init(exactly:)),
        id >= 0
      else { throw JSONError(offset: start, reason: "an added token has no \"content\", or no \"id\" from 0") }
      func flag(_ name: String) -> Bool { value[name] == .bool(true) }
      tokens.append(
        AddedToken(
          id: id, content: Array(content.utf8), isSingleWord: flag("single_word"), takesSpaceBefore: flag("lstrip"),
          takesSpaceAfter: flag("rstrip"), isNormalized: flag("normalized")))
    }
    addedTokens = tokens
  }
}
