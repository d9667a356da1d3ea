import Settings

/// One axis of a recipe: a name and its values.
public struct Axis: Sendable {
  /// The recipe key, or the name given to a long-form axis.
  public let name: String
  /// The key that the axis is named after.
  public let key: RecipeKey?
  /// The number of values.
  public let count: Int

  /// A run of values in the order of the recipe: listed values, or a row that is computed.
  enum Run: Sendable {
    case values([AxisValue])
    case row(any AxisRow)

    var count: Int {
      switch self {
      case .values(let values): values.count
      case .row(let row): row.count
      }
    }
  }

  let position: SourcePosition
  /// For the axis of a nightly series, the number of seeds that each date adds.
  var seedsPerNight: Int?
  private(set) var runs: [Run]
  /// The index of the first value of each run.
  private let starts: [Int]

  /// Creates an axis with at least one value.
  init(name: String, key: RecipeKey?, runs: [Run], position: SourcePosition) {
    self.name = name
    self.key = key
    self.runs = runs
    self.position = position
    var starts: [Int] = []
    var count = 0
    for run in runs {
      starts.append(count)
      // Counts this large are rejected before any value is read.
      count = count.addingReportingOverflow(run.count).overflow ? Int.max : count + run.count
    }
    self.starts = starts
    self.count = count
  }

  /// The value at an index below `count`.
  func value(at index: Int) -> AxisValue {
    let run = starts.lastIndex { $0 <= index } ?? 0
    switch runs[run] {
    case .values(let values): return values[index - starts[run]]
    case .row(let row): return row.value(at: index - starts[run])
    }
  }

  /// The position of a value in the recipe. For values that are not listed one by one, the position of the axis.
  func position(at index: Int) -> SourcePosition { value(at: index).position ?? position }

  /// Writes the value at an index into a cell. It is fast, because it does not format numbers as text.
  func apply(_ index: Int, to draft: inout CellDraft) {
    let run = starts.lastIndex { $0 <= index } ?? 0
    switch runs[run] {
    case .values(let values): draft.apply(values[index - starts[run]].settings)
    case .row(let row): row.key.apply(row.setting(at: index - starts[run]), &draft)
    }
  }

  /// A job's position on this axis.
  public func axisPosition(at index: Int) -> AxisPosition {
    let value = value(at: index)
    return AxisPosition(name: name, value: value.text, title: value.title)
  }

  /// The values that the recipe lists one by one, with their indices.
  var listed: [(index: Int, value: AxisValue)] {
    zip(runs, starts).flatMap { run, start -> [(index: Int, value: AxisValue)] in
      guard case .values(let values) = run else { return [] }
      return values.enumerated().map { (start + $0.offset, $0.element) }
    }
  }

  /// The values that excludes and includes may name by their title; empty if there are too many of them.
  var named: [(index: Int, value: AxisValue)] {
    var named = listed.filter(\.value.isNamed)
    for (run, start) in zip(runs, starts) {
      guard case .row(let row) = run, row.isNamed, row.count <= 5000 else { continue }
      named += (0..<row.count).map { (start + $0, row.value(at: $0)) }
    }
    return named
  }

  /// The row that contains all values, if there is one.
  var onlyRow: (any AxisRow)? {
    guard runs.count == 1, case .row(let row) = runs[0] else { return nil }
    return row
  }

  /// Whether any value sets the key.
  func setsKey(_ wanted: RecipeKey) -> Bool {
    runs.contains { run in
      switch run {
      case .row(let row): row.key == wanted
      case .values(let values): values.contains { $0.settings.contains { $0.key == wanted } }
      }
    }
  }

  /// Whether any value affects the concern.
  func sets(_ concern: String) -> Bool {
    runs.contains { run in
      switch run {
      case .row(let row): row.key.concern == concern
      case .values(let values): values.contains { $0.settings.contains { $0.key.concern == concern } }
      }
    }
  }

  /// Whether every value sets the key.
  func setsAlways(_ wanted: RecipeKey) -> Bool {
    runs.allSatisfy { run in
      switch run {
      case .row(let row): row.key == wanted
      case .values(let values): values.allSatisfy { $0.settings.contains { $0.key == wanted } }
      }
    }
  }

  /// The axis with these seeds as its values.
  func holding(_ seeds: [Int64], of key: RecipeKey) -> Axis {
    let values = seeds.map { seed in
      AxisValue(text: "\(seed)", title: "\(seed)", settings: [Setting(key, .integer(seed))], isNamed: false)
    }
    return Axis(name: name, key: key, runs: [.values(values)], position: position)
  }

  /// Replaces every seed and subseed of -1 with a drawn number.
  mutating func drawSeeds(_ draw: (_ drawKey: String) -> Int64) {
    for (run, start) in zip(runs.indices, starts) {
      guard case .values(var values) = runs[run] else { continue }
      // Most axes have no seeds to draw: leave their storage shared.
      guard values.contains(where: \.hasRandomSeed) else { continue }
      for index in values.indices {
        let drawKey = "\(name)[\(start + index)]"
        values[index].drawSeeds { key in draw(self.key == key ? drawKey : drawKey + "." + key.name) }
      }
      runs[run] = .values(values)
    }
  }
}

/// One value of an axis.
struct AxisValue: Sendable {
  /// The value as the recipe writes it.
  var text: String
  var title: String
  var settings: [Setting]
  /// Whether excludes and includes may name the value by its title. If not, the title is only the value's text, and the cell's
  /// resolved value is compared.
  var isNamed: Bool
  /// The position in the recipe; nil if the value is not listed there.
  var position: SourcePosition?

  init(text: String, title: String, settings: [Setting], isNamed: Bool, position: SourcePosition? = nil) {
    self.text = text
    self.title = title
    self.settings = settings
    self.isNamed = isNamed
    self.position = position
  }

  var hasRandomSeed: Bool { settings.contains(where: \.isRandomSeed) }

  /// Draws its seeds. A value that is only a seed is shown as the drawn number.
  mutating func drawSeeds(_ draw: (RecipeKey) -> Int64) {
    for index in settings.indices where settings[index].isRandomSeed {
      let key = settings[index].key
      let seed = draw(key)
      settings[index] = Setting(key, .integer(seed))
      if text == Self.randomSeed { text = "\(seed)" }
      if title == Self.randomSeed { title = "\(seed)" }
    }
  }

  private static let randomSeed = "-1"
}

extension Setting {
  /// Whether it is a seed that must be drawn.
  var isRandomSeed: Bool { key.kind == .seed && value == .integer(-1) }
}
