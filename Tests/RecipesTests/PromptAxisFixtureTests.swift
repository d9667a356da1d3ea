import Foundation
import Prompts
import Recipes
import Testing
import TestSupport

/// Checks edits of prompts against Python's csv, str and itertools.
@Suite struct PromptAxisFixtureTests {
  struct Fixture: Decodable {
    struct CSV: Decodable {
      var text: String
      var rows: [[String]]
    }
    struct Styles: Decodable {
      var prompt: String
      var styles: [String]
      var result: String
    }
    struct Order: Decodable {
      var prompt: String
      var texts: [String]
      var prompts: [String]?
    }
    struct Matrix: Decodable {
      var text: String
      var at_start: Bool
      var delimiter: String
      var prompts: [String]
    }
    var csv: [CSV]
    var styles: [Styles]
    var replacements: [[String?]]
    var orders: [Order]
    var matrices: [Matrix]
  }

  let fixture: Fixture

  init() throws { fixture = try Fixtures.decode(from: "Planning/prompt-axes.json") }

  @Test func `rows of comma-separated values are those that Python reads`() throws {
    #expect(fixture.csv.count == 160)
    for item in fixture.csv {
      #expect(try CSVText.rows(item.text).map(\.fields) == item.rows, "\(item.text)")
    }
  }

  @Test func `an unclosed quote is reported with its line`() {
    #expect { try CSVText.rows("a\nb, \"c\n\nd") } throws: { ($0 as? CSVText.Unclosed)?.line == 2 }
    #expect(throws: CSVText.Unclosed.self) { try CSVText.rows("\"a\"\"") }
  }

  @Test func `styles are joined as Python joins them`() {
    for item in fixture.styles {
      let result = item.styles.reduce(item.prompt) { PromptStyle.merged($1, into: $0) }
      #expect(result == item.result, "\(item)")
    }
  }

  @Test func `texts are replaced as Python replaces them: by bytes, not by canonical equivalence`() throws {
    #expect(fixture.replacements.contains { $0[3] == nil })
    for item in fixture.replacements {
      var prompt = try #require(item[0])
      var negative = ""
      let edit = PromptEdit.replace(try #require(item[1]), by: try #require(item[2]))
      if let result = item[3] {
        try edit.apply(to: &prompt, &negative)
        #expect(prompt == result, "\(item)")
      } else {
        #expect(throws: PromptEdit.Problem.self) { try edit.apply(to: &prompt, &negative) }
      }
    }
    var prompt = "cafe\u{301}"
    var negative = "é e"
    try PromptEdit.replace("e", by: "x").apply(to: &prompt, &negative)
    #expect(Array(prompt.utf8) == Array("cafx\u{301}".utf8) && negative == "é x")
  }

  @Test func `every order puts the texts where Python puts them`() throws {
    for item in fixture.orders {
      var recipe = RecipeText("prompt: \(quoted(item.prompt))\ngrid:\n  Prompt order: [")
      recipe.text += item.texts.map(quoted).joined(separator: ", ") + "]"
      if let prompts = item.prompts {
        #expect(try recipe.jobs().map(\.settings.prompt) == prompts, "\(item)")
      } else {
        #expect(recipe.errors().first?.hasPrefix("fish.yaml:3:17: error: ") == true, "\(item)")
      }
    }
  }

  @Test func `a matrix has the combinations that Python makes`() throws {
    for item in fixture.matrices {
      let recipe = RecipeText(
        """
        grid:
          prompt matrix:
            prompt: \(quoted(item.text))
            put_at_start: \(item.at_start)
            variations_delimiter: \(item.delimiter == " " ? "space" : "comma")
        """)
      #expect(try recipe.jobs().map(\.settings.prompt) == item.prompts, "\(item)")
    }
  }

  /// Quoted so that YAML accepts any text.
  private func quoted(_ text: String) -> String {
    "\"" + text.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\"") + "\""
  }
}
