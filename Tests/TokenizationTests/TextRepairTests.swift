import CZlib
import Foundation
import Testing
import TestSupport
@testable import Tokenization

/// Compares repaired text with ftfy's, see `Tests/FixtureScripts/make_text_repair.py`.
struct TextRepairTests {
  struct Document: Decodable {
    /// Texts, each with the result of `ftfy.fix_text`.
    let repaired: [[String]]
    /// Texts, each with the result of Python's `html.unescape`.
    let unescaped: [[String]]
  }

  private static let document = Result { try JSONDecoder().decode(Document.self, from: inflated("repair.json.gz")) }

  private static func inflated(_ name: String) throws -> Data {
    let file = try #require(gzopen(Fixtures.path("Tokenization/" + name), "rb"))
    defer { gzclose(file) }
    var bytes = [UInt8](repeating: 0, count: 16 << 20)
    let count = gzread(file, &bytes, UInt32(bytes.count))
    try #require(count > 0 && count < bytes.count)
    return Data(bytes[..<Int(count)])
  }

  private func repaired(_ text: String) -> String { string(TextRepair.repaired(text)) }

  private func string(_ scalars: [Unicode.Scalar]) -> String {
    var text = String.UnicodeScalarView()
    text.append(contentsOf: scalars)
    return String(text)
  }

  /// `==` on strings treats composed and decomposed letters as equal.
  private func isSame(_ a: String, _ b: String) -> Bool { Array(a.utf8) == Array(b.utf8) }

  @Test func `thousands of damaged texts become what ftfy makes of them`() throws {
    let pairs = try Self.document.get().repaired
    #expect(pairs.count > 4000 && pairs.count { !isSame($0[0], $0[1]) } > 2500)
    for pair in pairs {
      let found = repaired(pair[0])
      #expect(isSame(found, pair[1]), "\(String(reflecting: pair[0])) became \(String(reflecting: found))")
    }
  }

  @Test func `every name of HTML is read as Python reads it`() throws {
    let pairs = try Self.document.get().unescaped
    #expect(pairs.count > 2500)
    for pair in pairs {
      let found = string(HTMLEntities.unescapedAsHTML(Array(pair[0].unicodeScalars)))
      #expect(isSame(found, pair[1]), "\(String(reflecting: pair[0])) became \(String(reflecting: found))")
    }
  }

  @Test func `entities are read up to the line with a tag`() {
    #expect(repaired("&eacute;\n<b> &eacute;\n&eacute;") == "é\n<b> &eacute;\n&eacute;")
  }

  @Test(.timeLimit(.minutes(20)))
  func `deeply nested entities and long lines take no hours`() {
    #expect(repaired("é &" + String(repeating: "amp;", count: 100_000) + "lt;") == "é <")
    let long = String(repeating: "“w", count: 600_000)
    #expect(repaired(long).utf8.count == 1_200_000)
  }

  @Test func `a text counts as repaired only if its tokens change`() throws {
    let tokenizer = try Fixtures.small()
    for text in ["a red fish", "Café, naïve", "漢字 😀 ½", "a <lora:x:1>\n(b:1.2) \"c\" 'd' #e", "e\u{301}", "1 < 2"] {
      #expect(!tokenizer.isRepaired(text, by: [.clip, .openCLIP]), "\(text)")
    }
    for text in ["don’t", "red，blue", "ａ", "cafÃ©", "&eacute;", "\u{7}a", "<|ENDOFTEXT|>", "ΟΔΟΣ"] {
      #expect(tokenizer.isRepaired(text, by: [.clip]), "\(text)")
    }
    // Only OpenCLIP reads HTML entities without semicolons.
    #expect(!tokenizer.isRepaired("a &lt b", by: [.clip]) && tokenizer.isRepaired("a &lt b", by: [.openCLIP]))
    #expect(tokenizer.isRepaired("<end_of_text>", by: [.openCLIP]))
  }

  @Test func `a full-width comma breaks a long prompt as a comma does`() throws {
    let tokenizer = try Fixtures.small()
    let text = String(repeating: "a ", count: 60) + "," + String(repeating: " a", count: 29)
    let plain = try PromptChunks(text, tokenizer: tokenizer)
    let wide = try PromptChunks(text.replacingOccurrences(of: ",", with: "，"), tokenizer: tokenizer)
    #expect(plain == wide && plain.chunks.count == 2)
  }

  @Test func `weights are read before text is repaired`() throws {
    let tokenizer = try Fixtures.small()
    // The full-width brackets are not brackets of the prompt language, and become plain ones for the tokenizer.
    let wide = try PromptChunks("（red：1.5）", tokenizer: tokenizer).chunks[0]
    #expect(wide.weights.allSatisfy { $0 == 1 })
    #expect(wide.ids.dropFirst().starts(with: tokenizer.encode("(red:1.5)")))
  }
}
