import Foundation
import Testing
import Text

struct TimeTests {
  @Test(arguments: [0, 1, 999, 1_000, 951_782_399_999, 1_767_225_599_123, 4_102_444_800_000] as [Int64])
  func `instants are written as ISO 8601 and read back`(milliseconds: Int64) {
    let format = ISO8601DateFormatter()
    format.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
    let time = Timestamp(milliseconds: milliseconds)
    #expect(time.iso == format.string(from: Date(timeIntervalSince1970: Double(milliseconds) / 1000)))
    #expect(Timestamp(time.iso) == time)
    let local = DateFormatter()
    local.locale = Locale(identifier: "en_US_POSIX")
    local.dateFormat = "yyyyMMddHHmmss"
    #expect(time.compactLocal == local.string(from: Date(timeIntervalSince1970: Double(milliseconds / 1000))))
  }

  @Test func `the date is that of the time zone, even if clocks change at midnight`() async {
    await #expect(processExitsWith: .success) {
      func date(_ zone: String, _ seconds: Int) -> String {
        setenv("TZ", zone, 1)
        tzset()
        return LocalDate(secondsSince1970: seconds).description
      }
      // 2026-03-29 00:30 UTC, the hour before Europe's clocks go forward.
      let instant = 1_774_744_200
      precondition(date("UTC0", instant) == "2026-03-29")
      precondition(date("EST5EDT,M3.2.0,M11.1.0", instant) == "2026-03-28")
      precondition(date("<+14>-14", instant) == "2026-03-29" && date("<-12>12", instant) == "2026-03-28")
      let berlin = "CET-1CEST,M3.5.0,M10.5.0/3"
      precondition(date(berlin, instant + 3600) == "2026-03-29" && date(berlin, instant - 5400 - 1) == "2026-03-28")
      precondition(date(berlin, instant - 5400) == "2026-03-29")
      // Cuba sets its clocks back from 1:00 to 0:00: the hour occurs twice, on the same date.
      let havana = "CST5CDT,M3.2.0/0,M11.1.0/1"
      // 2026-11-01 04:00 UTC is midnight in summer time; clocks go back at 05:00 UTC.
      let midnight = 1_793_505_600
      precondition(date(havana, midnight - 1) == "2026-10-31" && date(havana, midnight) == "2026-11-01")
      precondition(date(havana, midnight + 3600) == "2026-11-01")
      // In spring they go forward from midnight to 1:00: 2026-03-08 05:00 UTC.
      precondition(date(havana, 1_772_946_000 - 1) == "2026-03-07" && date(havana, 1_772_946_000) == "2026-03-08")
      precondition(date("UTC0", -1) == "1969-12-31")
    }
  }

  @Test func `only dates as they are written are read`() {
    #expect(LocalDate("2026-01-31")?.description == "2026-01-31")
    for text in ["2026-1-31", "2026-01-32", "2026-00-01", "", "2026-01-31-", "２０２６-01-01"] {
      #expect(LocalDate(text) == nil, "\(text)")
    }
  }
}
