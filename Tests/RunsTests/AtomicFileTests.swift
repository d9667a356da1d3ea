import Foundation
import Synchronization
import Testing

@testable import Runs

@Suite struct AtomicFileTests {
  private let space: Workspace
  private var path: String { space.path + "/file" }

  init() throws { space = try Workspace() }

  /// Writes pieces; returns the steps on the disk.
  private func write(_ pieces: [[UInt8]], keepsEqual: Bool = true) throws -> [Disk.Action] {
    let steps = Mutex<[Disk.Action]>([])
    let disk = Disk { step in steps.withLock { $0.append(step.action) } }
    try AtomicFile.write(to: path, on: disk, keepsEqual: keepsEqual) { file in
      for piece in pieces { try file.write(piece) }
    }
    #expect(try AtomicFile.names(in: space.path) == ["file"])
    return steps.withLock { $0 }
  }

  private func number() -> UInt64 {
    var status = stat()
    stat(path, &status)
    return UInt64(status.st_ino)
  }

  private static let replacement: [Disk.Action] = [.synchronise, .close, .rename, .synchroniseFolder]

  @Test func `an equal file stays untouched, and nothing is written`() throws {
    let pieces: [[UInt8]] = [Array(repeating: 1, count: 3 << 20), [], [2], Array(repeating: 3, count: 70_000)]
    #expect(try write(pieces).suffix(4) == Self.replacement)
    let (old, mark) = (number(), try FileMark(path: path))
    #expect(try write(pieces) == [])
    #expect(try write([Array(pieces.joined())]) == [])
    #expect(number() == old)
    #expect(try FileMark(path: path) == mark)
    // Without `keepsEqual`, it is written again.
    #expect(try write(pieces, keepsEqual: false).suffix(4) == Self.replacement)
    #expect(try FileReader.bytes(of: path) == Array(pieces.joined()))
  }

  @Test func `a file that differs anywhere, or in its length, is replaced`() throws {
    let old = (0..<(5 << 19)).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    func pieces(_ bytes: [UInt8]) -> [[UInt8]] {
      stride(from: 0, to: bytes.count, by: 300_000).map { Array(bytes[$0..<min($0 + 300_000, bytes.count)]) }
    }
    var others = [0, 1, 299_999, 300_000, 1 << 20, old.count - 1].map { place in
      var other = old
      other[place] ^= 1
      return other
    }
    others += [Array(old.dropLast()), old + [9], Array(old.prefix(300_000)), [], old + old]
    for other in others {
      _ = try write(pieces(old))
      #expect(try write(pieces(other)).suffix(4) == Self.replacement)
      #expect(try FileReader.bytes(of: path) == other)
    }
  }

  @Test func `an error leaves the old file, whichever step fails`() throws {
    struct Failure: Error {}
    _ = try write([[1], [2], [3]])
    for pieces in [[], [[1]], [[1], [2], [3]], [[1], [4]]] as [[[UInt8]]] {
      #expect(throws: Failure.self) {
        try AtomicFile.write(to: path, on: Disk(), keepsEqual: true) { file in
          for piece in pieces { try file.write(piece) }
          throw Failure()
        }
      }
      #expect(try FileReader.bytes(of: path) == [1, 2, 3])
      #expect(try AtomicFile.names(in: space.path) == ["file"])
    }
  }
}
