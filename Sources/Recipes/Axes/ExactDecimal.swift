/// A decimal number without rounding: `digits` × 10^-`scale`.
package struct ExactDecimal: Equatable, Sendable {
  package let digits: Int128
  /// The number of digits after the point; the last of them is not 0.
  package let scale: Int

  /// Reads `-12`, `0.25`, `.5`, `1e-3`, `0x10`; nil for anything else, and for more than 18 digits after the point or 19 digits
  /// in total.
  package init?(_ text: String) {
    guard CoreNumber.number(text)?.isFinite == true else { return nil }
    if let integer = CoreNumber.integer(text) {
      self.init(integer)
      return
    }
    let parts = text.lowercased().split(separator: "e")
    let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    let fraction = mantissa.count > 1 ? mantissa[1] : ""
    guard var digits = Int128(String(mantissa[0] + fraction)), digits.magnitude < Self.digitLimit,
      let exponent = parts.count > 1 ? Int(parts[1]) : 0, exponent.magnitude <= Self.scaleLimit
    else { return nil }
    var scale = fraction.count - exponent
    while scale < 0 {
      digits *= 10
      scale += 1
    }
    self.init(reducing: digits, scale: scale)
    guard self.scale <= Self.scaleLimit, self.digits.magnitude < Self.digitLimit else { return nil }
  }

  init(_ integer: Int64) { self.init(reducing: Int128(integer), scale: 0) }

  /// Creates a number without trailing zeros in its fraction.
  fileprivate init(reducing digits: Int128, scale: Int) {
    var (digits, scale) = (digits, scale)
    while scale > 0, digits % 10 == 0 {
      digits /= 10
      scale -= 1
    }
    self.digits = digits
    self.scale = scale
  }

  /// The digits of every number are below this. Sums and differences at a common scale are then below 10^37 and cannot overflow
  /// an `Int128`, whose limit is 1.7 × 10^38.
  fileprivate static let digitLimit = UInt128(10_000_000_000_000_000_000)
  private static let scaleLimit = 18

  /// The number as an integer; nil if it has a fraction.
  package var integer: Int64? { scale == 0 ? Int64(exactly: digits) : nil }

  /// The nearest `Double`.
  package var number: Double {
    // Both operands are exact, so only the division rounds (Clinger 1990).
    if digits.magnitude < 1 << 53, scale <= 18 { return Double(Int64(digits)) / Self.powersOfTen[scale] }
    return Double(description) ?? 0
  }

  private static let powersOfTen: [Double] = (0...18).map { scale in (0..<scale).reduce(1) { power, _ in power * 10 } }

  /// The digits at another scale, which must not be smaller than the number's own.
  func digits(atScale wanted: Int) -> Int128 {
    var digits = digits
    for _ in scale..<max(scale, wanted) { digits *= 10 }
    return digits
  }
}

extension ExactDecimal: CustomStringConvertible {
  /// The number without an exponent and without trailing zeros: `0.75`, `-3`.
  package var description: String {
    let whole = String(digits.magnitude)
    let sign = digits < 0 ? "-" : ""
    guard scale > 0 else { return sign + whole }
    let padded = String(repeating: "0", count: max(0, scale + 1 - whole.count)) + whole
    return sign + padded.dropLast(scale) + "." + padded.suffix(scale)
  }
}

