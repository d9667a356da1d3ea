import Recipes
import Testing
import TestSupport

@Suite struct RowTests {
  struct Row: Decodable {
    var first: String
    var second: String
    var last: String
    var values: [String]?
    var nearest: [String]?
  }

  @Test func `rows hold the same decimals as Python's`() throws {
    let rows = try Fixtures.decode([Row].self, from: "Planning/rows.json")
    #expect(rows.count == 120)
    for row in rows {
      let first = try #require(ExactDecimal(row.first))
      let second = try #require(ExactDecimal(row.second))
      let last = try #require(ExactDecimal(row.last))
      do {
        let progression = try Progression(after: first, second, through: last)
        let rest = (0..<progression.count).map { progression[$0].description }
        #expect([first.description, second.description] + rest == row.values)
      } catch {
        let nearest = try #require(row.nearest, "\(row): \(error)")
        guard case .missed(let below, let above) = error else {
          Issue.record("\(row): \(error)")
          continue
        }
        #expect([below.description, above.description] == nearest)
      }
    }
  }

  @Test func `a row of tenths does not accumulate rounding errors`() throws {
    let jobs = try RecipeText("grid: {cfg_scale: \"0.1, 0.2, ..., 1\"}").jobs()
    #expect(jobs.map(\.settings.cfgScale) == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1])
    #expect(jobs.map(\.axes[0].value) == ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1"])
  }

  @Test func `rows may be in text, in lists and in items of lists, ascending or descending, one after another`() throws
  {
    func steps(_ values: String) throws -> [Int] {
      try RecipeText("grid: {steps: \(values)}").jobs().map(\.settings.steps)
    }
    #expect(try steps("\"1, 2, ..., 5\"") == [1, 2, 3, 4, 5])
    #expect(try steps("[1, 2, ..., 5]") == [1, 2, 3, 4, 5])
    #expect(try steps("[50, \"5, 4, ..., 2\", 60]") == [50, 5, 4, 3, 2, 60])
    #expect(try steps("[9, 1, 3, ..., 7, 17, ..., 37, 99]") == [9, 1, 3, 5, 7, 17, 27, 37, 99])
    #expect(try steps("[1, 2, …, 4]") == [1, 2, 3, 4])
    #expect(try steps("\"1e1,2e1,...,5e1\"") == [10, 20, 30, 40, 50])
  }

  @Test(arguments: [
    ("1, 3, ..., 8", "steps: in 1, 3, ..., 8: the row skips 8, expected an end such as 7 or 9"),
    ("5, 5, ..., 8", "steps: in 5, 5, ..., 8: found the same number twice before ..., expected two different ones"),
    ("5, 6, ..., 2", "steps: in 5, 6, ..., 2: the row leads away from 2, expected an end beyond 6"),
    ("1, ..., 8", "steps: found ... without two numbers before it, expected a row such as 1, 2, ..., 8"),
    ("1, 2, ...", "steps: found no value after ..., expected the number the row ends with, as in 1, 2, ..., 8"),
    ("1, 2, ..., x", "steps: found \"x\" after ..., expected the number the row ends with, as in 1, 2, ..., 8"),
    (
      "9990, 9995, ..., 10005", "steps: in 9990, 9995, ..., 10005: found 10005, expected a whole number from 1 to 10000"
    ),
    ("1, 1.5, ..., 3", "steps: found 1.5, expected a whole number from 1 to 10000"),
  ])
  func `an invalid row is reported with the nearest valid ones`(_ row: String, _ message: String) {
    #expect(RecipeText("grid:\n  steps: \(row)").errors().contains { $0 == "fish.yaml:2:10: error: \(message)" })
  }

  @Test func `every value of a row is checked without enumerating them`() {
    #expect(
      RecipeText("grid: {width: [512, 516, ..., 1000000000]}").errors().contains {
        $0.contains("expected a multiple of 8 from 8 to 8192")
      })
    #expect(RecipeText("grid: {seed: [-3, -2, ..., 5]}").errors().count == 3)
    #expect(RecipeText("grid: {seed: [-2, -1, ..., 5]}").errors().count >= 1)
    #expect(
      RecipeText("grid: {eta: [0.0000000000000000001, 1, ..., 3]}").errors() == [
        "fish.yaml:1:40: error: eta: found ... without two numbers before it, expected a row such as 1, 2, ..., 8"
      ])
    #expect(
      RecipeText("grid: {eta: [0.000000000000000001, 99, ..., 100]}").errors().contains {
        $0.contains("too many digits")
      })
  }
}
