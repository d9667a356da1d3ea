import Foundation

/// A date of the calendar, as the clock on the wall has it.
public struct LocalDate: Hashable, Sendable, Comparable, CustomStringConvertible {
  private let year: Int
  private let month: Int
  private let day: Int

  /// The date at an instant, in the time zone of this process.
  ///
  /// The C library decides, which knows `TZ` and `/etc/localtime` in every form.
  ///
  /// - Parameter secondsSince1970: The instant, in UTC.
  public init(secondsSince1970: Int) {
    var seconds = time_t(secondsSince1970)
    var fields = tm()
    localtime_r(&seconds, &fields)
    (year, month, day) = (Int(fields.tm_year) + 1900, Int(fields.tm_mon) + 1, Int(fields.tm_mday))
  }

  /// The date now.
  public static var today: LocalDate { LocalDate(secondsSince1970: time(nil)) }

  /// A date as `description` writes it; nothing for other text.
  public init?(_ text: some StringProtocol) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.map(\.utf8.count) == [4, 2, 2], parts.joined().utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      let year = Int(parts[0]), let month = Int(parts[1]), let day = Int(parts[2]), (1...12).contains(month),
      (1...31).contains(day)
    else { return nil }
    (self.year, self.month, self.day) = (year, month, day)
  }

  /// `2026-01-31`.
  public var description: String {
    let digits = { (value: Int, width: Int) in
      String(repeating: "0", count: max(0, width - String(value).utf8.count)) + String(value)
    }
    return "\(digits(year, 4))-\(digits(month, 2))-\(digits(day, 2))"
  }

  /// Whether one date is before the other.
  public static func < (one: LocalDate, other: LocalDate) -> Bool {
    (one.year, one.month, one.day) < (other.year, other.month, other.day)
  }
}
