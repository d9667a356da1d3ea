import CZlib
import Foundation
import Testing
import TestSupport
import Tokenization

/// Compares ids with those of the webui's tokenizers: the slow CLIPTokenizer of transformers 4.30 with ftfy, and OpenCLIP's.
struct CLIPTokenizerTests {
  struct Row: Decodable {
    let text: String
    let small: [Int32]
    let shuffled: [Int32]
    let full: [Int32]
    let openCLIP: [Int32]
  }

  private func check(_ tokenizer: CLIPTokenizer, _ expected: KeyPath<Row, [Int32]>) throws {
    for row in try Fixtures.decode([Row].self, from: "Tokenization/strings.json") {
      #expect(tokenizer.encode(row.text) == row[keyPath: expected], "\(String(reflecting: row.text))")
    }
  }

  @Test func `difficult texts get the reference's ids in a small vocabulary`() throws {
    try check(Fixtures.small(), \.small)
  }

  @Test func `merges out of order and missing bytes give the reference's ids`() throws {
    try check(Fixtures.shuffled(), \.shuffled)
  }

  @Test(.enabled(if: Fixtures.clipPath != nil, Fixtures.clipReason))
  func `difficult texts get the reference's ids in CLIP's own vocabulary`() throws {
    try check(Fixtures.tokenizer(#require(Fixtures.clipPath)), \.full)
  }

  @Test func `difficult texts get the ids of OpenCLIP's tokenizer`() throws {
    let tokenizer = try Fixtures.small()
    let rows = try Fixtures.decode([Row].self, from: "Tokenization/strings.json")
    for row in rows {
      #expect(tokenizer.encode(row.text, .openCLIP) == row.openCLIP, "\(String(reflecting: row.text))")
    }
    #expect(rows.contains { $0.openCLIP != $0.small })
  }

  struct Block: Decodable {
    let start: UInt32
    let crc32: UInt
    let openCLIP: UInt
  }

  @Test(arguments: [TextCleaning.clip, .openCLIP])
  func `every code point gets the reference's ids`(cleaning: TextCleaning) throws {
    let tokenizer = try Fixtures.small()
    for block in try Fixtures.decode([Block].self, from: "Tokenization/sweep.json") {
      var checksum: uLong = 0
      for scalar in (block.start..<block.start + 0x1000).compactMap(Unicode.Scalar.init) {
        let ids = tokenizer.encode("a\(scalar)b \(scalar)\(scalar)1'\(scalar)s", cleaning)
        let words = ([Int32(ids.count)] + ids).map(\.littleEndian)
        words.withUnsafeBytes { bytes in
          checksum = crc32(checksum, bytes.bindMemory(to: UInt8.self).baseAddress, UInt32(bytes.count))
        }
      }
      let expected = cleaning == .clip ? block.crc32 : block.openCLIP
      #expect(checksum == expected, "code points from U+\(String(block.start, radix: 16))")
    }
  }

  @Test func `the texts of begin and end become the special tokens`() throws {
    let tokenizer = try Fixtures.small()
    let vocabulary = tokenizer.vocabulary
    #expect(
      tokenizer.encode("<|startoftext|><|endoftext|>") == [vocabulary.beginID, vocabulary.endID])
    #expect(tokenizer.encode("<|ENDOFTEXT|>") == [vocabulary.endID])
    #expect(tokenizer.encode("<start_of_text><end_of_text>", .openCLIP) == [vocabulary.beginID, vocabulary.endID])
  }

  @Test(.timeLimit(.minutes(20)))
  func `a word longer than any prompt is encoded in reasonable time`() throws {
    let tokenizer = try Fixtures.small()
    let count = 200_000
    let ids = tokenizer.encode(String(repeating: "the", count: count))
    #expect(ids.count > count / 2)
  }

  @Test func `threads that share a tokenizer get the same ids`() async throws {
    let tokenizer = try Fixtures.small()
    let rows = try Fixtures.decode([Row].self, from: "Tokenization/strings.json")
    await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<4 {
        group.addTask { rows.allSatisfy { tokenizer.encode($0.text) == $0.small } }
      }
      for await isEqual in group { #expect(isEqual) }
    }
  }

  @Test func `more different words than the cache holds keep their ids`() throws {
    let tokenizer = try Fixtures.small()
    // No merge joins these letters, so every word is encoded letter by letter.
    let letters = ["q", "x", "j", "z"]
    let inside = try letters.map { try #require(tokenizer.vocabulary.id(of: $0)) }
    let last = try letters.map { try #require(tokenizer.vocabulary.id(of: $0 + "</w>")) }
    var mistakes = 0
    for number in Array(0..<40_000) + Array(0..<100) {
      let digits = (0..<8).map { number >> (2 * $0) & 3 }
      let ids = tokenizer.encode(digits.map { letters[$0] }.joined())
      if ids != digits.dropLast().map({ inside[$0] }) + [last[digits[7]]] { mistakes += 1 }
    }
    #expect(mistakes == 0)
  }

  @Test func `unrepaired text has the ids of the transformers library`() throws {
    let tokenizer = CLIPTokenizer(try Vocabulary(contentsOf: Fixtures.path("Tokenization/small/merges.txt")))
    let expected = try TokenizerFixture.ids("clip/ids.json.gz")
    #expect(
      TokenizerFixture.differences(expected, try TokenizerFixture.texts()) { tokenizer.encode($0, .unrepaired) } == [])
  }
}
