/// Values of an axis that are computed on demand, so that there may be many of them.
protocol AxisRow: Sendable {
  /// The key that every value sets.
  var key: RecipeKey { get }
  /// The number of values, at least one.
  var count: Int { get }
  /// Whether excludes and includes may name a value by its title.
  var isNamed: Bool { get }
  /// The text and title of the value at an index below `count`, as a recipe would write it.
  func text(at index: Int) -> String
  /// The value at an index below `count`.
  func setting(at index: Int) -> KeyValue
}

extension AxisRow {
  func value(at index: Int) -> AxisValue {
    let text = text(at: index)
    return AxisValue(text: text, title: text, settings: [Setting(key, setting(at: index))], isNamed: isNamed)
  }
}

/// The part of `1, 2, ..., 8` after the first two numbers; already checked.
struct ProgressionRow: AxisRow {
  let key: RecipeKey
  let numbers: Progression

  var count: Int { numbers.count }
  var isNamed: Bool { false }

  func text(at index: Int) -> String { numbers[index].description }

  func setting(at index: Int) -> KeyValue { KeyValue(numbers[index], of: key) }
}

/// `1-5 (+2)` or `0-1 [5]`; already checked.
struct RangeRow: AxisRow {
  let key: RecipeKey
  let range: PlotRange

  var count: Int { range.count }
  var isNamed: Bool { false }

  func text(at index: Int) -> String { range.text(at: index) }

  func setting(at index: Int) -> KeyValue {
    switch range {
    case .steps(let numbers): KeyValue(numbers[index], of: key)
    case .even(let numbers):
      ExactDecimal(numbers[index]).map { KeyValue($0, of: key) } ?? .number(Double(numbers[index]) ?? 0)
    }
  }
}

extension KeyValue {
  /// Creates the value from a number of a row that was already checked.
  init(_ number: ExactDecimal, of key: RecipeKey) {
    switch key.kind {
    case .integer, .seed: self = .integer(number.integer ?? 0)
    case .limit where number.digits == 0: self = .null
    default: self = .number(number.number)
    }
  }
}
