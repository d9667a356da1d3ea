import ArgumentParser
import Runs

/// A length of time on the command line: `90s`, `15m`, `7h`, `2d`, `1h30m`; a number alone means seconds.
struct TimeSpan: ExpressibleByArgument {
  let duration: Duration

  private static let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86400]

  init?(argument: String) {
    var seconds = 0.0
    var rest = argument[...]
    if let number = Self.number(rest) {
      seconds = number
    } else {
      while !rest.isEmpty {
        guard let end = rest.firstIndex(where: { Self.units[$0] != nil }), let unit = Self.units[rest[end]],
          let number = Self.number(rest[..<end])
        else { return nil }
        seconds += number * unit
        rest = rest[rest.index(after: end)...]
      }
    }
    // A hundred years: sums of such values cannot overflow.
    guard !argument.isEmpty, seconds <= 3.2e9 else { return nil }
    duration = .milliseconds(Int64((seconds * 1000).rounded()))
  }

  private static func number(_ text: Substring) -> Double? {
    guard text.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }) else { return nil }
    return Double(text)
  }
}

extension TimeOfDay: ExpressibleByArgument {
  /// Accepts the same texts as `init(_:)`.
  public init?(argument: String) { self.init(argument) }

  /// One in the morning.
  static var one: TimeOfDay {
    var time = TimeOfDay.midnight
    time.hour = 1
    return time
  }
}
