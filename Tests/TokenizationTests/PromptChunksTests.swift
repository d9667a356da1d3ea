import Foundation
import Prompts
import Testing
import TestSupport
import Tokenization

struct PromptChunksTests {
  struct Row: Decodable {
    /// Ids without begin and padding; weights as pairs of count and weight.
    struct Chunk: Decodable {
      let ids: [Int32]
      let weights: [[Double]]

      func ids(padded vocabulary: Vocabulary) -> [Int32] {
        [vocabulary.beginID] + ids + Array(repeating: vocabulary.endID, count: 76 - ids.count)
      }

      var paddedWeights: [Float] {
        var padded: [Float] = [1]
        for run in weights { padded += Array(repeating: Float(run[1]), count: Int(run[0])) }
        return padded + Array(repeating: 1, count: 77 - padded.count)
      }
    }

    let prompt: String
    let small: [Chunk]
    let full: [Chunk]
  }

  private func check(_ tokenizer: CLIPTokenizer, _ expected: KeyPath<Row, [Row.Chunk]>) throws {
    for row in try Fixtures.decode([Row].self, from: "Tokenization/chunks.json") {
      let chunks = try PromptChunks(row.prompt, tokenizer: tokenizer).chunks
      let prompt = Comment(rawValue: String(reflecting: row.prompt))
      #expect(
        chunks.map(\.ids) == row[keyPath: expected].map { $0.ids(padded: tokenizer.vocabulary) }, prompt)
      #expect(chunks.map(\.weights) == row[keyPath: expected].map(\.paddedWeights), prompt)
    }
  }

  @Test func `prompts are packed as the reference packs them`() throws {
    try check(Fixtures.small(), \.small)
  }

  @Test(.enabled(if: Fixtures.clipPath != nil, Fixtures.clipReason))
  func `prompts are packed as the reference packs them in CLIP's own vocabulary`() throws {
    try check(Fixtures.tokenizer(#require(Fixtures.clipPath)), \.full)
  }

  /// The number of tokens in each chunk before the padding.
  private func sizes(_ prompt: String, commaBacktrack: Int = 20) throws -> [Int] {
    let tokenizer = try Fixtures.small()
    let end = tokenizer.vocabulary.endID
    return try PromptChunks(prompt, tokenizer: tokenizer, commaBacktrack: commaBacktrack).chunks.map { chunk in
      #expect(chunk.ids.count == 77 && chunk.weights.count == 77)
      #expect(chunk.ids.first == tokenizer.vocabulary.beginID && chunk.ids.last == end)
      return chunk.ids.dropFirst().prefix { $0 != end }.count
    }
  }

  /// 90 tokens with the only comma at this index.
  private func ninety(commaAt index: Int) -> String {
    String(repeating: "a ", count: index) + "," + String(repeating: " a", count: 89 - index)
  }

  @Test(arguments: [(60, [61, 29]), (55, [56, 34]), (54, [75, 15]), (75, [75, 15])])
  func `ninety tokens break after a comma that is near the end`(comma: Int, expected: [Int]) throws {
    #expect(try sizes(ninety(commaAt: comma)) == expected)
  }

  @Test func `seventy-six tokens without a comma break at seventy-five`() throws {
    #expect(try sizes(String(repeating: "a ", count: 75)) == [75])
    #expect(try sizes(String(repeating: "a ", count: 76)) == [75, 1])
  }

  @Test func `backtracking can be turned off`() throws {
    #expect(try sizes(ninety(commaAt: 60), commaBacktrack: 0) == [75, 15])
  }

  @Test func `BREAK closes a chunk, and a final one adds none`() throws {
    #expect(try sizes("a BREAK a a") == [1, 2])
    #expect(try sizes("a BREAK") == [1])
    #expect(try sizes("") == [0])
  }

  @Test func `a vocabulary without a comma breaks at seventy-five`() throws {
    let tokenizer = try Fixtures.shuffled()
    #expect(tokenizer.vocabulary.commaID == nil)
    let chunks = try PromptChunks(ninety(commaAt: 60), tokenizer: tokenizer).chunks
    #expect(chunks.count == 2)
    #expect(chunks[1].ids[15] != tokenizer.vocabulary.endID && chunks[1].ids[16] == tokenizer.vocabulary.endID)
  }

  @Test func `weights follow their tokens`() throws {
    let weights = try PromptChunks("a (red:1.5) fish", tokenizer: Fixtures.small()).chunks[0].weights
    #expect(weights == [1, 1, 1.5] + Array(repeating: 1, count: 74))
  }
}
