import Foundation
import Testing
import TestSupport
import Tokenization

/// Ids from the `tokenizers` library and from SentencePiece for difficult texts.
@Suite struct T5TokenizerTests {
  /// Folder, file, ids.
  static let cases = [
    ("t5", "tokenizer.json.gz", "ids-tokenizer"), ("t5", "spiece.model.gz", "ids-spiece"),
    ("t5", "saved.json.gz", "ids-saved"), ("t5", "first.json.gz", "ids-first"),
    ("t5-ties", "tokenizer.json.gz", "ids-tokenizer"), ("t5-ties", "spiece.model.gz", "ids-spiece"),
    ("t5-ties", "saved.json.gz", "ids-saved"), ("t5-ties", "first.json.gz", "ids-first"),
  ].filter { TokenizerFixture.has("\($0.0)/\($0.1)") }

  @Test(arguments: cases)
  func `texts have the ids of the library that the file is for`(folder: String, file: String, ids: String) throws {
    let tokenizer = try T5Tokenizer(contentsOf: TokenizerFixture.path("\(folder)/\(file)"))
    let expected = try TokenizerFixture.ids("\(folder)/\(ids).json.gz")
    #expect(TokenizerFixture.differences(expected, try TokenizerFixture.texts(), tokenizer.encode) == [])
  }

  @Test func `both forms of a vocabulary have the same special ids`() throws {
    for file in ["tokenizer.json.gz", "spiece.model.gz"] {
      let tokenizer = try T5Tokenizer(contentsOf: TokenizerFixture.path("t5/\(file)"))
      #expect(tokenizer.fillID == 0)
      #expect(tokenizer.endID == 1)
      #expect(tokenizer.encode("") == [])
      #expect(tokenizer.encode("<extra_id_0>") == [Int32(tokenizer.count - 1)])
    }
  }

  @Test(arguments: [
    (#"{"model": {"type": "BPE", "vocab": {}}}"#, "it is a tokenizer of the type BPE, expected Unigram"),
    (#"{"model": {"type": "Unigram", "vocab": []}}"#, "unk_id"),
    ("{\"model\": {\"type\": \"Unigram\", \"unk_id\": 0,\n\"vocab\": [[\"a\"]]}}", ":2:11: "),
    (#"{"model": {"type": "Unigram", "unk_id": 4, "vocab": [["a", 0]]}}"#, "\"unk_id\" is 4"),
    (
      #"{"model": {"type": "Unigram", "unk_id": 0, "vocab": [["a", 0]]}, "normalizer": {"type": "Lowercase"}}"#,
      "Lowercase"
    ),
    (#"{"model": {"type": "Unigram", "unk_id": 0, "vocab": [["a", 0]]}}"#, "it has no token </s>"),
    ("\u{8}\u{8}", "it has no pieces"), ("", "it has no pieces"), ("\n\u{5}ab", ":byte 2: "), ("plain text", "byte"),
  ])
  func `a damaged file is refused with its position`(text: String, message: String) throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("spiece.model").path
      try Data(text.utf8).write(to: URL(fileURLWithPath: path))
      let error = try #require(throws: TokenizationError.self) { _ = try T5Tokenizer(contentsOf: path) }
      #expect("\(error)".hasPrefix(path))
      #expect("\(error)".contains(message), "\(error)")
    }
  }

  @Test func `no damage to a model's bytes traps`() throws {
    var random = SplitMix64(state: 7)
    let whole = try TokenizerFixture.unzipped("t5/spiece.model.gz")
    let text = "ein ro\u{308}ter Fuchs ﬁ ＡＢＣ　<extra_id_3>"
    try withTemporaryFolder { folder in
      let url = folder.appendingPathComponent("spiece.model")
      for round in 0..<60 {
        var bytes = whole
        if round % 3 == 0 { bytes.removeLast(Int(random.next() % UInt64(bytes.count))) }
        for _ in 0..<(1 << (round % 12)) where !bytes.isEmpty {
          bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
        }
        try Data(bytes).write(to: url)
        if let tokenizer = try? T5Tokenizer(contentsOf: url.path) { _ = tokenizer.encode(text) }
      }
    }
  }
}
