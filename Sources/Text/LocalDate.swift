import Foundation

/// A calendar date in local time.
public struct LocalDate: Hashable, Sendable, Comparable, CustomStringConvertible {
  private let year: Int
  private let month: Int
  private let day: Int

  /// The date at an instant, in the time zone of this process.
  ///
  /// The C library decides, because it understands every form of `TZ` and `/etc/localtime`.
  ///
  /// - Parameter secondsSince1970: Seconds since 1970-01-01 00:00 UTC.
  public init(secondsSince1970: Int) {
    var seconds = time_t(secondsSince1970)
    var fields = tm()
    localtime_r(&seconds, &fields)
    (year, month, day) = (Int(fields.tm_year) + 1900, Int(fields.tm_mon) + 1, Int(fields.tm_mday))
  }

  /// The date now.
  public static var today: LocalDate { LocalDate(secondsSince1970: time(nil)) }

  /// Reads a date that `description` wrote; nil for other text.
  public init?(_ text: some StringProtocol) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.map(\.utf8.count) == [4, 2, 2], parts.joined().utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      let year = Int(parts[0]), let month = Int(parts[1]), let day = Int(parts[2]), (1...12).contains(month),
      (1...31).contains(day)
    else { return nil }
    (self.year, self.month, self.day) = (year, month, day)
  }

  /// The number of days from 1970-01-01 to this date.
  public var dayNumber: Int {
    // Years that begin in March have the leap day at their end.
    let (y, m) = month > 2 ? (year, month - 3) : (year - 1, month + 9)
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468
  }

  /// The number of weeks, which begin on Mondays, from that of 1970-01-01 to that of this date.
  public var weekNumber: Int { (dayNumber + 3) / 7 }

  /// `2026-01`.
  public var monthText: String { String(description.prefix(7)) }

  /// `2026-01-31`.
  public var description: String {
    "\(year.padded(to: 4))-\(month.padded(to: 2))-\(day.padded(to: 2))"
  }

  /// Whether one date is before the other.
  public static func < (one: LocalDate, other: LocalDate) -> Bool {
    (one.year, one.month, one.day) < (other.year, other.month, other.day)
  }
}
