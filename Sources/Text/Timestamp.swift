import Foundation

/// An instant, to the millisecond.
package struct Timestamp: Hashable {
  /// Milliseconds since 1970-01-01 00:00 UTC.
  package var milliseconds: Int64

  package init(milliseconds: Int64) { self.milliseconds = milliseconds }

  package static func now() -> Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
  }

  /// Reads what `iso` writes; nil for other text.
  package init?(_ iso: String) {
    var iso = iso
    let read = iso.withUTF8 { bytes -> (fields: tm, milliseconds: Int64)? in
      guard bytes.count == 24, [4, 7].allSatisfy({ bytes[$0] == UInt8(ascii: "-") }), bytes[10] == UInt8(ascii: "T"),
        [13, 16].allSatisfy({ bytes[$0] == UInt8(ascii: ":") }), bytes[19] == UInt8(ascii: "."),
        bytes[23] == UInt8(ascii: "Z")
      else { return nil }
      var isNumber = true
      func number(_ range: Range<Int>) -> Int32 {
        range.reduce(0) { value, index in
          let digit = Int32(bytes[index]) - 0x30
          if !(0...9).contains(digit) { isNumber = false }
          return value * 10 + digit
        }
      }
      var fields = tm()
      fields.tm_year = number(0..<4) - 1900
      fields.tm_mon = number(5..<7) - 1
      fields.tm_mday = number(8..<10)
      fields.tm_hour = number(11..<13)
      fields.tm_min = number(14..<16)
      fields.tm_sec = number(17..<19)
      let milliseconds = Int64(number(20..<23))
      return isNumber ? (fields, milliseconds) : nil
    }
    guard var read else { return nil }
    milliseconds = Int64(timegm(&read.fields)) * 1000 + read.milliseconds
  }

  /// ISO 8601 in UTC: `2026-01-31T23:59:59.123Z`.
  package var iso: String {
    var seconds = time_t(milliseconds / 1000)
    var fields = tm()
    gmtime_r(&seconds, &fields)
    return Self.text(fields, date: "-", between: "T", time: ":") + ".\(Int(milliseconds % 1000).padded(to: 3))Z"
  }

  /// The webui's form, in local time and without a zone: `20260131235959`.
  package var compactLocal: String {
    var seconds = time_t(milliseconds / 1000)
    var fields = tm()
    localtime_r(&seconds, &fields)
    return Self.text(fields, date: "", between: "", time: "")
  }

  /// Date and time with these separators.
  private static func text(
    _ fields: tm, date: StaticString, between: StaticString, time: StaticString
  ) -> String {
    String(unsafeUninitializedCapacity: 32) { buffer in
      var end = 0
      func put(_ value: Int32, _ width: Int) {
        var value = value
        for index in (end..<(end + width)).reversed() {
          buffer[index] = 0x30 + UInt8(value % 10)
          value /= 10
        }
        end += width
      }
      func put(_ separator: StaticString) {
        separator.withUTF8Buffer { bytes in
          for byte in bytes {
            buffer[end] = byte
            end += 1
          }
        }
      }
      put(min(max(fields.tm_year + 1900, 0), 9999), 4)
      put(date)
      put(fields.tm_mon + 1, 2)
      put(date)
      put(fields.tm_mday, 2)
      put(between)
      put(fields.tm_hour, 2)
      put(time)
      put(fields.tm_min, 2)
      put(time)
      put(fields.tm_sec, 2)
      return end
    }
  }
}
