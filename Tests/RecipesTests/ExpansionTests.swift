import Recipes
import Settings
import Testing
import TestSupport

/// Checks random recipes against an independent expansion: dictionaries of text, merged cell by cell, without axis
/// objects, laziness or progressions.
@Suite struct ExpansionTests {
  typealias Cell = [String: String]

  struct NaiveAxis {
    var name: String
    /// The title and the settings of each value.
    var values: [(title: String, sets: Cell)]
    /// The axis as the recipe writes it.
    var written: String
  }

  /// The values of the keys that random recipes use, in the form that a job's settings have.
  static let values: [String: [String]] = [
    "steps": ["1", "2", "3", "5", "8"],
    "cfg_scale": ["1.0", "2.5", "7.0", "9.5"],
    "seed": ["0", "1", "2", "99", "4294967295"],
    "width": ["64", "72", "512"],
    "eta": ["0.0", "0.5", "1.0"],
    "sampler_name": ["Euler", "Euler a", "Heun", "DPM++ 2M"],
    "rng": ["nv", "cpu"],
    "prompt": ["fish", "a cat, red", "no", "5"],
    "prompt_append": [", oil", " ink", ""],
  ]

  static let defaults: Cell = [
    "steps": "20", "cfg_scale": "7.0", "seed": "77", "width": "512", "eta": "1.0", "sampler_name": "DPM++ 2M",
    "rng": "nv",
    "prompt": "", "prompt_append": "",
  ]

  /// New values replace old ones, except that appended texts are joined.
  static func merge(_ cell: Cell, _ sets: Cell) -> Cell {
    var result = cell
    for (name, value) in sets { result[name] = name == "prompt_append" ? (cell[name] ?? "") + value : value }
    return result
  }

