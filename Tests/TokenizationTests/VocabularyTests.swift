import CZlib
import Foundation
import Testing
import TestSupport
import Tokenization

struct VocabularyTests {
  private static func text(_ name: String) throws -> String {
    try Fixtures.text("Tokenization/" + name)
  }

  /// A `tokenizer.json` with the small vocabulary, its merges as lines or as pairs.
  private static func tokenizerJSON(mergesAsPairs: Bool) throws -> Data {
    let ids = try Fixtures.decode([String: Int].self, from: "Tokenization/small/vocab.json")
    let lines = try text("small/merges.txt").split(separator: "\n").dropFirst()
    let merges: [Any] = mergesAsPairs ? lines.map { $0.split(separator: " ").map(String.init) } : lines.map(String.init)
    let model: [String: Any] = [
      "type": "BPE", "vocab": ids.filter { $0.key != "<|endoftext|>" }, "merges": merges, "end_of_word_suffix": "</w>",
    ]
    let end: [String: Any] = ["id": ids["<|endoftext|>"] ?? -1, "content": "<|endoftext|>", "special": true]
    return try JSONSerialization.data(withJSONObject: ["version": "1.0", "added_tokens": [end], "model": model])
  }

  private static func gzip(_ data: Data, to path: String) {
    guard let file = gzopen(path, "wb") else { return }
    _ = data.withUnsafeBytes { gzwrite(file, $0.baseAddress, UInt32($0.count)) }
    gzclose(file)
  }

  @Test func `ids come from vocab_json`() throws {
    let vocabulary = try Vocabulary(contentsOf: Fixtures.path("Tokenization/shuffled/merges.txt"))
    let ids = try Fixtures.decode([String: Int32].self, from: "Tokenization/shuffled/vocab.json")
    #expect(ids.allSatisfy { vocabulary.id(of: $0.key) == $0.value })
    #expect(vocabulary.count == ids.count)
    #expect(vocabulary.beginID == ids["<|startoftext|>"])
    #expect(vocabulary.endID == ids["<|endoftext|>"])
    #expect(vocabulary.commaID == nil)
  }

  @Test func `every form of one vocabulary has the same bytes and ids`() throws {
    let reference = try Vocabulary(contentsOf: Fixtures.path("Tokenization/small/merges.txt"))
    let merges = try Fixtures.data("Tokenization/small/merges.txt")
    let crlf = Data(String(decoding: merges, as: UTF8.self).replacingOccurrences(of: "\n", with: "\r\n").utf8)
    try withTemporaryFolder { folder in
      let path = { (name: String) in folder.appendingPathComponent(name).path }
      try merges.write(to: folder.appendingPathComponent("merges.txt"))
      try crlf.write(to: folder.appendingPathComponent("bpe_simple_vocab_16e6.txt"))
      Self.gzip(merges, to: path("bpe_simple_vocab_16e6.txt.gz"))
      try Self.tokenizerJSON(mergesAsPairs: true).write(to: folder.appendingPathComponent("tokenizer.json"))
      try Self.tokenizerJSON(mergesAsPairs: false).write(to: folder.appendingPathComponent("old-tokenizer.json"))
      let names = [
        "merges.txt", "bpe_simple_vocab_16e6.txt", "bpe_simple_vocab_16e6.txt.gz", "tokenizer.json",
        "old-tokenizer.json",
      ]
      for name in names {
        let vocabulary = try Vocabulary(contentsOf: path(name))
        #expect(vocabulary.canonicalBytes == reference.canonicalBytes, "\(name)")
        #expect(vocabulary.beginID == reference.beginID && vocabulary.endID == reference.endID)
        #expect(vocabulary.commaID == reference.commaID && vocabulary.count == reference.count)
      }
    }
    let other = try Vocabulary(contentsOf: Fixtures.path("Tokenization/shuffled/merges.txt"))
    #expect(other.canonicalBytes != reference.canonicalBytes)
  }

