import Foundation
import TestSupport
import Testing
import Tokenization

@Suite struct AddedTokenTests {
  private static func vocabulary(_ name: String) throws -> Vocabulary {
    try Vocabulary(contentsOf: Fixtures.path("Tokenization/added/\(name)/merges.txt"))
  }

  @Test(arguments: ["plain", "config"])
  func `texts with added tokens have the ids of transformers`(name: String) throws {
    let vocabulary = try Self.vocabulary(name)
    let tokenizer = CLIPTokenizer(vocabulary, rows: vocabulary.count + 5)
    let expected = try Fixtures.decode([String: [Int32]].self, from: "Tokenization/added/\(name)/ids.json")
    #expect(expected.count > 300)
    for (text, ids) in expected.sorted(by: { $0.key < $1.key }) { #expect(tokenizer.encode(text) == ids, "\(text)") }
  }

  @Test func `only tokens for which the text encoder has rows are used`() throws {
    let vocabulary = try Self.vocabulary("plain")
    let (first, small) = (Int32(vocabulary.count), try Fixtures.small())
    #expect(CLIPTokenizer(vocabulary).encode("a <cat-toy> here") == small.encode("a <cat-toy> here"))
    #expect(!CLIPTokenizer(vocabulary).addsTokens)
    let tokenizer = CLIPTokenizer(vocabulary, rows: vocabulary.count + 1)
    #expect(tokenizer.encode("<cat-toy>") == [first] && tokenizer.encode("<bird>") == small.encode("<bird>"))
    #expect(Set(vocabulary.addedTokens(beyond: vocabulary.count + 2)) == ["my style", "sks", "<bird>"])
  }

  @Test func `a text's bytes name the added tokens that it uses`() throws {
    let vocabulary = try Self.vocabulary("plain")
    #expect(vocabulary.canonicalBytes == (try Fixtures.small()).vocabulary.canonicalBytes)
    #expect(!vocabulary.isSame(as: try Self.vocabulary("config")) && vocabulary.isSame(as: vocabulary))
    let tokenizer = CLIPTokenizer(vocabulary, rows: vocabulary.count + 5)
    #expect(tokenizer.addedTokenBytes(in: "a cat", by: [.clip]) == [])
    let one = tokenizer.addedTokenBytes(in: "sks, SKS", by: [.clip, .openCLIP])
    #expect(String(decoding: one, as: UTF8.self) == "\(vocabulary.count + 3) 0001 3 sks\n")
    #expect(tokenizer.addedTokenBytes(in: "sks <bird>", by: [.clip]).count > one.count)
  }

  @Test func `a tokenizer_json adds the same tokens`() throws {
    let vocabulary = try Self.vocabulary("config")
    let small = try Fixtures.decode([String: Int].self, from: "Tokenization/small/vocab.json")
    let merges = try Fixtures.text("Tokenization/small/merges.txt").split(separator: "\n").dropFirst().map(String.init)
    let first = vocabulary.count
    let added: [[String: Any]] = [
      ["id": first, "content": "<cat-toy>", "normalized": true], ["id": first + 1, "content": "<Dog>"],
      ["id": first + 2, "content": "my style", "normalized": true, "lstrip": true],
      ["id": first + 3, "content": "sks", "single_word": true], ["id": first + 4, "content": "<bird>", "rstrip": true],
    ]
    let document: [String: Any] = [
      "added_tokens": added, "model": ["type": "BPE", "vocab": small, "merges": merges, "end_of_word_suffix": "</w>"],
    ]
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("tokenizer.json")
      try JSONSerialization.data(withJSONObject: document).write(to: path)
      let other = CLIPTokenizer(try Vocabulary(contentsOf: path.path), rows: first + 5)
      let expected = try Fixtures.decode([String: [Int32]].self, from: "Tokenization/added/config/ids.json")
      for (text, ids) in expected.sorted(by: { $0.key < $1.key }) { #expect(other.encode(text) == ids, "\(text)") }
    }
  }

  @Test(arguments: [
    ("added_tokens.json", #"{"<dog>": "x"}"#), ("added_tokens.json", #"{"<dog>": 671"#),
    ("tokenizer_config.json", #"{"added_tokens_decoder": {"x": {"content": "<dog>"}}}"#),
    ("tokenizer_config.json", "web page"),
  ])
  func `damaged files beside the merges are refused by name`(name: String, text: String) throws {
    try withTemporaryFolder { folder in
      for file in ["vocab.json", "merges.txt", "added_tokens.json"] {
        try FileManager.default.copyItem(
          atPath: Fixtures.path("Tokenization/added/plain/\(file)"), toPath: folder.appendingPathComponent(file).path)
      }
      try Data(text.utf8).write(to: folder.appendingPathComponent(name))
      let error = #expect(throws: TokenizationError.self) {
        try Vocabulary(contentsOf: folder.appendingPathComponent("merges.txt").path)
      }
      #expect(error?.description.contains(name) == true, "\(String(describing: error))")
    }
  }
}

/// Vocabularies and merges that do not match, as after an incomplete download.
@Suite struct CutVocabularyTests {
  @Test func `merges that were cut are refused, wherever the cut is`() throws {
    let merges = try Fixtures.text("Tokenization/small/merges.txt")
    let lines = merges.split(separator: "\n").map(String.init)
    let texts =
      [1, 2, 3, 80].map { lines.dropLast($0).joined(separator: "\n") + "\n" }
      + [2, 3, 4, 5, 6].map { String(merges.dropLast($0)) }
    try withTemporaryFolder { folder in
      try FileManager.default.copyItem(
        atPath: Fixtures.path("Tokenization/small/vocab.json"), toPath: folder.appendingPathComponent("vocab.json").path
      )
      let path = folder.appendingPathComponent("merges.txt")
      for text in texts {
        try Data(text.utf8).write(to: path)
        let error = #expect(throws: TokenizationError.self, "\(text.suffix(20))") {
          try Vocabulary(contentsOf: path.path)
        }
        #expect(error?.description.hasPrefix(path.path) == true)
      }
      try Data(merges.utf8).write(to: path)
      _ = try Vocabulary(contentsOf: path.path)
    }
  }

  @Test func `merges without ids must result in the text encoder's tokens`() throws {
    let lines = try Fixtures.text("Tokenization/small/merges.txt").split(separator: "\n").map(String.init)
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("merges.txt")
      try Data(lines.joined(separator: "\n").utf8).write(to: path)
      let whole = try Vocabulary(contentsOf: path.path)
      try whole.requireComplete(rows: whole.count)
      try Data(lines.dropLast().joined(separator: "\n").utf8).write(to: path)
      let cut = try Vocabulary(contentsOf: path.path)
      let error = #expect(throws: TokenizationError.self) { try cut.requireComplete(rows: whole.count) }
      #expect(error?.description.contains("\(whole.count - 1) tokens") == true, "\(String(describing: error))")
    }
  }

