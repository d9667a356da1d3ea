import Foundation
import Testing
import TestSupport

@testable import Tokenization

/// Ids from the `tokenizers` library for difficult texts.
@Suite struct QwenTokenizerTests {
  @Test(arguments: ["qwen", "qwen-flags"])
  func `texts have the ids of the tokenizers library`(folder: String) throws {
    let tokenizer = try QwenTokenizer(contentsOf: TokenizerFixture.path("\(folder)/tokenizer.json.gz"))
    let expected = try TokenizerFixture.ids("\(folder)/ids.json.gz")
    #expect(TokenizerFixture.differences(expected, try TokenizerFixture.texts(), tokenizer.encode) == [])
  }

  @Test func `every scalar of Unicode has the class that the library gives it`() throws {
    let classes = try JSONDecoder().decode(
      [String: [[UInt32]]].self, from: Data(TokenizerFixture.unzipped("classes.json.gz")))
    func members(_ name: String) throws -> Set<UInt32> {
      Set(try #require(classes[name]).flatMap { Array($0[0]...$0[1]) })
    }
    let (letters, numbers, spaces) = (try members("letters"), try members("numbers"), try members("spaces"))
    let (sorted, changed) = (try members("sorted"), try members("changed"))
    func composed(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
      NormalForm.composed(text, unicode: UnicodeAge.tokenizersNormalForm)
    }
    var wrong: [String] = []
    for value in UInt32(0)...0x10FFFF {
      guard let scalar = Unicode.Scalar(value) else { continue }
      // Letters are grouped, digits are separate, and spaces belong to the text before line ends.
      func count(_ text: [Unicode.Scalar]) -> Int {
        var count = 0
        QwenWords.forEach(in: text) { _ in count += 1 }
        return count
      }
      let isLetter = count(["a", scalar, "b"]) == 1
      let isNumber = count([scalar, scalar]) == 2 && !isLetter
      let isSpace = count([scalar, "\n"]) == 1 && count(["!", scalar, "!"]) > 1 && !isLetter
      let isOther = !isLetter && !isNumber && !isSpace
      let expected = letters.contains(value) ? 0 : numbers.contains(value) ? 1 : spaces.contains(value) ? 2 : 3
      let found = isLetter ? 0 : isNumber ? 1 : isSpace ? 2 : isOther ? 3 : 4
      let single = composed([scalar])
      if found != expected || (single != [scalar]) != changed.contains(value)
        || (composed(["q", "\u{345}", scalar]) != ["q", "\u{345}"] + single) != sorted.contains(value)
      {
        wrong.append(String(value, radix: 16))
      }
    }
    #expect(wrong.prefix(40) == [], "\(wrong.count)")
  }

  @Test func `a vocab json and a merges txt are the same tokenizer as the tokenizer json`() throws {
    let whole = try QwenTokenizer(contentsOf: TokenizerFixture.path("qwen/tokenizer.json.gz"))
    for name in ["vocab.json", "merges.txt"] {
      let parts = try QwenTokenizer(contentsOf: TokenizerFixture.path("qwen/\(name)"))
      #expect(parts.canonicalBytes == whole.canonicalBytes)
      #expect(parts.count == whole.count)
      #expect(parts.endOfTextID == whole.endOfTextID)
    }
  }

  @Test func `without other files the tokens of Qwen3 follow the vocabulary`() throws {
    try withTemporaryFolder { folder in
      for name in ["vocab.json", "merges.txt"] {
        try FileManager.default.copyItem(
          atPath: TokenizerFixture.path("qwen/\(name)"), toPath: folder.appendingPathComponent(name).path)
      }
      let tokenizer = try QwenTokenizer(contentsOf: folder.appendingPathComponent("merges.txt").path)
      let first = try #require(tokenizer.endOfTextID)
      #expect(
        tokenizer.encode("<|im_start|><|im_end|><think></think>") == [first + 1, first + 2, first + 24, first + 25])
      #expect(tokenizer.count == Int(first) + 26)
    }
  }

