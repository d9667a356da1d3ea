import Settings

/// The cells of a run, arranged by their steps on the axes of a sheet.
struct SheetGrid {
  /// The indices of the axes in each direction: at most one for x, y and each super direction.
  struct Directions {
    var x: Int?
    var y: Int?
    var superX: Int?
    var superY: Int?
    /// The axis of an animation, which is also the first of the pages.
    var frames: Int?
    var pages: [Int] = []
  }

  let axes: [SheetAxis]
  let directions: Directions
  /// The cells by the index of their step on each axis.
  private let cells: [[Int]: SheetCell]
  /// The cells that lack an axis, which extra cells may do, and those whose position is already taken.
  let others: [SheetCell]

  init(_ cells: [SheetCell], groups: [[String]], options: SheetOptions) throws(SheetError) {
    axes = SheetAxis.all(of: cells.map(\.axes), groups: groups)
    directions = try Self.directions(axes, options)
    let numbers = axes.map { axis in
      Dictionary(uniqueKeysWithValues: axis.steps.enumerated().map { ($0.element, $0.offset) })
    }
    let allowed = try Self.allowed(axes, options)
    var placed: [[Int]: SheetCell] = [:]
    var others: [SheetCell] = []
    for cell in cells {
      let steps = zip(axes, numbers).map { axis, numbers in axis.step(of: cell.axes).flatMap { numbers[$0] } }
      guard
        zip(steps, allowed).allSatisfy({ step, allowed in allowed.map { step.map($0.contains) ?? false } ?? true })
      else { continue }
      let coordinates = steps.compactMap { $0 }
      if coordinates.count == axes.count, placed[coordinates] == nil {
        placed[coordinates] = cell
      } else {
        others.append(cell)
      }
    }
    guard !(placed.isEmpty && others.isEmpty) else { throw .noCells("no cell of the run passes the filters") }
    self.cells = placed
    self.others = others
  }

  /// The cell at these steps, one per axis; nil for a hole in the grid.
  subscript(_ steps: [Int]) -> SheetCell? { cells[steps] }

  /// All cells of the grid, in the order of the recipe.
  func ordered() -> [(steps: [Int], cell: SheetCell)] {
    cells.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { ($0.key, $0.value) }
  }

  /// The cells in the order of an axis, if each of its steps has one and there are no others; nil otherwise.
  func singles(_ axis: Int) -> [SheetCell]? {
    let cells = ordered().sorted { $0.steps[axis] < $1.steps[axis] }
    guard others.isEmpty, Set(cells.map { $0.steps[axis] }).count == cells.count else { return nil }
    return cells.map(\.cell)
  }

  /// The steps of an axis that have a cell, in order.
  func used(_ axis: Int) -> [Int] { Set(cells.keys.map { $0[axis] }).sorted() }

  // MARK: Choices

  private static func directions(_ axes: [SheetAxis], _ options: SheetOptions) throws(SheetError) -> Directions {
    var free = Array(axes.indices)
    func take(_ name: String?) throws(SheetError) -> Int? {
      guard let name else { return nil }
      guard let index = axes.firstIndex(where: { $0.isCalled(name) }) else {
        throw .unknownAxis(name, known: axes.map(\.name))
      }
      guard free.contains(index) else { throw .axisUsedTwice(axes[index].name) }
      free.removeAll { $0 == index }
      return index
    }
    var directions = Directions()
    directions.frames = try take(options.frames)
    directions.x = try take(options.x)
    directions.y = try take(options.y)
    directions.superX = try take(options.superX)
    directions.superY = try take(options.superY)
    for name in options.pages { if let axis = try take(name) { directions.pages.append(axis) } }
    if directions.x == nil { directions.x = free.popLast() }
    if directions.y == nil { directions.y = free.popLast() }
    if options.superX == nil, options.superY == nil, directions.pages.isEmpty {
      var count = [directions.x, directions.y].reduce(1) { $0 * ($1.map { axes[$0].steps.count } ?? 1) }
      // Short axes make blocks, as on the page: first down, then across, as long as everything fits on a few screens.
      func block() -> Int? {
        guard let axis = free.last, axes[axis].steps.count <= 8, count * axes[axis].steps.count <= 600 else {
          return nil
        }
        count *= axes[axis].steps.count
        return free.removeLast()
      }
      directions.superY = block()
      if directions.superY != nil { directions.superX = block() }
    }
    directions.pages = ([directions.frames].compactMap { $0 } + directions.pages + free).sorted()
    return directions
  }

  /// For each axis, the steps that pass the filters; nil for all steps.
  private static func allowed(_ axes: [SheetAxis], _ options: SheetOptions) throws(SheetError) -> [Set<Int>?] {
    var allowed: [Set<Int>?] = axes.map { _ in nil }
    for filter in options.filters {
      guard let index = axes.firstIndex(where: { $0.isCalled(filter.axis) }) else {
        throw .unknownAxis(filter.axis, known: axes.map(\.name))
      }
      let steps = axes[index].steps
      let matches = steps.indices.filter { step in
        steps[step].contains { $0.value == filter.value || $0.title == filter.value }
      }
      guard !matches.isEmpty else {
        throw .unknownValue(
          filter.value, axis: axes[index].name, known: steps.map { $0.map(\.title).joined(separator: " + ") })
      }
      allowed[index, default: []].formUnion(matches)
    }
    return allowed
  }
}

extension Array {
  fileprivate subscript<Wrapped>(index: Int, default value: Wrapped) -> Wrapped where Element == Wrapped? {
    get { self[index] ?? value }
    set { self[index] = newValue }
  }
}

extension SheetGrid {
  /// The number of pages if nothing needs to be split: one for each combination of the page axes, and one for other cells.
  var expectedPages: Int {
    directions.pages.reduce(1) { $0 * max(1, used($1).count) } + (others.isEmpty ? 0 : 1)
  }
}