/// Evenly spaced numbers from one number to another, including both.
package struct EvenNumbers: Equatable, Sendable {
  private let start: Int128
  private let length: Int128
  private let scale: Int
  package let count: Int
  /// Whether the numbers are truncated to integers.
  private let isWhole: Bool

  /// Creates `count` numbers from `first` to `last`, at least one; nil if more than 19 digits are needed.
  package init?(from first: ExactDecimal, to last: ExactDecimal, count: Int, isWhole: Bool) {
    guard count > 0, count <= Self.limit else { return nil }
    scale = max(first.scale, last.scale)
    start = first.digits(atScale: scale)
    length = last.digits(atScale: scale) - start
    guard start.magnitude < ExactDecimal.digitLimit, length.magnitude < 2 * ExactDecimal.digitLimit else { return nil }
    self.count = count
    self.isWhole = isWhole
  }

  package static let limit = 1_000_000_000

  /// The number at an index below `count`, without an exponent; exact if it has at most 18 digits after the point.
  package subscript(index: Int) -> String {
    // start + length · index / (count − 1), over a common denominator: below 10^30; the limit of an Int128 is 10^38.
    let parts = Int128(max(count - 1, 1))
    let numerator = start * parts + length * Int128(index)
    var unit: Int128 = 1
    for _ in 0..<scale { unit *= 10 }
    if isWhole { return "\(numerator / parts / unit)" }
    if numerator % parts == 0 { return ExactDecimal(reducing: numerator / parts, scale: scale).description }
    var (scaled, newScale) = (numerator, scale)
    while newScale < 18, scaled.magnitude < 1 << 120 {
      scaled *= 10
      newScale += 1
      if scaled % parts == 0 { return ExactDecimal(reducing: scaled / parts, scale: newScale).description }
    }
    return Self.shortest(scaled / parts, newScale)
  }

  /// The shortest text of the double that is nearest to `digits` × 10^-`scale`.
  private static func shortest(_ digits: Int128, _ scale: Int) -> String {
    let number = Double("\(digits)e-\(scale)") ?? 0
    return ExactDecimal("\(number)")?.description ?? "\(number)"
  }
}

/// Evenly spaced numbers such as `1, 2, ..., 8`, computed on demand.
package struct Progression: Equatable, Sendable {
  private let start: Int128
  private let step: Int128
  private let scale: Int
  package let count: Int

  /// Why three numbers are not a progression.
  package enum Problem: Error, Equatable {
    /// The two numbers before the dots are equal.
    case noStep
    /// The last number is on the wrong side of the second, or equal to it.
    case wrongWay
    /// The steps skip the last number, which is between these two.
    case missed(ExactDecimal, ExactDecimal)
    /// More than 19 digits are needed to represent all numbers and the step exactly.
    case tooManyDigits
  }

  /// Creates the numbers that continue `first` and `second` with the same step, up to and including `last`.
  package init(
    after first: ExactDecimal, _ second: ExactDecimal, through last: ExactDecimal
  ) throws(Problem) {
    scale = max(first.scale, second.scale, last.scale)
    let (a, b, c) = (first.digits(atScale: scale), second.digits(atScale: scale), last.digits(atScale: scale))
    guard [a, b, c].allSatisfy({ $0.magnitude < ExactDecimal.digitLimit }) else { throw .tooManyDigits }
    step = b - a
    start = b + step
    guard step != 0 else { throw .noStep }
    guard (c - b).signum() == step.signum() else { throw .wrongWay }
    let steps = (c - b) / step
    let below = b + steps * step
    guard below == c else {
      throw .missed(
        ExactDecimal(reducing: below, scale: scale), ExactDecimal(reducing: below + step, scale: scale))
    }
    count = Int(clamping: steps)
  }

  /// Creates the numbers from `first` in steps of `distance`, up to `last`.
  package init(from first: ExactDecimal, through last: ExactDecimal, by distance: ExactDecimal) throws(Problem) {
    scale = max(first.scale, last.scale, distance.scale)
    let (a, b, c) = (first.digits(atScale: scale), last.digits(atScale: scale), distance.digits(atScale: scale))
    guard [a, b, c].allSatisfy({ $0.magnitude < ExactDecimal.digitLimit }) else { throw .tooManyDigits }
    start = a
    step = c
    guard step != 0 else { throw .noStep }
    guard a == b || (b - a).signum() == step.signum() else { throw .wrongWay }
    count = Int(clamping: (b - a) / step + 1)
  }

  /// The number at an index below `count`.
  package subscript(index: Int) -> ExactDecimal {
    ExactDecimal(reducing: start + Int128(index) * step, scale: scale)
  }
}
