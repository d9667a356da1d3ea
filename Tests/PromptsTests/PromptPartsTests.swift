import Prompts
import Testing
import TestSupport

@Suite struct PromptPartsTests {
  struct Row: Decodable {
    let prompt: String
    let parts: [Part]
  }

  struct Part: Decodable, Equatable {
    let text: String
    let weight: Double

    init(_ text: String, _ weight: Double) { (self.text, self.weight) = (text, weight) }

    init(from decoder: any Decoder) throws {
      var container = try decoder.unkeyedContainer()
      text = try container.decode(String.self)
      weight = try container.decode(Double.self)
    }
  }

  private func parts(_ prompt: String) -> [Part] { PromptParts(prompt).parts.map { Part($0.text, $0.weight) } }

  @Test func `parts are separated by the word AND and weighted by a number at their end`() {
    #expect(parts("a:1.2 AND b :-0.5") == [Part("a", 1.2), Part(" b", -0.5)])
    #expect(parts("x AND (y:1.2):0.7").map(\.weight) == [1, 0.7])
    #expect(parts("aANDb") == [Part("aANDb", 1)])
    #expect(parts("cat:2") == [Part("cat", 2)])
    #expect(parts("AND").map(\.text) == ["", ""])
  }

  @Test func `random prompts are split as by Python's regular expressions`() throws {
    for row in try Fixtures.decode([Row].self, from: "Prompts/parts.json") {
      #expect(parts(row.prompt) == row.parts, "\(String(reflecting: row.prompt))")
    }
  }

  @Test func `comments are removed as by Python's regular expressions`() throws {
    let rows = try Fixtures.decode([[String]].self, from: "Prompts/comments.json")
    #expect(rows.count > 50)
    for row in rows {
      // Compare scalars, because to Swift a carriage return and a line feed are one character.
      let found = Array(PromptComments.stripped(row[0]).unicodeScalars)
      #expect(found == Array(row[1].unicodeScalars), "\(String(reflecting: row[0]))")
    }
  }
}
