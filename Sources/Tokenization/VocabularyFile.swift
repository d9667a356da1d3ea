import CZlib
import Foundation

/// One file of a vocabulary on disk, plain or gzipped.
struct VocabularyFile {
  let path: String

  /// The file's name without its folder and without `.gz`.
  var name: String {
    let name = URL(fileURLWithPath: path).lastPathComponent
    return name.hasSuffix(".gz") ? String(name.dropLast(3)) : name
  }

  /// Two tokens that a line of the file merges.
  struct Pair {
    let left: String
    let right: String
    /// The line, counted from 1; nil in files without lines.
    let line: Int?
  }

  /// The error for a file with unexpected content.
  func damaged(line: Int? = nil, found: String, expected: String) -> TokenizationError {
    .damagedVocabulary(path: path, line: line, found: found, expected: expected)
  }
}

// MARK: - Bytes

extension VocabularyFile {
  /// The largest uncompressed size that is read. CLIP's own vocabulary takes 3.2 MB, its `tokenizer.json` 3.6 MB.
  private static let sizeLimit = 64 << 20

  /// The whole file, decompressed if it is gzipped, whatever its name.
  func readBytes() throws(TokenizationError) -> [UInt8] {
    var opened: gzFile?
    repeat {
      errno = 0
      opened = gzopen(path, "rb")
    } while opened == nil && errno == EINTR
    guard let file = opened else { throw unreadable(errno) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    var status = Z_OK
    while bytes.count <= Self.sizeLimit {
      let count = gzread(file, &buffer, UInt32(buffer.count))
      if count > 0 { bytes += buffer[..<Int(count)] }
      if count <= 0 {
        // gzread does not report a truncated stream; only gzerror does.
        _ = gzerror(file, &status)
        break
      }
    }
    let systemError = errno
    gzclose(file)
    if status == Z_ERRNO, systemError == EINTR { return try readBytes() }
    switch status {
    case Z_OK, Z_STREAM_END: break
    case Z_ERRNO: throw unreadable(systemError)
    case Z_BUF_ERROR: throw damaged(found: "truncated gzip data", expected: "a whole file")
    default: throw damaged(found: "broken gzip data", expected: "a whole file")
    }
    if bytes.count > Self.sizeLimit {
      throw damaged(found: "more than \(Self.sizeLimit >> 20) MB", expected: "a vocabulary of a few")
    }
    return bytes
  }

  private func unreadable(_ code: Int32) -> TokenizationError {
    .unreadableFile(path: path, reason: String(cString: strerror(code)))
  }
}

// MARK: - Merges

extension VocabularyFile {
  /// The first `limit` merges: one per line, two tokens separated by a blank; a first line with `#version` is skipped.
  func readMerges(limit: Int) throws(TokenizationError) -> [Pair] {
    let bytes = try readBytes()
    let expected = "two tokens separated by a blank"
    var pairs: [Pair] = []
    var number = 0
    var start = 0
    while start < bytes.count, pairs.count < limit {
      let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
      let line = bytes[start..<end]
      start = end + 1
      number += 1
      if number == 1, String(decoding: line, as: UTF8.self).contains("#version") { continue }
      let tokens = line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") }
      if tokens.isEmpty { continue }
      guard tokens.count == 2 else {
        let shown = String(reflecting: String(decoding: line.prefix(40), as: UTF8.self))
        throw damaged(line: number, found: shown, expected: expected)
      }
      guard let left = String(validating: tokens[0], as: UTF8.self),
        let right = String(validating: tokens[1], as: UTF8.self)
      else { throw damaged(line: number, found: "bytes that are not UTF-8", expected: expected) }
      pairs.append(Pair(left: left, right: right, line: number))
    }
    guard !pairs.isEmpty else { throw damaged(found: "no merges", expected: "one merge per line") }
    return pairs
  }
}

// MARK: - JSON

extension VocabularyFile {
  /// Another file in the same folder, if it exists.
  func beside(_ name: String) -> VocabularyFile? {
    let path = URL(fileURLWithPath: path).deletingLastPathComponent().appendingPathComponent(name).path
    return FileManager.default.fileExists(atPath: path) ? VocabularyFile(path: path) : nil
  }

  /// The tokens that the files next to it add to the vocabulary, as transformers reads them: those of `tokenizer_config.json`
  /// with their flags, and those of `added_tokens.json`, which are searched for in cleaned text.
  func readAddedTokens() throws(TokenizationError) -> [AddedToken] {
    var tokens: [AddedToken] = []
    let config = beside("tokenizer_config.json")
    if let config {
      let decoder = try config.decode(TokenizerConfiguration.self, expected: "the settings of a tokenizer")
      for (id, token) in decoder.added_tokens_decoder ?? [:] {
        guard let id = Int32(id), id >= 0 else {
          throw config.damaged(found: "the id \"\(id)\" in \"added_tokens_decoder\"", expected: "a whole number from 0")
        }
        tokens.append(token.token(id: id))
      }
    }
    guard let file = beside("added_tokens.json") else { return tokens }
    let ids = try file.readIDs()
    for (content, id) in ids where !tokens.contains(where: { $0.id == id }) {
      var token = AddedToken(id: id, content: Array(content.utf8))
      token.isNormalized = true
      tokens.append(token)
    }
    return tokens
  }

  /// The ids of a `vocab.json`: one object from token to id.
  func readIDs() throws(TokenizationError) -> [String: Int32] {
    try ids(of: decode([String: Double].self, expected: "a JSON object from token to id"))
  }

