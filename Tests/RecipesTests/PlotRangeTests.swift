import Recipes
import Settings
import Testing

/// The ranges of the webui's X/Y/Z plot, with correct results where the webui's are wrong.
@Suite struct PlotRangeTests {
  private func steps(_ values: String) throws -> [Int] {
    try RecipeText("grid:\n  steps: \(values)").jobs().map(\.settings.steps)
  }

  private func numbers(_ values: String) throws -> [Double] {
    try RecipeText("grid:\n  cfg_scale: \(values)").jobs().map(\.settings.cfgScale)
  }

  @Test(arguments: [
    ("1-5", [1, 2, 3, 4, 5]), ("1-5 (+2)", [1, 3, 5]), ("\"1-10 [5]\"", [1, 3, 5, 7, 10]),
    ("10-1 (-3)", [10, 7, 4, 1]), ("10-1", [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]), ("\"+1 - + 3\"", [1, 2, 3]),
    ("1-9 (+3)", [1, 4, 7]), ("2-2", [2]), ("\"3-8 [1]\"", [3]), ("\"8-3 [3]\"", [8, 5, 3]),
  ])
  func `ranges of whole numbers`(_ range: String, _ values: [Int]) throws {
    #expect(try steps(range) == values)
  }

  @Test(
    arguments: [
      ("1-5 (+2)", [1, 3, 5]), ("\"0-1 [5]\"", [0, 0.25, 0.5, 0.75, 1]), ("1-2 (+0.3)", [1, 1.3, 1.6, 1.9]),
      ("0.5-0.1 (-0.2)", [0.5, 0.3, 0.1]), ("3-1", [3, 2, 1]), ("1e-3", [0.001]), ("-3--1", [-3, -2, -1]),
      ("0-1 (+0.1)", [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]), (".5-1.(+.25)", [0.5, 0.75, 1]),
      ("\"0-1 [4]\"", [0, 1.0 / 3, 2.0 / 3, 1]), ("\"-1-1 [3]\"", [-1, 0, 1]), ("1--1", [1, 0, -1]),
    ] as [(String, [Double])])
  func `ranges of numbers, exact to the last digit`(_ range: String, _ values: [Double]) throws {
    #expect(try numbers(range) == values)
  }

  @Test func `ranges mix with values, in lists and in lines, and are expanded in labels`() throws {
    #expect(try steps("20, 1-3, 5-9 (+2)") == [20, 1, 2, 3, 5, 7, 9])
    #expect(try steps("[20, 1-3, \"4, 6-7\"]") == [20, 1, 2, 3, 4, 6, 7])
    #expect(try steps("|\n    1-2\n    7\n    9, 10") == [1, 2, 7, 9, 10])
    let jobs = try RecipeText("grid: {cfg_scale: \"0-1 [4]\"}").jobs()
    #expect(jobs.map(\.axes[0].value) == ["0", "0.3333333333333333", "0.6666666666666666", "1"])
    #expect(
      try RecipeText("grid: {width: \"512-1024 [3]\", seed: 7-8}").jobs().map(\.settings.width)
        == [512, 512, 768, 768, 1024, 1024])
  }

  @Test(arguments: [
    ("steps: 1-2 (2)", "steps: in 1-2 (2): found (2), expected a step with its sign, such as (+2) or (-2)"),
    ("steps: 1-5 (-1)", "steps: in 1-5 (-1): the step -1 leads away from 5, expected one with the opposite sign"),
    ("steps: 1-5 (+0)", "steps: in 1-5 (+0): found the step 0, expected a number such as +1"),
    ("steps: '0-1 [2.5]'", "steps: in 0-1 [2.5]: found [2.5], expected the number of values, such as [5]"),
    ("steps: '1-5 [0]'", "steps: in 1-5 [0]: found [0], expected the number of values, such as [5]"),
    ("steps: 0-3", "steps: in 0-3: found 0, expected a whole number from 1 to 10000"),
    ("steps: 1-3 (+0.5)", "steps: in 1-3 (+0.5): found 1.5, expected a whole number from 1 to 10000"),
    (
      "width: '512-1024 [4]'",
      "width: in 512-1024 [4]: found 682, expected a multiple of 8 from 8 to 8192; the nearest are 680 and 688"
    ),
    ("seed: 1--1", "seed: in 1--1: found a row through -1, expected a row of seeds from 0 on"),
    ("steps: 2024-01-01", "steps: found \"2024-01-01\", expected a whole number from 1 to 10000"),
    ("steps: 1-5)", "steps: found \"1-5)\", expected a whole number from 1 to 10000"),
  ])
  func `an error in a range is reported with its position`(_ axis: String, _ message: String) {
    let column = 8 + axis.prefix { $0 != " " }.count + 1
    #expect(RecipeText("grid: {\(axis)}").errors() == ["fish.yaml:1:\(column): error: " + message])
  }

  @Test func `an exclude may name a range`() throws {
    let jobs = try RecipeText("grid: {steps: 1-9, eta: [0, 1]}\nexclude: [{steps: '2-7, 9', eta: 0-1 (+1)}]").jobs()
    #expect(jobs.map(\.settings.steps) == [1, 1, 8, 8])
    #expect(
      RecipeText("exclude: [{steps: 1-5 (-1)}, {seed: 0-999999}]").errors() == [
        "fish.yaml:1:19: error: steps: in 1-5 (-1): the step -1 leads away from 5, expected one with the opposite sign",
        "fish.yaml:1:37: error: seed: in 0-999999: found 1000000 numbers, expected 250000 at most",
      ])
  }

  @Test func `a range of millions is counted without being listed`() throws {
    let plan = try RecipeText("grid: {seed: '0-9999999 (+10)', cfg_scale: '1-2 [10]'}").plan()
    #expect(plan.count == 10_000_000)
    #expect(plan.jobs.prefix(11).map(\.settings.seed) == Array(repeating: 0, count: 10) + [10])
    #expect(try RecipeText("grid: {cfg_scale: '0-1 [1000000]'}").plan().count == 1_000_000)
    #expect(RecipeText("grid: {seed: 0-99999999}").errors().first?.contains("found 100000000 jobs") == true)
    #expect(RecipeText("grid: {seed: 0-999999999999999999999}").errors().first?.contains("too many digits") == true)
  }
}
