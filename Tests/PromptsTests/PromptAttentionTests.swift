import Foundation
import Prompts
import Testing
import TestSupport

struct PromptAttentionTests {
  struct Row: Decodable {
    struct Run: Decodable {
      let text: String
      let weight: Double
    }

    let prompt: String
    /// Nil if the reference fails.
    let runs: [Run]?
  }

  typealias Vector = (prompt: String, runs: [(String, Double)])

  /// Prompts with the result of the webui itself, then some that follow from its rules.
  static let vectors: [Vector] = [
    ("", [("", 1)]),
    (
      "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
      [
        ("a ", 1), ("house", 1.573), (" ", 1.1), ("on", 1), (" a ", 1.1), ("hill", 0.55), (", sun, ", 1.1),
        ("sky", 1.4641), (".", 1.1),
      ]
    ),
    ("(a: 1.5 )", [("a", 1.5)]),
    ("(a:-0.5)", [("a", -0.5)]),
    ("((a:1.2):1.5)", [("a", 1.8)]),
    ("[[a]]", [("a", 0.826446)]),
    ("(a [b] c:1.3)", [("a ", 1.3), ("b", 1.181818), (" c", 1.3)]),
    ("(a:1.2", [("a:1.2", 1.1)]),
    ("a:1.2)", [("a:1.2)", 1)]),
    ("\\(a\\)", [("(a)", 1)]),
    ("[a:1.5]", [("a:1.5", 1 / 1.1)]),
    // By its rules.
    ("a BREAK b", [("a", 1), ("BREAK", -1), ("b", 1)]),
    ("(a BREAK b)", [("a", 1.1), ("BREAK", -1.1), ("b", 1.1)]),
    ("a\\b", [("ab", 1)]),
    ("\\", [("", 1)]),
    // The dropped backslash separates two runs of equal weight.
    ("(a)\\(b", [("a", 1.1), ("(b", 1)]),
    ("(a)\\x(b)", [("a", 1.1), ("x", 1), ("b", 1.1)]),
  ]

  @Test(arguments: vectors)
  func `a vector is split as in the webui`(vector: Vector) throws {
    let runs = try PromptAttention(vector.prompt).runs
    #expect(runs.map(\.text) == vector.runs.map(\.0))
    // The vectors were printed with six decimals.
    for (run, expected) in zip(runs, vector.runs) { #expect(abs(run.weight - expected.1) < 1e-6) }
  }

  @Test func `random prompts are split as in the reference`() throws {
    for row in try Fixtures.decode([Row].self, from: "Prompts/attention.json") {
      let prompt = Comment(rawValue: String(reflecting: row.prompt))
      guard let expected = row.runs else {
        #expect(throws: PromptError.self, prompt) { try PromptAttention(row.prompt) }
        continue
      }
      let runs = try PromptAttention(row.prompt).runs
      #expect(runs.map { Array($0.text.unicodeScalars) } == expected.map { Array($0.text.unicodeScalars) }, prompt)
      #expect(runs.map(\.weight) == expected.map(\.weight), prompt)
    }
  }

  @Test func `a weight with two points is an error with its position`() {
    let error = #expect(throws: PromptError.self) { try PromptAttention("a 👍🏽 (house:1.1.1), sky") }
    #expect(error == .weightNotANumber(weight: "1.1.1", position: 12))
    #expect(error?.description.contains("character 12") == true)
    #expect(error?.description.contains("1.1.1") == true)
  }

  @Test func `a weight with two points outside of brackets is text`() throws {
    #expect(try PromptAttention("a:1.1.1)").runs.map(\.text) == ["a:1.1.1)"])
  }

  @Test func `weights beyond Float32 are refused`() {
    let huge = String(repeating: "9", count: 30)
    #expect(throws: PromptError.self) { try PromptAttention("((a:\(huge)):\(huge))") }
    #expect(throws: PromptError.self) { try PromptAttention("(a:\(String(repeating: "9", count: 400)))") }
  }

  @Test func `a break inside brackets is a word unless its weight comes back to -1`() throws {
    #expect(try PromptAttention("a BREAK b").runs.map(\.isBreak) == [false, true, false])
    #expect(try PromptAttention("(a BREAK b:1.2)").runs.map(\.isBreak) == [false, false, false])
    #expect(try PromptAttention("(a BREAK b:1)").runs.map(\.isBreak) == [false, true, false])
    // KELVIN SIGN, canonically equal to K
    #expect(!PromptAttention.Run(text: "BREA\u{212A}", weight: -1).isBreak)
  }

  @Test func `brackets may nest thousands deep`() throws {
    let runs = try PromptAttention(String(repeating: "[(", count: 5000) + "a").runs
    #expect(runs.map(\.text) == ["a"])
    #expect(abs((runs.first?.weight ?? 0) - 1) < 1e-9)
  }
}
