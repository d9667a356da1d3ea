import Recipes
import Settings
import Testing

@Suite struct ScaleTests {
  @Test func `a million seeds are counted without being listed`() throws {
    let plan = try RecipeText("steps: 3\ngrid: {seed: [1, 2, ..., 1000000]}").plan()
    #expect(plan.count == 1_000_000)
    #expect(plan.totalSteps == 3_000_000)
    #expect(plan.jobs.prefix(3).map(\.settings.seed) == [1, 2, 3])
  }

  @Test func `a million cells with excludes are counted correctly`() throws {
    let plan = try RecipeText(
      """
      grid:
        seed: 0, 1, ..., 99
        steps: 1, 2, ..., 100
        cfg_scale: 1, 1.5, ..., 50.5
      exclude: [{steps: 100, cfg_scale: 1}, {seed: [0, 99], steps: 1}]
      """
    ).plan()
    #expect(plan.count == 1_000_000 - 100 - 2 * 100)
    #expect(plan.totalSteps == 5050 * 100 * 100 - 100 * 100 - 2 * 100)
    // Seed 0 is excluded at step 1.
    let first = Array(plan.jobs.prefix(100))
    #expect(first.map(\.index) == Array(0..<100))
    #expect(first[0].axes.map(\.value) == ["0", "2", "1"])
    #expect(first[99].axes.map(\.value) == ["0", "2", "50.5"])
  }

  @Test func `ten million jobs are the limit`() throws {
    #expect(try RecipeText("grid: {seed: [1, 2, ..., 10000000]}").plan().count == 10_000_000)
    #expect(
      RecipeText("grid: {seed: [1, 2, ..., 10000000]}\ninclude: [{}]").errors() == [
        "fish.yaml:1:7: error: found 10000001 jobs, expected 10000000 at most; split the recipe or remove values"
      ])
  }

  @Test(arguments: [
    ("grid: {seed: [0, 1, ..., 999999], steps: [1, 2, ..., 10000], eta: [0, 0.01, ..., 0.99]}", "1000000000000 jobs"),
    ("grid: {seed: [0, 1, ..., 9223372036854775805]}", "9223372036854775806 jobs"),
    ("grid: {seed: [0, 1, ..., 9223372036854775807]}", "9.223372036854776e+18 jobs"),
    ("grid: {seed: [1, 2, ..., 9000000000000000000], steps: [1, 2, ..., 10000], eta: [0, 0.01, ..., 99]}", "about 8.9"),
    ("zip: [{seed: [1, 2, ..., 4000000000]}, {steps: [1, 2, ..., 10000]}]", "40000000000000 jobs"),
  ])
  func `plans far beyond the limit are an error without enumerating them`(_ text: String, _ number: String) {
    let errors = RecipeText(text).errors()
    #expect(errors.count == 1)
    #expect(errors[0].contains("expected 10000000 at most"))
    #expect(errors[0].contains(number), "\(errors[0])")
  }

  @Test func `an exceeded limit is reported together with the other errors`() {
    let errors = RecipeText("stesp: 3\ngrid: {seed: [1, 2, ..., 99999999]}").errors()
    #expect(errors.count == 2)
    #expect(errors[1].contains("found 99999999 jobs"))
  }
}
