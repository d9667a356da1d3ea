import Text

/// `seed: nightly 16`: each local date on which the recipe runs adds 16 new seeds, but only once.
///
/// Seeds of earlier dates stay in the plan and come first, so that unfinished nights are finished before a new one starts. If
/// the clock is set back to a date that already has its seeds, no seeds are added.
struct NightlySeries {
  /// The number of seeds that each date adds; nil if `seed` gives it.
  var count: Int?
  /// The number of nights to keep; nil for all.
  var keep: Int?
  var position: SourcePosition

  static let range = 1...10_000
  static let keepRange = 1...100_000

  /// The name of the axis that gives each job its date.
  static let axisName = "night"

  /// Whether a text is meant as a nightly series, even if it has mistakes.
  static func isMeant(_ scalar: YAMLScalar) -> Bool {
    let words = words(scalar)
    return words.first == "nightly" && words.count <= 2
  }

  /// The number of seeds that a date adds; nil if the text is not a valid series.
  static func count(_ scalar: YAMLScalar) -> Int? {
    let words = words(scalar)
    guard words.count == 2, words[0] == "nightly", words[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
      return nil
    }
    return Int(words[1]).flatMap { range.contains($0) ? $0 : nil }
  }

  static let expectation =
    "nightly and a number from \(range.lowerBound) to \(range.upperBound), such as nightly 16"

  private static func words(_ scalar: YAMLScalar) -> [String] {
    scalar.text.lowercased().split { $0 == " " || $0 == "\t" }.map(String.init)
  }

  /// The axis of a series. It has one night's seeds of -1, until a plan replaces them with the seeds of all nights.
  static func axis(_ count: Int, key: RecipeKey, at position: SourcePosition) -> Axis {
    let value = AxisValue(text: "-1", title: "-1", settings: [Setting(key, .integer(-1))], isNamed: false)
    var axis = Axis(
      name: key.name, key: key, runs: [.values(Array(repeating: value, count: count))], position: position)
    axis.seedsPerNight = count
    return axis
  }
}

extension SeedDraws {
  private static let nightly = "seed nightly "

  /// The seeds of all nights, oldest first; missing seeds of today are drawn.
  ///
  /// - Parameters:
  ///   - count: The number of seeds that a date adds; earlier dates keep the number that they have.
  ///   - today: Today's date.
  ///   - generator: Draws new numbers.
  /// - Returns: The dates and their seeds, which are at least 0.
  mutating func nightlySeeds(
    _ count: Int, today: LocalDate, using generator: inout some RandomNumberGenerator
  ) -> [(date: LocalDate, seed: Int64)] {
    for index in 0..<count { _ = seed(for: "\(Self.nightly)\(today)[\(index)]", using: &generator) }
    return seeds.compactMap { key, seed in Self.night(key).map { (date: $0.date, index: $0.index, seed: seed) } }
      .sorted { ($0.date, $0.index) < ($1.date, $1.index) }.map { ($0.date, $0.seed) }
  }

  /// Only the draws of nightly series, which are kept when all other seeds are drawn again.
  public var nights: SeedDraws { SeedDraws(seeds: seeds.filter { Self.night($0.key) != nil }) }

  /// The date of a key and its index within that date.
  private static func night(_ key: String) -> (date: LocalDate, index: Int)? {
    guard key.hasPrefix(nightly), key.hasSuffix("]") else { return nil }
    let parts = key.dropFirst(nightly.utf8.count).dropLast().split(separator: "[")
    guard parts.count == 2, let date = LocalDate(parts[0]), let index = Int(parts[1]), index >= 0 else { return nil }
    return (date, index)
  }
}

extension Axis {
  /// The axes of a series: the seeds, preceded by their nights if `hasNights`.
  ///
  /// - Parameters:
  ///   - seeds: The seeds of all nights.
  ///   - key: The key for the seeds.
  ///   - hasNights: Whether the nights are an axis too.
  /// - Returns: Axes that advance together.
  func nights(_ seeds: [(date: LocalDate, seed: Int64)], of key: RecipeKey, hasNights: Bool) -> [Axis] {
    let axis = holding(seeds.map(\.seed), of: key)
    if !hasNights { return [axis] }
    let dates = seeds.map { night in
      AxisValue(text: "\(night.date)", title: "\(night.date)", settings: [], isNamed: false)
    }
    return [Axis(name: NightlySeries.axisName, key: nil, runs: [.values(dates)], position: position), axis]
  }
}