  @Test func `a GGUF file's metadata is the same tokenizer`() throws {
    let whole = try QwenTokenizer(contentsOf: TokenizerFixture.path("qwen/tokenizer.json.gz"))
    let vocabulary = try JSONDecoder().decode(
      [String: Int].self, from: Data(contentsOf: URL(fileURLWithPath: TokenizerFixture.path("qwen/vocab.json"))))
    var tokens = vocabulary.sorted { $0.value < $1.value }.map(\.key)
    var types = tokens.map { _ in 1 }
    let added: [(String, Int)] = [
      ("<|endoftext|>", 3), ("<|im_start|>", 3), ("<|im_end|>", 3), ("<|object_ref_start|>", 3), ("<think>", 4),
      ("</think>", 4),
    ]
    for (token, type) in added {
      tokens.append(token)
      types.append(type)
    }
    // Published files have as many entries as the embedding has rows.
    tokens.append("[PAD606]")
    types.append(5)
    let merges = try String(contentsOfFile: TokenizerFixture.path("qwen/merges.txt"), encoding: .utf8)
    let tokenizer = try QwenTokenizer(
      path: "qwen.gguf", tokens: tokens, types: types, merges: merges.split(separator: "\n").map(String.init))
    #expect(tokenizer.canonicalBytes == whole.canonicalBytes)
  }

  @Test func `chat templates are one text with the special tokens of the vocabulary`() throws {
    let tokenizer = try QwenTokenizer(contentsOf: TokenizerFixture.path("qwen/tokenizer.json.gz"))
    let end = try #require(tokenizer.endOfTextID)
    let ids = tokenizer.encode(ChatTemplate.answerWithoutThought.text("a fox"))
    #expect(ids.first == end + 1)
    #expect(ids.filter { $0 >= end } == [end + 1, end + 2, end + 1, end + 4, end + 5])
    #expect(ids.starts(with: tokenizer.encode(ChatTemplate.answer.text("a fox"))))
  }

  @Test(arguments: [
    (#"{"model": {"type": "Unigram", "vocab": []}}"#, "it is a tokenizer of the type Unigram, expected BPE"),
    ("{\n \"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": -1}, \"merges\": []},\n", ":3:1: "),
    (#"{"model": {}}"#, "it has no \"type\""),
    (#"{"model": {"type": "BPE", "ignore_merges": true}}"#, "ignore_merges"),
    (#"{"model": {"type": "BPE"}, "normalizer": {"type": "NFKC"}}"#, "its normalizer is \"NFKC\", expected NFC"),
    (
      #"{"model": {"type": "BPE"}, "normalizer": {"type": "NFC"}, "pre_tokenizer": {"type": "ByteLevel"}}"#,
      "pre_tokenizer"
    ),
    (#"{"added_tokens": [{"id": 7}], "model": {"type": "BPE"}}"#, ":1:19: "),
    ("[]", ":1:1: "), ("", "found the end"),
  ])
  func `a damaged file is refused with its position`(text: String, message: String) throws {
    try withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("tokenizer.json").path
      try Data(text.utf8).write(to: URL(fileURLWithPath: path))
      let error = try #require(throws: TokenizationError.self) { _ = try QwenTokenizer(contentsOf: path) }
      #expect("\(error)".hasPrefix(path))
      #expect("\(error)".contains(message), "\(error)")
    }
  }

  @Test func `a merge of tokens that the vocabulary lacks is refused with its line`() throws {
    try withTemporaryFolder { folder in
      let vocabulary = folder.appendingPathComponent("vocab.json")
      try FileManager.default.copyItem(atPath: TokenizerFixture.path("qwen/vocab.json"), toPath: vocabulary.path)
      let merges = folder.appendingPathComponent("merges.txt")
      try Data("#version: 0.2\na b\nzzq zz\n".utf8).write(to: merges)
      let error = try #require(throws: TokenizationError.self) { _ = try QwenTokenizer(contentsOf: vocabulary.path) }
      #expect("\(error)".hasPrefix("\(merges.path):"))
    }
  }
}
