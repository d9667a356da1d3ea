import Foundation
import Recipes
import Settings
import Testing
import Text

/// `seed: nightly N`, with dates chosen by the test.
@Suite struct NightlyTests {
  /// The seeds of a plan made on this date.
  private func seeds(_ text: String, on date: String, _ draws: inout SeedDraws) throws -> [Int64] {
    let environment = PlanningEnvironment(today: try #require(LocalDate(date)))
    let plan = try RecipeText(text, environment: environment).plan(seeds: &draws)
    let jobs = Array(plan.jobs)
    #expect(plan.count == jobs.count && jobs.map(\.index) == Array(jobs.indices))
    for job in jobs {
      let position = try #require(job.axes.first { $0.name == "seed" })
      #expect(position.value == "\(job.settings.seed)" && position.title == position.value)
    }
    return jobs.map(\.settings.seed)
  }

  @Test(arguments: ["seed: nightly 3", "grid: {seed: nightly 3}", "grid:\n  Seed:   Nightly\t3", "seed: 'nightly 3'"])
  func `each date adds its seeds once, after those of earlier dates`(recipe: String) throws {
    var draws = SeedDraws()
    let first = try seeds(recipe, on: "2026-03-28", &draws)
    #expect(first.count == 3 && Set(first).count == 3 && first.allSatisfy { (0...4_294_967_293).contains($0) })
    #expect(try seeds(recipe, on: "2026-03-28", &draws) == first)
    let second = try seeds(recipe, on: "2026-03-29", &draws)
    #expect(second.count == 6 && Array(second.prefix(3)) == first)
    // Nights without a run add no seeds.
    let third = try seeds(recipe, on: "2026-12-31", &draws)
    #expect(third.count == 9 && Array(third.prefix(6)) == second)
    let fourth = try seeds(recipe, on: "2027-01-01", &draws)
    #expect(fourth.count == 12 && Array(fourth.prefix(9)) == third)
    #expect(Set(fourth).count == 12)
  }

  @Test func `setting the clock back adds no seeds, and a jump ahead is harmless`()
    throws
  {
    var draws = SeedDraws()
    let recipe = "seed: nightly 2"
    let first = try seeds(recipe, on: "2026-10-24", &draws)
    let second = try seeds(recipe, on: "2026-10-25", &draws)
    #expect(try seeds(recipe, on: "2026-10-24", &draws) == second)
    #expect(try seeds(recipe, on: "2026-10-25", &draws) == second)
    // After a date that was far ahead by mistake, the series continues from the right date, each date once.
    #expect(try seeds(recipe, on: "2099-01-01", &draws).count == 6)
    let later = try seeds(recipe, on: "2026-10-26", &draws)
    #expect(later.count == 8 && Array(later.prefix(4)) == second && Array(second.prefix(2)) == first)
    #expect(try seeds(recipe, on: "2099-01-01", &draws) == later)
  }

  @Test func `draws survive a round trip through their file, together with other draws`() throws {
    var draws = SeedDraws()
    let recipe = "seed: nightly 12\nsubseed: -1\nsubseed_strength: 0.5"
    let first = try seeds(recipe, on: "2026-01-01", &draws)
    let file = try JSONEncoder().encode(draws)
    #expect(try JSONSerialization.jsonObject(with: file) is [String: Int64])
    #expect(draws.seeds.keys.contains("seed nightly 2026-01-01[11]") && draws.seeds.count == 14)
    var again = try JSONDecoder().decode(SeedDraws.self, from: file)
    #expect(try seeds(recipe, on: "2026-01-01", &again) == first)
    #expect(try seeds(recipe, on: "2026-01-02", &again).prefix(12) == first[...])
    // Drawing again keeps the nights.
    #expect(Set(again.nights.seeds.keys) == Set(again.seeds.keys).subtracting(["seed", "subseed"]))
    // Other keys are not nights.
    var other = SeedDraws(seeds: [
      "seed nightly 2026-01-01[x]": 1, "seed nightly 26-1-1[0]": 2, "seed nightly 2026-13-01[0]": 3, "seed nightly ": 4,
      "seed nightly 2026-01-01[-1]": 5,
    ])
    #expect(other.nights.seeds.isEmpty)
    #expect(try seeds("seed: nightly 1", on: "2026-01-01", &other).count == 1)
  }

  @Test func `a changed number applies from its date on, and never removes seeds`() throws {
    var draws = SeedDraws()
    let first = try seeds("seed: nightly 4", on: "2026-05-01", &draws)
    #expect(try seeds("seed: nightly 2", on: "2026-05-01", &draws) == first)
    let second = try seeds("seed: nightly 2", on: "2026-05-02", &draws)
    #expect(second.count == 6 && Array(second.prefix(4)) == first)
    #expect(try seeds("seed: nightly 3", on: "2026-05-02", &draws).count == 7)
    #expect(try RecipeText("seed: 7").plan(seeds: &draws).jobs.map(\.settings.seed) == [7])
    #expect(try seeds("seed: nightly 3", on: "2026-05-02", &draws).count == 7)
  }

  @Test func `whole nights follow each other, whatever else varies`() throws {
    var draws = SeedDraws()
    let recipe = "seed: nightly 2\ngrid: {steps: [1, 2], cfg_scale: [5, 6]}"
    let first = try seeds(recipe, on: "2026-01-01", &draws)
    let second = try seeds(recipe, on: "2026-01-02", &draws)
    #expect(first.count == 8 && second.count == 16 && Array(second.prefix(8)) == first)
    #expect(Set(second.prefix(8)).isDisjoint(with: second.suffix(8)))
    // Under grid, the recipe decides.
    let inner = try seeds("grid: {steps: [1, 2], seed: nightly 2}", on: "2026-01-01", &draws)
    #expect(inner.count == 8 && Array(inner.prefix(4)) == Array(inner.suffix(4)))
  }

  @Test func `the night is an axis, before the seed`() throws {
    var draws = SeedDraws()
    let recipe = "seed: nightly 2\ngrid: {steps: [1, 2]}\nsheet: {y: night}"
    _ = try seeds(recipe, on: "2026-05-01", &draws)
    let environment = PlanningEnvironment(today: try #require(LocalDate("2026-05-02")))
    let jobs = Array(try RecipeText(recipe, environment: environment).plan(seeds: &draws).jobs)
    #expect(jobs.allSatisfy { $0.axes.map(\.name) == ["night", "seed", "steps"] })
    #expect(jobs.map { $0.axes[0].value } == ["2026-05-01", "2026-05-02"].flatMap { Array(repeating: $0, count: 4) })
    // An axis that the recipe defines keeps its name.
    let own = "seed: nightly 2\ngrid: {night: [{title: dark, steps: 1}, {title: light, steps: 2}]}"
    #expect(try RecipeText(own).jobs().map { $0.axes.map(\.name) }.allSatisfy { $0 == ["seed", "night"] })
  }

  @Test(arguments: [
    "nightly: 3", "nightly: {count: 3}", "nightly: {count: 3, keep: 30}", "seed: nightly 3\nnightly: {keep: 30}",
    "grid: {seed: nightly 3}\nnightly: {keep: 2}",
  ])
  func `the key makes the same series`(recipe: String) throws {
    var (draws, other) = (SeedDraws(), SeedDraws())
    #expect(try seeds(recipe, on: "2026-05-01", &draws).count == 3)
    other = draws
    let second = try seeds(recipe, on: "2026-05-02", &draws)
    #expect(second.count == 6)
    #expect(try seeds("seed: nightly 3", on: "2026-05-02", &draws) == second)
    #expect(try seeds("seed: nightly 3", on: "2026-05-01", &other) == Array(second.prefix(3)))
  }

  @Test(arguments: [
    ("nightly: 0", "1:10: error: nightly: found 0, expected a whole number from 1 to 10000"),
    ("nightly: {count: 3, keep: none}", "1:27: error: keep: found \"none\", expected a whole number from 1 to 100000"),
    ("nightly: {count: 3, keeps: 2}", "did you mean \"keep\"?"), ("nightly: {keep: 2}", "nightly: found no count"),
    ("nightly: {}", "found an empty mapping"), ("seed: 3\nnightly: 2", "found a count and a seed as well"),
    ("grid: {seed: [1, 2]}\nnightly: 2", "found a count and a seed as well"),
    ("seed: nightly 2\nnightly: 2", "found a count and a seed as well"), ("nightly: [1]", "nightly: found"),
    ("nightly: {count: 2, keep: 3}\ngrid: {night: [{title: a, steps: 1}]}", "found keep and an axis night"),
  ])
  func `a wrong key is an error with its position`(recipe: String, error: String) {
    let errors = RecipeText(recipe).errors()
    #expect(errors.count == 1 && errors.first?.contains(error) == true, "\(errors)")
  }

  @Test(arguments: [
    ("seed: nightly", "1:7: error: seed: found \"nightly\", expected nightly and a number from 1 to 10000"),
    ("seed: nightly 0", "1:7: error: seed: found \"nightly 0\""), ("seed: nightly -3", "found \"nightly -3\""),
    ("seed: nightly 10001", "found \"nightly 10001\""), ("seed: nightly two", "found \"nightly two\""),
    ("grid: {seed: nightly 1.5}", "found \"nightly 1.5\""),
    ("seed: nightly 4 or 5", "expected -1 or a whole number"), ("subseed: nightly 4", "expected -1 or a whole number"),
    ("grid: {seed: [nightly 4]}", "expected -1 or a whole number"),
    ("include: [{seed: nightly 4}]", "expected -1 or a whole number"),
    ("seed: nightly 4\ngrid: {seed: [1, 2]}", "found a nightly series and an axis seed"),
    ("zip: [{seed: nightly 2, steps: [1, 2]}]", "found a nightly series in zip"),
    ("seed: nightly 10000\ngrid: {steps: \"1, 2, ..., 10000\"}", "found 100000000 jobs"),
  ])
  func `an invalid series is an error with its position`(recipe: String, error: String) {
    let errors = RecipeText(recipe).errors()
    #expect(errors.count == 1 && errors.first?.contains(error) == true, "\(errors)")
  }

  @Test func `--set takes a series, which may replace an axis`() throws {
    let text = RecipeText("grid: {seed: [1, 2], steps: [3, 4]}", set: ["seed=nightly 5"])
    #expect(try text.jobs().count == 10)
    #expect(try RecipeText("seed: nightly 5", set: ["seed=3"]).jobs().map(\.settings.seed) == [3])
    #expect(try RecipeText("nightly: {count: 5, keep: 2}", set: ["seed=3"]).jobs().map(\.settings.seed) == [3])
    #expect(try RecipeText("steps: 3", set: ["nightly={count: 4, keep: 2}"]).jobs().count == 4)
  }
}
