import Foundation

/// The line that shows the progress of a run on a terminal: `[5/12] ######------ 48%  step 9/20  1.25 s/step  ETA 3m12s`.
struct LiveLine {
  /// The number of the image, and how many there are.
  var count: String
  /// How much of the run is done, from 0 to 1.
  var fraction: Double
  /// The present work.
  var stage: String
  /// The time of a step; nil before the first.
  var pace: String?
  /// The time left; nil if it is unknown.
  var left: String?

  /// The line for a width. If space is short, the least important parts are left out first: the bar, the pace, the stage, and
  /// at last the time left.
  ///
  /// - Parameter columns: The maximum number of characters.
  /// - Returns: The line; a longer line would wrap, and could not be replaced.
  func text(columns: Int) -> String {
    let bar = "\(Self.bar(fraction, columns >= 100 ? 20 : 10)) \(Int(fraction * 100))%"
    let forms: [[String?]] = [
      [count + " " + bar, stage, pace, left], [count, stage, pace, left], [count, stage, left],
      [count, left ?? stage], [left ?? count],
    ]
    for form in forms {
      let text = form.compactMap { $0 }.joined(separator: "  ")
      if text.count <= columns { return text }
    }
    return String((left ?? count).prefix(max(0, columns)))
  }

  private static func bar(_ fraction: Double, _ width: Int) -> String {
    let full = Int((min(max(fraction, 0), 1) * Double(width)).rounded(.down))
    let (done, open) = isUnicode ? ("\u{2588}", "\u{2591}") : ("#", "-")
    return String(repeating: done, count: full) + String(repeating: open, count: width - full)
  }

  /// Whether the terminal shows more than ASCII, according to the locale variables.
  private static let isUnicode: Bool = {
    let variables = ProcessInfo.processInfo.environment
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].compactMap { variables[$0] }.first { !$0.isEmpty } ?? ""
    return locale.uppercased().contains("UTF-8") || locale.uppercased().contains("UTF8")
  }()
}
