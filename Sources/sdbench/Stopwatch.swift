import Text

/// Wall-clock times of repeated measurements of the same thing.
struct Stopwatch {
  private(set) var seconds: [Double] = []

  /// Creates a stopwatch from times that were measured elsewhere.
  init(seconds: [Double]) { self.seconds = seconds }

  /// Runs `body` this many times, at least once, and measures each run.
  init(repeats: Int, _ body: () throws -> Void) rethrows {
    let clock = ContinuousClock()
    for _ in 0..<max(repeats, 1) {
      let duration = try clock.measure(body).components
      seconds.append(Double(duration.seconds) + Double(duration.attoseconds) * 1e-18)
    }
  }

  var median: Double { seconds.sorted()[seconds.count / 2] }
  var smallest: Double { seconds.min() ?? 0 }

  /// "12.345 s (smallest 12.001 s)".
  var text: String { "\(Self.text(median)) (smallest \(Self.text(smallest)))" }

  static func text(_ seconds: Double) -> String {
    seconds < 0.1 ? "\(decimals(seconds * 1e3)) ms" : "\(decimals(seconds)) s"
  }

  /// The number with three decimals.
  static func decimals(_ value: Double) -> String {
    let thousandths = Int((value * 1000).rounded())
    return "\(thousandths / 1000).\((thousandths % 1000).padded(to: 3))"
  }
}