  /// Reads the vocabulary in a `tokenizer.json`, the only file that newer versions of transformers save.
  func readTokenizerJSON() throws(TokenizationError) -> Vocabulary {
    let file = try decode(TokenizerJSON.self, expected: "the tokenizer.json of a byte-pair tokenizer")
    if let suffix = file.model.end_of_word_suffix, suffix != ByteAlphabet.endOfWord {
      throw damaged(found: "the end of word \"\(suffix)\"", expected: "\"\(ByteAlphabet.endOfWord)\"")
    }
    let own = Set(try ids(of: file.model.vocab).values)
    var numbers = file.model.vocab
    for token in file.added_tokens ?? [] { numbers[token.content] = token.id }
    let all = try ids(of: numbers)
    let added = (file.added_tokens ?? []).compactMap { $0.token(id: Int32($0.id)) }
    return try Vocabulary(
      ids: all, pairs: file.model.merges.map(\.pair), file: self, addedTokens: added.filter { !own.contains($0.id) })
  }

  /// Checks that every number is an id, and that no id is repeated.
  private func ids(of numbers: [String: Double]) throws(TokenizationError) -> [String: Int32] {
    var ids: [String: Int32] = [:]
    var tokens: [Int32: String] = [:]
    ids.reserveCapacity(numbers.count)
    tokens.reserveCapacity(numbers.count)
    for (token, number) in numbers {
      guard let id = Int32(exactly: number), id >= 0 else {
        throw damaged(found: "the id \(number) of \"\(token)\"", expected: "whole numbers from 0")
      }
      if let other = tokens.updateValue(token, forKey: id) {
        let both = [token, other].sorted()
        throw damaged(found: "the id \(id) for both \"\(both[0])\" and \"\(both[1])\"", expected: "an id per token")
      }
      ids[token] = id
    }
    return ids
  }

  private func decode<Value: Decodable>(_ type: Value.Type, expected: String) throws(TokenizationError) -> Value {
    let data = Data(try readBytes())
    do {
      return try JSONDecoder().decode(type, from: data)
    } catch {
      throw damaged(found: Self.finding(error, in: data), expected: expected)
    }
  }

  /// What is wrong with the document. JSONDecoder does not report where a syntax error is; JSONSerialization does.
  private static func finding(_ error: any Error, in data: Data) -> String {
    do {
      _ = try JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed)
      return (error as? DecodingError)?.finding ?? "\(error)"
    } catch {
      return (error as NSError).userInfo[NSDebugDescriptionErrorKey] as? String ?? "text that is not JSON"
    }
  }
}

/// An added token as the `tokenizers` library writes it, with its names.
private struct AddedTokenFlags: Decodable {
  let content: String
  let single_word: Bool?
  let lstrip: Bool?
  let rstrip: Bool?
  let normalized: Bool?

  func token(id: Int32) -> AddedToken {
    AddedToken(
      id: id, content: Array(content.utf8), isSingleWord: single_word == true, takesSpaceBefore: lstrip == true,
      takesSpaceAfter: rstrip == true, isNormalized: normalized == true)
  }
}

/// The part of a `tokenizer_config.json` that adds tokens.
private struct TokenizerConfiguration: Decodable {
  let added_tokens_decoder: [String: AddedTokenFlags]?
}

/// The parts of a `tokenizer.json` that determine the ids, with its names.
private struct TokenizerJSON: Decodable {
  let added_tokens: [NumberedToken]?
  let model: Model

  struct NumberedToken: Decodable {
    let id: Double
    let token: AddedTokenFlags

    var content: String { token.content }
    func token(id: Int32) -> AddedToken { token.token(id: id) }

    init(from decoder: any Decoder) throws {
      id = try decoder.container(keyedBy: CodingKeys.self).decode(Double.self, forKey: .id)
      token = try AddedTokenFlags(from: decoder)
    }

    private enum CodingKeys: String, CodingKey {
      case id
    }
  }

  struct Model: Decodable {
    let vocab: [String: Double]
    let merges: [Merge]
    let end_of_word_suffix: String?
  }

  /// Either `"a b"` or `["a", "b"]`, depending on the version that wrote the file.
  struct Merge: Decodable {
    let pair: VocabularyFile.Pair

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      let tokens: [String]
      if let line = try? container.decode(String.self) {
        tokens = line.split(separator: " ").map(String.init)
      } else {
        tokens = try container.decode([String].self)
      }
      guard tokens.count == 2 else {
        throw DecodingError.dataCorruptedError(in: container, debugDescription: "a merge of \(tokens.count) tokens")
      }
      pair = VocabularyFile.Pair(left: tokens[0], right: tokens[1], line: nil)
    }
  }
}

extension DecodingError {
  /// What was found, with the path inside the document.
  fileprivate var finding: String {
    let (context, key): (Context, (any CodingKey)?) =
      switch self {
      case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context): (context, nil)
      case .keyNotFound(let key, let context): (context, key)
      @unknown default: (Context(codingPath: [], debugDescription: "\(self)"), nil)
      }
    let path = context.codingPath.map(\.stringValue).joined(separator: ".")
    if let key { return "no \"\(key.stringValue)\"" + (path.isEmpty ? "" : " in \"\(path)\"") }
    return (path.isEmpty ? "" : "at \"\(path)\": ") + context.debugDescription
  }
}