  @Test(.enabled(if: Fixtures.clipPath != nil, Fixtures.clipReason))
  func `CLIP's own file has CLIP's ids`() throws {
    let vocabulary = try Vocabulary(contentsOf: #require(Fixtures.clipPath))
    #expect(vocabulary.count == 49408)
    #expect(vocabulary.beginID == 49406)
    #expect(vocabulary.endID == 49407)
    #expect(vocabulary.commaID == 267)
    // Published with openai/clip-vit-large-patch14
    #expect(vocabulary.id(of: "the</w>") == 518)
    #expect(vocabulary.id(of: "cat</w>") == 2368)
  }

  /// The files of a damaged vocabulary, and words that the message must contain.
  struct Damage: CustomTestStringConvertible, Sendable {
    let name: String
    var merges = "#version: 0.2\na b\n"
    var ids: String?
    let words: [String]
    var testDescription: String { name }
  }

  static let damages = [
    Damage(name: "an empty file", merges: "", words: ["no merges"]),
    Damage(name: "a web page", merges: "<!DOCTYPE html>\n<html lang=en>\n", words: ["merges.txt:1", "DOCTYPE"]),
    Damage(name: "a line with one token", merges: "#version: 0.2\na b\nab\n", words: ["merges.txt:3", "\"ab\""]),
    Damage(name: "a line with three tokens", merges: "#version: 0.2\na b c\n", words: ["merges.txt:2", "a b c"]),
    Damage(name: "zeros", merges: String(repeating: "\0", count: 100), words: ["merges.txt:1", "\\0"]),
    Damage(name: "an unknown token", merges: "#version: 0.2\na bc\n", words: ["merges.txt:2", "\"bc\""]),
    Damage(name: "ids that are cut short", ids: "{\"a\": 0, \"b\": ", words: ["vocab.json", "end of file"]),
    Damage(name: "ids in a list", ids: "[\"a\", \"b\"]", words: ["vocab.json", "from token to id"]),
    Damage(name: "an id that is text", ids: "{\"a\": \"0\"}", words: ["vocab.json", "\"a\""]),
    Damage(name: "an id with a fraction", ids: "{\"a\": 0.5}", words: ["vocab.json", "0.5", "\"a\""]),
    Damage(name: "an id beyond 32 bits", ids: "{\"a\": 99999999999}", words: ["vocab.json", "99999999999", "\"a\""]),
    Damage(name: "a negative id", ids: "{\"a\": -1}", words: ["vocab.json", "-1", "\"a\""]),
    Damage(name: "an id twice", ids: "{\"a\": 1, \"b\": 1}", words: ["vocab.json", "id 1", "\"a\"", "\"b\""]),
    Damage(name: "ids of another vocabulary", ids: "{\"a\": 1, \"b\": 2}", words: ["merges.txt:2", "\"ab\""]),
    Damage(name: "no begin", ids: "{\"a\": 1, \"b\": 2, \"ab\": 3}", words: ["<|startoftext|>"]),
    Damage(
      name: "no end", ids: "{\"a\": 1, \"b\": 2, \"ab\": 3, \"<|startoftext|>\": 4}", words: ["<|endoftext|>"]),
  ]

  @Test(arguments: damages)
  func `the error for a damaged file has its name and what was found`(damage: Damage) throws {
    try withTemporaryFolder { folder in
      try Data(damage.merges.utf8).write(to: folder.appendingPathComponent("merges.txt"))
      if let ids = damage.ids { try Data(ids.utf8).write(to: folder.appendingPathComponent("vocab.json")) }
      let error = #expect(throws: TokenizationError.self) {
        try Vocabulary(contentsOf: folder.appendingPathComponent("merges.txt").path)
      }
      let message = error?.description ?? ""
      #expect(message.contains(folder.path))
      for word in damage.words { #expect(message.contains(word), "\(message)") }
    }
  }

  @Test func `truncated or altered gzip data are refused`() throws {
    try withTemporaryFolder { folder in
      let file = folder.appendingPathComponent("merges.txt.gz")
      let merges = try Fixtures.data("Tokenization/small/merges.txt")
      Self.gzip(merges, to: file.path)
      let whole = try Data(contentsOf: file)
      for count in [11, whole.count / 2, whole.count - 9, whole.count - 4, whole.count - 1] {
        try whole.prefix(count).write(to: file)
        let error = #expect(throws: TokenizationError.self, "\(count) bytes") { try Vocabulary(contentsOf: file.path) }
        #expect(error?.description.contains("gzip") == true, "\(count) bytes: \(String(describing: error))")
      }
      var altered = whole
      altered[altered.count - 6] ^= 1
      try altered.write(to: file)
      #expect(throws: TokenizationError.self) { try Vocabulary(contentsOf: file.path) }
    }
  }

  @Test func `bytes that are not UTF-8 are refused`() throws {
    try withTemporaryFolder { folder in
      let file = folder.appendingPathComponent("merges.txt")
      try Data([0x61, 0x20, 0xFF, 0x0A]).write(to: file)
      let error = #expect(throws: TokenizationError.self) { try Vocabulary(contentsOf: file.path) }
      #expect(error?.description.contains("merges.txt:1") == true)
    }
  }

  @Test func `a folder and a missing file cannot be read`() throws {
    try withTemporaryFolder { folder in
      for path in [folder.path, folder.path + "/merges.txt"] {
        let error = #expect(throws: TokenizationError.self) { try Vocabulary(contentsOf: path) }
        guard case .unreadableFile(path, _) = error else {
          Issue.record("\(String(describing: error))")
          continue
        }
      }
    }
  }
}