  @Test func `a tokenizer_json without its last merges is refused`() throws {
    let ids = try Fixtures.decode([String: Int].self, from: "Tokenization/small/vocab.json")
    let merges = try Fixtures.text("Tokenization/small/merges.txt").split(separator: "\n").dropFirst().map(String.init)
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("tokenizer.json")
      for dropped in [0, 1, 40] {
        let model: [String: Any] = ["type": "BPE", "vocab": ids, "merges": Array(merges.dropLast(dropped))]
        try JSONSerialization.data(withJSONObject: ["model": model]).write(to: path)
        if dropped == 0 {
          _ = try Vocabulary(contentsOf: path.path)
        } else {
          #expect(throws: TokenizationError.self) { try Vocabulary(contentsOf: path.path) }
        }
      }
    }
  }

  @Test func `Qwen's merges that were cut are refused`() throws {
    let merges = try String(contentsOfFile: TokenizerFixture.path("qwen/merges.txt"), encoding: .utf8)
    let lines = merges.split(separator: "\n").map(String.init)
    try withTemporaryFolder { folder in
      try FileManager.default.copyItem(
        atPath: TokenizerFixture.path("qwen/vocab.json"), toPath: folder.appendingPathComponent("vocab.json").path)
      for dropped in [1, 50] {
        let text = lines.dropLast(dropped).joined(separator: "\n") + "\n"
        try Data(text.utf8).write(to: folder.appendingPathComponent("merges.txt"))
        let error = #expect(throws: TokenizationError.self) {
          try QwenTokenizer(contentsOf: folder.appendingPathComponent("vocab.json").path)
        }
        #expect(error?.description.contains("merges, none of which") == true, "\(String(describing: error))")
      }
    }
  }

  @Test func `a spiece_model that was cut is refused at every byte`() throws {
    let source = try TokenizerFixture.unzipped("t5/spiece.model.gz")
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("spiece.model")
      // At the end of each piece, and at every position near the end.
      let counts = Array(stride(from: 1, to: source.count, by: 211)) + Array((source.count - 40)..<source.count)
      var accepted: [Int] = []
      for count in counts {
        try Data(source.prefix(count)).write(to: path)
        if (try? T5Tokenizer(contentsOf: path.path)) != nil { accepted.append(source.count - count) }
      }
      #expect(accepted == [], "bytes cut off")
      try Data(source).write(to: path)
      _ = try T5Tokenizer(contentsOf: path.path)
    }
  }
}
