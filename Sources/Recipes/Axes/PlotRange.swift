/// A range of numbers in the form of the webui's plot: `1-5`, `1-5 (+2)`, `10-1 (-3)`, `0-1 [5]`.
///
/// It differs from the webui: the arithmetic is exact; the last number is included if the steps reach it, and is never
/// exceeded; and `10-1` counts down. The webui leaves out the last number of a descending range, adds one beyond the end of a
/// range of fractions, and reads `1e-3` as a range.
enum PlotRange {
  case steps(Progression)
  case even(EvenNumbers)

  var count: Int {
    switch self {
    case .steps(let numbers): numbers.count
    case .even(let numbers): numbers.count
    }
  }

  /// The number at an index below `count`.
  func text(at index: Int) -> String {
    switch self {
    case .steps(let numbers): numbers[index].description
    case .even(let numbers): numbers[index]
    }
  }

  /// What is wrong with a text that looks like a range.
  struct Complaint: Error {
    var message: String
  }

  /// Reads a range.
  ///
  /// - Parameters:
  ///   - text: One item of an axis.
  ///   - isWhole: Whether evenly spaced numbers are truncated to integers.
  /// - Returns: The range; nil if the text is something else.
  /// - Throws: `Complaint` if the text looks like a range but is wrong.
  static func read(_ text: String, isWhole: Bool) throws(Complaint) -> PlotRange? {
    guard text.utf8.count <= 200, text.utf8.contains(UInt8(ascii: "-")), ExactDecimal(text) == nil else { return nil }
    let form =
      /\s*([+-]?)\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*-\s*([+-]?)\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*(?:\(([^()]*)\)|\[([^\[\]]*)\])?\s*/
    guard let match = text.wholeMatch(of: form)?.output else { return nil }
    guard let first = ExactDecimal("\(match.1)\(match.2)"), let last = ExactDecimal("\(match.3)\(match.4)") else {
      throw Complaint(message: "found too many digits, expected numbers of 18 digits at most")
    }
    if let count = match.6 { return .even(try even(from: first, to: last, String(count), isWhole: isWhole)) }
    let isFalling = last.digits(atScale: 18) < first.digits(atScale: 18)
    guard let written = match.5.map({ String($0).trimmingBlanks }) else {
      return .steps(try steps(from: first, to: last, by: ExactDecimal(isFalling ? -1 : 1)))
    }
    guard written.hasPrefix("+") || written.hasPrefix("-"), let step = ExactDecimal(written) else {
      throw Complaint(
        message: "found (\(Quoted.bounded(written))), expected a step with its sign, such as (+2) or (-2)")
    }
    return .steps(try steps(from: first, to: last, by: step))
  }

  private static func even(
    from first: ExactDecimal, to last: ExactDecimal, _ written: String, isWhole: Bool
  ) throws(Complaint) -> EvenNumbers {
    guard let count = ExactDecimal(written.trimmingBlanks)?.integer, (1...Int64(EvenNumbers.limit)).contains(count)
    else {
      throw Complaint(
        message: "found [\(Quoted.bounded(written.trimmingBlanks))], expected the number of values, such as [5]")
    }
    guard let numbers = EvenNumbers(from: first, to: last, count: Int(count), isWhole: isWhole) else {
      throw Complaint(message: "found too many digits, expected numbers of 18 digits at most")
    }
    return numbers
  }

  private static func steps(
    from first: ExactDecimal, to last: ExactDecimal, by step: ExactDecimal
  ) throws(Complaint) -> Progression {
    do {
      return try Progression(from: first, through: last, by: step)
    } catch {
      let why =
        switch error {
        case .noStep: "found the step 0, expected a number such as +1"
        case .wrongWay: "the step \(step) leads away from \(last), expected one with the opposite sign"
        case .missed, .tooManyDigits: "found too many digits, expected numbers of 18 digits at most"
        }
      throw Complaint(message: why)
    }
  }
}
