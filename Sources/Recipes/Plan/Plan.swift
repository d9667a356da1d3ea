import JSON
import Settings

/// The jobs of a recipe, in order. They are made one by one on demand, and are never all in memory.
public struct Plan: Sendable {
  /// The recipe.
  public let recipe: Recipe
  /// The grid's axes, then one for each zip group; the last varies fastest.
  public let axes: [PlanAxis]
  /// The number of jobs; equal cells count separately.
  public let count: Int
  /// The sampling steps of all jobs together.
  public let totalSteps: Int
  /// Warnings found while the cells were counted.
  public let warnings: [Diagnostic]

  /// The requests with their seeds drawn; nil unless the recipe consists of requests.
  public let requests: [PlannedRequest]?

  let base: CellDraft
  let filters: [PlanFilter]
  let extras: [ExtraCell]

  /// Plans a recipe.
  ///
  /// - Parameters:
  ///   - recipe: The recipe.
  ///   - environment: Provides the size of cells that use the built-in model and do not set a size.
  ///   - seeds: The seeds that earlier runs drew for -1; newly drawn seeds are added.
  /// - Throws: An error if the excludes leave no job.
  public init(
    recipe: Recipe, environment: PlanningEnvironment, seeds: inout SeedDraws
  ) throws(RecipeErrors) {
    var generator = SystemRandomNumberGenerator()
    try self.init(recipe: recipe, environment: environment, seeds: &seeds, generator: &generator)
  }

  /// Plans a recipe with the caller's random number generator.
  ///
  /// - Parameters:
  ///   - recipe: The recipe.
  ///   - environment: Provides the size of cells that use the built-in model and do not set a size.
  ///   - seeds: The seeds that earlier runs drew for -1; newly drawn seeds are added.
  ///   - generator: Draws new seeds.
  /// - Throws: An error if the excludes leave no job.
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
    var base = CellDraft(environment: environment, adapterFolders: AdapterFolders(locator))
    base.settings.seed = -1
    base.apply(recipe.base)
    if base.settings.seed < 0 { base.settings.seed = seeds.seed(for: "seed", using: &generator) }
    if let seed = base.promptSeed, seed < 0 { base.promptSeed = seeds.seed(for: "prompt_seed", using: &generator) }
    base.dynamic = recipe.dynamic
    if base.settings.subseed < 0, recipe.usesSubseeds {
      base.settings.subseed = seeds.seed(for: "subseed", using: &generator)
    }
    self.base = base

    // If the recipe has an axis with this name, that is the only one.
    let hasNights = !recipe.groups.joined().contains { $0.name == NightlySeries.axisName }
    let axes = recipe.groups.map { group in
      PlanAxis(
        members: group.flatMap { member -> [Axis] in
          if let count = member.seedsPerNight, let key = member.key {
            return member.nights(
              seeds.nightlySeeds(count, today: environment.today, using: &generator), of: key, hasNights: hasNights)
          }
          var member = member
          member.drawSeeds { seeds.seed(for: $0, using: &generator) }
          return [member]
        })
    }
    self.axes = recipe.dynamic == nil ? axes : PlanAxis.numbering(axes)
    extras = recipe.include.enumerated().map { index, cell in
      cell.drawingSeeds { seeds.seed(for: "include[\(index)].\($0.name)", using: &generator) }
    }
    filters = recipe.exclude.map { [axes] in PlanFilter($0, axes: axes) }

    let census = Census(base: base, axes: axes, filters: filters, extras: extras)
    count = census.count
    totalSteps = census.steps
    warnings = zip(filters, census.hits).filter { !$0.1 }.map { filter, _ in
      Diagnostic(.warning, "exclude: no cell matches", at: filter.position)
    }
    guard count > 0 else {
      let position = filters.first?.position ?? SourcePosition(file: recipe.path, line: 0, column: 0)
      throw RecipeErrors("exclude: no cell is left, expected at least one", at: position)
    }
  }

  /// How many numbers the grid's cells have, for dynamic prompts that are taken in order; those of included cells follow.
  var promptNumbers: Int {
    axes.filter(\.isNumbering).reduce(1) { $0.multipliedReportingOverflow(by: $1.count).partialValue }
  }

  /// The jobs in order; each is made on demand.
  public var jobs: PlanJobs { PlanJobs(plan: self) }

  /// The plan in the manifest: the effective recipe; or, for each request, its id, its defaults and the indices of its jobs.
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
  /// One axis of the grid, or the axes of a zip group, which advance together.
  public let members: [Axis]

  /// Whether a step along the axis takes the next prompt, for dynamic prompts that are taken in order.
  private(set) var isNumbering = false

  init(members: [Axis]) { self.members = members }

  /// The number of values.
  public var count: Int { members.first?.count ?? 0 }

  /// Writes the values at an index into a cell.
  func apply(_ index: Int, to draft: inout CellDraft) {
    for member in members { member.apply(index, to: &draft) }
    if isNumbering { draft.promptNumber = draft.promptNumber &* count &+ index }
  }

  /// Marks the axes that number the cells for dynamic prompts that are taken in order. These are the axes that set a seed, so
  /// that cells with the same seed have the same prompt. If there are none, they are all axes.
  static func numbering(_ axes: [PlanAxis]) -> [PlanAxis] {
    func setsSeed(_ axis: PlanAxis) -> Bool {
      axis.members.contains { member in
        ["seed", "prompt_seed"].contains { RecipeKey.named($0).map(member.setsKey) ?? false }
      }
    }
    let hasSeeds = axes.contains(where: setsSeed)
    return axes.map { axis in
      var axis = axis
      axis.isNumbering = !hasSeeds || setsSeed(axis)
      return axis
    }
  }
}

extension ExtraCell {
  /// Replaces seeds and subseeds of -1 with drawn numbers.
  func drawingSeeds(_ draw: (RecipeKey) -> Int64) -> ExtraCell {
    var cell = self
    for index in settings.indices where settings[index].isRandomSeed {
      let key = settings[index].key
      let seed = draw(key)
      cell.settings[index] = Setting(key, .integer(seed))
      for index in positions.indices where positions[index].name == key.name {
        cell.positions[index].value = "\(seed)"
        cell.positions[index].title = "\(seed)"
      }
    }
    return cell
  }
}

/// A filter of the recipe, matched to the plan's axes.
struct PlanFilter: Sendable {
  let position: SourcePosition
  private let conditions: [Condition]

  private struct Condition: Sendable {
    var condition: CellFilter.Condition
    /// The index of the axis with the condition's name.
    var axis: Int?
    /// The indices of that axis's values whose titles match.
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
