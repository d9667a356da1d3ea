import Foundation
import Runs
import Synchronization
import Testing

@Suite struct StopTimeTests {
  @Test(arguments: [
    ("06:30", [6, 30, 0]), ("6:30", [6, 30, 0]), ("23:59:59", [23, 59, 59]), ("00:00", [0, 0, 0]),
  ])
  func `times of day are read`(text: String, fields: [Int]) throws {
    let time = try #require(TimeOfDay(text))
    #expect([time.hour, time.minute, time.second] == fields)
  }

  @Test(arguments: [
    "", "6", "24:00", "6:60", "06:3", "06:30:60", "06:30:", "-6:30", "+6:30", "006:30", "6.30", "06:30 ",
  ])
  func `other text is no time of day`(text: String) { #expect(TimeOfDay(text) == nil) }

  @Test func `a time of day means the next time that the clock shows it`() throws {
    // In every time zone: the same time of day as now, a little later and a little earlier.
    for now in stride(from: 1_700_000_000, to: 1_700_000_000 + 400 * 86400, by: 7 * 3600 + 61) {
      var seconds = time_t(now)
      var fields = tm()
      localtime_r(&seconds, &fields)
      let text = [fields.tm_hour, fields.tm_min, fields.tm_sec].map { $0 < 10 ? "0\($0)" : "\($0)" }
      let time = try #require(TimeOfDay(text.joined(separator: ":")))
      let next = time.next(after: now)
      // A day, unless daylight saving time begins or ends.
      #expect(abs(next - now - 86400) <= 3600)
      #expect(abs(time.next(after: now - 5) - now) <= 3600)
    }
  }

  @Test func `a run stops when the clock shows the time, even if it was put forward`() throws {
    let clock = Mutex(1_700_000_000)
    let until = try #require(TimeOfDay("06:30"))
    let stop = StopTime(until: until, maxTime: nil, now: { clock.withLock { $0 } })
    #expect(stop.request == nil)
    let end = until.next(after: 1_700_000_000)
    clock.withLock { $0 = end - 1 }
    #expect(stop.request == nil)
    // If the clock is set back, the time comes later, and is not confused with the next day's.
    clock.withLock { $0 = 1_600_000_000 }
    #expect(stop.request == nil)
    clock.withLock { $0 = end }
    #expect(stop.request == .until)
  }

  @Test func `a run stops when its time is over, whatever the clock shows`() {
    let clock = Mutex(1_700_000_000)
    let long = StopTime(until: nil, maxTime: .seconds(3600), now: { clock.withLock { $0 } })
    let over = StopTime(
      until: nil, maxTime: .seconds(3600), start: .now - .seconds(3601), now: { clock.withLock { $0 } })
    for time in [1_700_000_000, 2_000_000_000, 0] {
      clock.withLock { $0 = time }
      #expect(long.request == nil)
      #expect(over.request == .maxTime)
    }
    #expect(StopTime(until: nil, maxTime: nil).request == nil)
  }
}
