import Foundation
import Testing

@testable import Text

/// Files that are read completely, and calls that signals interrupt.
@Suite struct WholeFileTests {
  @Test func `a call is made again as long as a signal interrupts it`() {
    var codes: [Int32] = [EINTR, EINTR, 0]
    let result: Int32 = uninterrupted {
      errno = codes.removeFirst()
      return errno == 0 ? 7 : -1
    }
    #expect(result == 7 && codes.isEmpty)
    var count = 0
    let failed: Int = uninterrupted {
      count += 1
      errno = EIO
      return -1
    }
    #expect(failed == -1 && count == 1 && errno == EIO)
  }

  @Test func `a file is read to its end and not beyond the limit`() throws {
    let path = NSTemporaryDirectory() + "whole-\(UUID().uuidString)"
    defer { unlink(path) }
    let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0) }
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    #expect(try WholeFile.bytes(of: path) == bytes)
    #expect(try WholeFile.bytes(of: path, limit: 200_000) == bytes)
    #expect(throws: WholeFile.Failure.tooLong) { try WholeFile.bytes(of: path, limit: 199_999) }
    #expect(throws: WholeFile.Failure.tooLong) { try WholeFile.bytes(of: "/dev/zero", limit: 1 << 20) }
    #expect(throws: WholeFile.Failure.notRead(code: ENOENT)) { try WholeFile.bytes(of: path + "x") }
    #expect(throws: WholeFile.Failure.notRead(code: EISDIR)) { try WholeFile.bytes(of: "/") }
    #expect(try !WholeFile.bytes(of: "/proc/self/stat").isEmpty)
    let pipe = path + "-pipe"
    defer { unlink(pipe) }
    #expect(mkfifo(pipe, 0o600) == 0)
    #expect(throws: WholeFile.Failure.notRead(code: EINVAL)) { try WholeFile.bytes(of: pipe, isRegular: true) }
  }
}
