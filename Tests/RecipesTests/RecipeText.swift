import Foundation
import Recipes
import Settings

/// A recipe in a test, without a file.
struct RecipeText: ExpressibleByStringLiteral {
  var text: String
  var overrides: [String] = []
  var environment = PlanningEnvironment()
  var path = "fish.yaml"

  init(stringLiteral text: String) { self.text = text }

  init(_ text: String, set overrides: [String] = [], environment: PlanningEnvironment = PlanningEnvironment()) {
    self.text = text
    self.overrides = overrides
    self.environment = environment
  }

  func read() throws(RecipeErrors) -> Recipe {
    try RecipeReader(environment: environment).read(text: Array(text.utf8), path: path, overrides: overrides)
  }

  func plan() throws(RecipeErrors) -> Plan {
    var seeds = SeedDraws()
    return try plan(seeds: &seeds)
  }

  func plan(seeds: inout SeedDraws) throws(RecipeErrors) -> Plan {
    try Plan(recipe: try read(), environment: environment, seeds: &seeds)
  }

  /// The jobs; checks that their number and steps match the plan's.
  func jobs() throws(RecipeErrors) -> [Job] {
    let plan = try plan()
    let jobs = Array(plan.jobs)
    precondition(plan.count == jobs.count, "the plan counts \(plan.count) jobs but makes \(jobs.count)")
    precondition(plan.totalSteps == jobs.reduce(0) { $0 + $1.settings.allSteps }, "the plan counts other steps")
    precondition(jobs.map(\.index) == Array(jobs.indices), "the jobs are not numbered from 0 on")
    return jobs
  }

  /// One line per error; empty for a recipe that can be planned.
  func errors() -> [String] {
    do {
      _ = try plan()
      return []
    } catch {
      return error.diagnostics.map(\.description)
    }
  }

  func warnings() throws(RecipeErrors) -> [String] {
    let plan = try plan()
    return (plan.recipe.warnings + plan.warnings).map(\.description)
  }
}
