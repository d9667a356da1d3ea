import Foundation
import Text

/// Times for people at a terminal: local and short.
enum TimeText {
  /// "20:37" today, "28 Nov 20:37" this year, "2025-11-28 20:37" for earlier years.
  ///
  /// - Parameters:
  ///   - iso: ISO 8601 in UTC; any other text is returned unchanged.
  ///   - now: The present time.
  /// - Returns: The time in the local time zone.
  static func local(_ iso: String, now: Timestamp = .now()) -> String {
    guard let time = Timestamp(iso) else { return iso }
    let (fields, today) = (Self.fields(time), Self.fields(now))
    let clock = "\(Int(fields.tm_hour).padded(to: 2)):\(Int(fields.tm_min).padded(to: 2))"
    guard fields.tm_year == today.tm_year else {
      return "\(LocalDate(secondsSince1970: Int(time.milliseconds / 1000))) \(clock)"
    }
    if fields.tm_yday == today.tm_yday { return clock }
    return "\(fields.tm_mday) \(months[Int(fields.tm_mon)]) \(clock)"
  }

  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  private static func fields(_ time: Timestamp) -> tm {
    var seconds = time_t(time.milliseconds / 1000)
    var fields = tm()
    localtime_r(&seconds, &fields)
    return fields
  }
}