  @Test(arguments: 0..<300)
  func `random recipes expand to the same cells as a plain expansion`(_ seed: Int) throws {
    var random = SplitMix64(state: UInt64(seed))
    var keys = Array(Self.values.keys).sorted().shuffled(using: &random)
    func quoted(_ text: String) -> String { "\"\(text)\"" }
    func some(_ names: [String]) -> Cell {
      Dictionary(uniqueKeysWithValues: names.map { ($0, Self.values[$0]?.randomElement(using: &random) ?? "") })
    }
    func flow(_ cell: Cell) -> String {
      "{" + cell.sorted { $0.key < $1.key }.map { "\($0.key): \(quoted($0.value))" }.joined(separator: ", ") + "}"
    }

    func axis(_ index: Int, count: Int?) -> NaiveAxis {
      if Bool.random(using: &random) || keys.isEmpty {
        let count = count ?? Int.random(in: 1...3, using: &random)
        let values = (0..<count).map { value -> (String, Cell) in
          let names = Array(
            Self.values.keys.sorted().shuffled(using: &random).prefix(Int.random(in: 0...2, using: &random)))
          return ("t\(value)", some(names))
        }
        let written = values.map { title, sets in
          "{" + (["title: \(title)"] + sets.map { "\($0.key): \(quoted($0.value))" }).joined(separator: ", ") + "}"
        }
        return NaiveAxis(name: "axis\(index)", values: values, written: "[" + written.joined(separator: ", ") + "]")
      }
      let key = keys.removeLast()
      let pool = (Self.values[key] ?? []).shuffled(using: &random)
      let picked = Array(pool.prefix(count ?? Int.random(in: 1...pool.count, using: &random)))
      // Quotes around a piece are removed only if it is separated by bars; text is never split at commas.
      let forms = picked.count == 1 ? 1 : key.hasPrefix("prompt") ? 2 : 3
      let written =
        switch Int.random(in: 0..<forms, using: &random) {
        case 0: "[" + picked.map(quoted).joined(separator: ", ") + "]"
        case 1: "'" + picked.map(quoted).joined(separator: " || ") + "'"
        default: "\"" + picked.joined(separator: ", ") + "\""
        }
      return NaiveAxis(name: key, values: picked.map { ($0, [key: $0]) }, written: written)
    }

    let base = some(Array(Self.values.keys.sorted().shuffled(using: &random).prefix(3)))
    let grid = (0..<Int.random(in: 0...3, using: &random)).map { axis($0, count: nil) }
    let groups = (0..<Int.random(in: 0...2, using: &random)).map { group in
      (0..<2).map { axis(10 * (group + 1) + $0, count: 2) }
    }
    let excludes = (0..<Int.random(in: 0...3, using: &random)).map { _ -> Cell in
      var cell = some(
        Array(
          Self.values.keys.sorted().filter { $0 != "prompt_append" }.shuffled(using: &random).prefix(
            Int.random(in: 1...2, using: &random))))
      if let named = grid.first(where: { $0.name.hasPrefix("axis") }), Bool.random(using: &random) {
        cell[named.name] = named.values[0].title
      }
      return cell
    }
    let includes = (0..<Int.random(in: 0...2, using: &random)).map { _ in
      some(Array(Self.values.keys.sorted().shuffled(using: &random).prefix(2)))
    }

    var text = "x-seed: \(seed)\n" + base.map { "\($0.key): \(quoted($0.value))\n" }.joined()
    if !grid.isEmpty { text += "grid:\n" + grid.map { "  \($0.name): \($0.written)\n" }.joined() }
    if !groups.isEmpty {
      text +=
        "zip:\n"
        + groups.map { "  - {" + $0.map { "\($0.name): \($0.written)" }.joined(separator: ", ") + "}\n" }.joined()
    }
    text += "exclude: [" + excludes.map(flow).joined(separator: ", ") + "]\n"
    text += "include: [" + includes.map(flow).joined(separator: ", ") + "]\n"

    let start = Self.merge(Self.defaults, base)
    var cells: [(titles: [String: String], cell: Cell)] = [([:], start)]
    for axes in grid.map({ [$0] }) + groups {
      cells = cells.flatMap { titles, cell in
        axes[0].values.indices.map { index in
          var (titles, cell) = (titles, cell)
          for axis in axes {
            titles[axis.name] = axis.values[index].title
            cell = Self.merge(cell, axis.values[index].sets)
          }
          return (titles, cell)
        }
      }
    }
    var expected: [(titles: [String: String], cell: Cell)] = []
    for (titles, cell) in cells {
      var seen = cell
      seen["prompt"] = (cell["prompt"] ?? "") + (cell["prompt_append"] ?? "")
      let isLeftOut = excludes.contains { $0.allSatisfy { name, value in (seen[name] ?? titles[name]) == value } }
      if !isLeftOut { expected.append((titles, cell)) }
    }
    expected += includes.map { ($0, Self.merge(start, $0)) }

    var seeds = SeedDraws(seeds: ["seed": 77])
    let recipe = try RecipeText(text).read()
    guard !expected.isEmpty else {
      #expect(throws: RecipeErrors.self) { try Plan(recipe: recipe, environment: PlanningEnvironment(), seeds: &seeds) }
      return
    }
    let plan = try Plan(recipe: recipe, environment: PlanningEnvironment(), seeds: &seeds)
    let jobs = Array(plan.jobs)
    #expect(plan.count == expected.count, "\(text)")
    try #require(jobs.count == expected.count, "\(text)")
    #expect(plan.totalSteps == expected.reduce(0) { $0 + (Int($1.cell["steps"] ?? "") ?? 0) })
    for (job, wanted) in zip(jobs, expected) {
      let settings = job.settings
      let found: Cell = [
        "steps": "\(settings.steps)", "cfg_scale": "\(settings.cfgScale)", "seed": "\(settings.seed)",
        "width": "\(settings.width)", "eta": "\(settings.eta)", "sampler_name": settings.sampler.rawValue,
        "rng": settings.rng.rawValue, "prompt": settings.prompt,
      ]
      var cell = wanted.cell
      cell["prompt"] = (cell["prompt"] ?? "") + (cell["prompt_append"] ?? "")
      cell["prompt_append"] = nil
      #expect(found == cell, "\(text)")
      #expect(Dictionary(job.axes.map { ($0.name, $0.title) }) { $1 } == wanted.titles, "\(text)")
    }
  }
}
