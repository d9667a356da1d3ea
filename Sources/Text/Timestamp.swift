import Foundation

/// An instant, to the millisecond.
package struct Timestamp: Hashable {
  /// Since 1970-01-01 00:00 UTC.
  package var milliseconds: Int64

  package init(milliseconds: Int64) { self.milliseconds = milliseconds }

  package static func now() -> Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
  }

  /// Reads text that `iso` wrote; nil for other text.
  package init?(_ iso: String) {
    let parts = iso.split { !$0.isNumber }.compactMap { Int32($0) }
    guard parts.count == 7, iso.count == 24, iso.hasSuffix("Z") else { return nil }
    var fields = tm()
    fields.tm_year = parts[0] - 1900
    fields.tm_mon = parts[1] - 1
    fields.tm_mday = parts[2]
    fields.tm_hour = parts[3]
    fields.tm_min = parts[4]
    fields.tm_sec = parts[5]
    milliseconds = Int64(timegm(&fields)) * 1000 + Int64(parts[6])
  }

  /// ISO 8601 in UTC: `2026-01-31T23:59:59.123Z`.
  package var iso: String {
    var seconds = time_t(milliseconds / 1000)
    var fields = tm()
    gmtime_r(&seconds, &fields)
    return "\(Self.date(fields, separator: "-"))T\(Self.time(fields, separator: ":"))."
      + "\(Int(milliseconds % 1000).padded(to: 3))Z"
  }

  /// The webui's form, in local time and without a zone: `20260131235959`.
  package var compactLocal: String {
    var seconds = time_t(milliseconds / 1000)
    var fields = tm()
    localtime_r(&seconds, &fields)
    return Self.date(fields, separator: "") + Self.time(fields, separator: "")
  }

  private static func date(_ fields: tm, separator: String) -> String {
    [
      (Int(fields.tm_year) + 1900).padded(to: 4), (Int(fields.tm_mon) + 1).padded(to: 2),
      Int(fields.tm_mday).padded(to: 2),
    ].joined(separator: separator)
  }

  private static func time(_ fields: tm, separator: String) -> String {
    [fields.tm_hour, fields.tm_min, fields.tm_sec].map { Int($0).padded(to: 2) }.joined(separator: separator)
  }
}
