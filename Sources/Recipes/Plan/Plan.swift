import JSON
import Settings

/// The jobs that a recipe comes to, in order: made one by one when they are asked for, never held all at once.
public struct Plan: Sendable {
  /// What was planned.
  public let recipe: Recipe
  /// The grid's axes, then one for each zip group; the last varies fastest.
  public let axes: [PlanAxis]
  /// How many jobs there are; equal cells count each.
  public let count: Int
  /// Sampling steps of all jobs together.
  public let totalSteps: Int
  /// What was noticed while the cells were counted.
  public let warnings: [Diagnostic]

  /// The requests with their seeds drawn, where the recipe holds requests.
  public let requests: [PlannedRequest]?

  let base: CellDraft
  let filters: [PlanFilter]
  let extras: [ExtraCell]

  /// Plans a recipe.
  ///
  /// - Parameters:
  ///   - recipe: What to plan.
  ///   - environment: Gives the size of cells that use the model inside the package and say nothing of their size.
  ///   - seeds: What earlier runs drew for seeds of -1; what is drawn now is added.
  /// - Throws: When the excludes leave no job.
  public init(
    recipe: Recipe, environment: PlanningEnvironment, seeds: inout SeedDraws
  ) throws(RecipeErrors) {
    var generator = SystemRandomNumberGenerator()
    try self.init(recipe: recipe, environment: environment, seeds: &seeds, generator: &generator)
  }

  /// Plans a recipe with a source of random numbers of the caller's.
  ///
  /// - Parameters:
  ///   - recipe: What to plan.
  ///   - environment: Gives the size of cells that use the model inside the package and say nothing of their size.
  ///   - seeds: What earlier runs drew for seeds of -1; what is drawn now is added.
  ///   - generator: Where new seeds come from.
  /// - Throws: When the excludes leave no job.
  public init(
    recipe: Recipe, environment: PlanningEnvironment, seeds: inout SeedDraws,
    generator: inout some RandomNumberGenerator
  ) throws(RecipeErrors) {
    self.recipe = recipe
    if let batch = recipe.requests {
      let planned = batch.planned(seeds: &seeds, using: &generator)
      requests = planned
      (axes, filters, extras, warnings) = ([], [], [], [])
      base = CellDraft(environment: environment)
      count = planned.last?.jobs.upperBound ?? 0
      totalSteps = planned.reduce(0) { $0 + $1.jobs.count * $1.request.settings.allSteps }
      return
    }
    requests = nil
    let locator = ModelLocator(recipePath: recipe.path, environment: environment)
    var base = CellDraft(environment: environment, adapterPlaces: AdapterPlaces(locator))
    base.settings.seed = -1
    base.apply(recipe.base)
    if base.settings.seed < 0 { base.settings.seed = seeds.seed(for: "seed", using: &generator) }
    if base.settings.subseed < 0, recipe.usesSubseeds {
      base.settings.subseed = seeds.seed(for: "subseed", using: &generator)
    }
    self.base = base

    axes = recipe.groups.map { group in
      PlanAxis(
        members: group.map { member in
          if let count = member.seedsPerNight, let key = member.key {
            return member.holding(
              seeds.nightlySeeds(count, today: environment.today, using: &generator), of: key)
          }
          var member = member
          member.drawSeeds { seeds.seed(for: $0, using: &generator) }
          return member
        })
    }
    extras = recipe.include.enumerated().map { index, cell in
      cell.drawingSeeds { seeds.seed(for: "include[\(index)].\($0.name)", using: &generator) }
    }
    filters = recipe.exclude.map { [axes] in PlanFilter($0, axes: axes) }

    let census = Census(base: base, axes: axes, filters: filters, extras: extras)
    count = census.count
    totalSteps = census.steps
    warnings = zip(filters, census.hits).filter { !$0.1 }.map { filter, _ in
      Diagnostic(.warning, "exclude: found no cell that matches", at: filter.position)
    }
    guard count > 0 else {
      let position = filters.first?.position ?? SourcePosition(file: recipe.path, line: 0, column: 0)
      throw RecipeErrors("exclude: found no cell that is left, expected at least one", at: position)
    }
  }

  /// The jobs in order, each made when it is asked for.
  public var jobs: PlanJobs { PlanJobs(plan: self) }

  /// What was planned as the manifest shows it: the effective recipe, or of each request its id, whose defaults it has
  /// and which of the jobs are its images.
  public var json: JSONValue {
    guard let requests else { return recipe.json }
    return [
      "requests": .array(
        requests.map { planned in
          let request = planned.request
          return [
            "id": .string(planned.id), "source": .string(request.position.description),
            "defaults": .string(request.defaults.rawValue), "seed": .integer(planned.seed),
            "first_job": .integer(Int64(planned.jobs.lowerBound)), "images": .integer(Int64(planned.jobs.count)),
            "webhook": request.webhook.map { .string($0.redacted) } ?? .null,
          ]
        })
    ]
  }
}

/// One axis of a plan: an axis of the grid, or a zip group.
public struct PlanAxis: Sendable {
  /// One for an axis of the grid; those of a zip group advance together.
  public let members: [Axis]

  /// How many values there are.
  public var count: Int { members.first?.count ?? 0 }

  /// Writes the values at a place into a cell.
  func apply(_ index: Int, to draft: inout CellDraft) {
    for member in members { member.apply(index, to: &draft) }
  }
}

extension ExtraCell {
  /// Puts drawn numbers in the place of seeds and subseeds of -1.
  func drawingSeeds(_ draw: (RecipeKey) -> Int64) -> ExtraCell {
    var cell = self
    for index in settings.indices where settings[index].isRandomSeed {
      let key = settings[index].key
      let seed = draw(key)
      cell.settings[index] = Setting(key, .integer(seed))
      for index in places.indices where places[index].name == key.name {
        cell.places[index].value = "\(seed)"
        cell.places[index].title = "\(seed)"
      }
    }
    return cell
  }
}

/// A filter of the recipe with the axes that it is about.
struct PlanFilter: Sendable {
  let position: SourcePosition
  private let conditions: [Condition]

  private struct Condition: Sendable {
    var condition: CellFilter.Condition
    /// The axis of the condition's name, and its values whose titles match.
    var axis: Int?
    var titled: Set<Int>
  }

  init(_ filter: CellFilter, axes: [PlanAxis]) {
    position = filter.position
    conditions = filter.conditions.map { condition in
      for (index, axis) in axes.enumerated() where !condition.titles.isEmpty {
        guard let member = axis.members.first(where: { $0.name == condition.name }) else { continue }
        let titled = member.named.filter { condition.titles.contains($0.value.title) }.map(\.index)
        return Condition(condition: condition, axis: index, titled: Set(titled))
      }
      return Condition(condition: condition, axis: nil, titled: [])
    }
  }

  func matches(_ draft: CellDraft, at indices: [Int]) -> Bool {
    conditions.allSatisfy { item in
      if let axis = item.axis, item.titled.contains(indices[axis]) { return true }
      guard let key = item.condition.key else { return false }
      return [key.resolved, key.written].contains { $0.map { item.condition.matches($0(draft)) } ?? false }
    }
  }

  /// Whether a step along the axis may change whether a cell matches.
  func depends(on axis: PlanAxis, at index: Int) -> Bool {
    conditions.contains { item in
      item.axis == index
        || axis.members.contains { member in item.condition.key.map { member.sets($0.concern) } ?? false }
    }
  }
}
