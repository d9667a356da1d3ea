import Foundation

/// A time of day in the local time zone.
public struct TimeOfDay: Hashable, Sendable {
  /// 0 to 23.
  public var hour: Int
  /// 0 to 59.
  public var minute: Int
  /// 0 to 59.
  public var second: Int

  /// 00:00.
  public static let midnight = TimeOfDay(hour: 0, minute: 0, second: 0)

  private init(hour: Int, minute: Int, second: Int) {
    (self.hour, self.minute, self.second) = (hour, minute, second)
  }

  /// Reads "6:30", "06:30" or "06:30:15"; nil for other text.
  public init?(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2 || parts.count == 3, (1...2).contains(parts[0].utf8.count) else { return nil }
    let numbers = parts.compactMap { part in part.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(part) : nil }
    guard numbers.count == parts.count, parts.dropFirst().allSatisfy({ $0.utf8.count == 2 }), numbers[0] < 24,
      numbers[1...].allSatisfy({ $0 < 60 })
    else { return nil }
    hour = numbers[0]
    minute = numbers[1]
    second = numbers.count == 3 ? numbers[2] : 0
  }

  /// The next moment with this time of day.
  ///
  /// - Parameter now: Seconds since 1970.
  /// - Returns: Seconds since 1970, later than `now`; at most a day later, unless the clocks change.
  public func next(after now: Int) -> Int {
    var time = time_t(now)
    var fields = tm()
    localtime_r(&time, &fields)
    (fields.tm_hour, fields.tm_min, fields.tm_sec) = (Int32(hour), Int32(minute), Int32(second))
    // mktime handles daylight saving time.
    fields.tm_isdst = -1
    var day = fields
    let today = mktime(&day)
    if today > now { return Int(today) }
    fields.tm_mday += 1
    return Int(mktime(&fields))
  }
}

/// The times at which a run stops by itself.
public struct StopTime: Sendable {
  private let wallTime: Int?
  private let limit: ContinuousClock.Instant?
  private let now: @Sendable () -> Int

  /// The two times, if given.
  ///
  /// - Parameters:
  ///   - until: The next time at which the clock shows this, even if the clock is set to another time before.
  ///   - maxTime: Measured from `start`, independent of the clock's setting.
  ///   - start: When the program began.
  ///   - now: The clock, in seconds since 1970.
  public init(
    until: TimeOfDay?, maxTime: Duration?, start: ContinuousClock.Instant = .now,
    now: @escaping @Sendable () -> Int = { time(nil) }
  ) {
    wallTime = until.map { $0.next(after: now()) }
    limit = maxTime.map { start + $0 }
    self.now = now
  }

  /// Why the run should stop; nil if it should continue.
  public var request: StopReason? {
    if let limit, ContinuousClock.now >= limit { return .maxTime }
    if let wallTime, now() >= wallTime { return .until }
    return nil
  }
}
