import Hashing
import Foundation
import JSON
import Settings
import Text

/// Size and time of a file: a cheap way to see that it has not changed.
package struct FileMark: Hashable {
  /// In bytes.
  package var size: Int64
  /// In nanoseconds since 1970.
  package var modified: Int64

  package init(size: Int64, modified: Int64) {
    self.size = size
    self.modified = modified
  }

  /// The mark of a file.
  ///
  /// - Parameter path: A regular file, not a link.
  /// - Throws: `RunError.notRead` with `ENOENT` if there is none.
  package init(path: String) throws(RunError) {
    var status = stat()
    guard lstat(path, &status) == 0 else { throw .notRead(path: path, code: errno) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notRead(path: path, code: ENOENT) }
    self.init(status)
  }

  private init(_ status: stat) {
    size = Int64(status.st_size)
    // Some file systems store times after the year 2262, which do not fit.
    modified = Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
  }
}

extension FileMark {
  /// The mark of an open file.
  init(descriptor: Int32) {
    var status = stat()
    fstat(descriptor, &status)
    self.init(status)
  }

  /// Whether the last write was longer ago than this.
  func isOlder(thanSeconds seconds: Int64) -> Bool {
    Timestamp.now().milliseconds - modified / 1_000_000 > seconds * 1000
  }
}

/// Reads a file from its beginning, one piece at a time.
package final class FileReader {
  private let path: String
  private let descriptor: Int32
  private static let pieceSize = 1 << 20

  package init(path: String) throws(RunError) {
    self.path = path
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    let descriptor = uninterrupted { open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
    self.descriptor = descriptor
    guard descriptor >= 0 else { throw .notRead(path: path, code: errno) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw .notRead(path: path, code: status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL)
    }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// The next piece; empty at the end.
  func read() throws(RunError) -> [UInt8] {
    var code: Int32 = 0
    let piece = [UInt8](unsafeUninitializedCapacity: Self.pieceSize) { buffer, count in
      let result = uninterrupted { Glibc.read(descriptor, buffer.baseAddress, buffer.count) }
      code = result < 0 ? errno : 0
      count = max(result, 0)
    }
    guard code == 0 else { throw .notRead(path: path, code: code) }
    return piece
  }

  /// The bytes in a range of the file.
  package func read(_ range: Range<Int64>) throws(RunError) -> [UInt8] {
    var code: Int32 = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
      count = 0
      while count < buffer.count {
        let rest = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[count...])
        let result = pread(descriptor, rest.baseAddress, rest.count, off_t(range.lowerBound) + off_t(count))
        if result < 0, errno == EINTR { continue }
        if result < 0 { code = errno }
        if result <= 0 { return }
        count += result
      }
    }
    guard code == 0 else { throw .notRead(path: path, code: code) }
    return bytes
  }

  // MARK: Whole files

  /// All bytes of a file.
  package static func bytes(of path: String) throws(RunError) -> [UInt8] {
    var bytes: [UInt8] = []
    try forEachPiece(of: path) { bytes += $0 }
    return bytes
  }

  /// SHA-256 of a file, in lower-case hexadecimal.
  package static func sha256(of path: String) throws(RunError) -> String {
    var hash = SHA256()
    try forEachPiece(of: path) { hash.update($0) }
    return Hexadecimal.text(hash.finalize())
  }

  /// Calls `body` with the file's bytes, piece by piece.
  static func forEachPiece(of path: String, _ body: ([UInt8]) -> Void) throws(RunError) {
    let reader = try FileReader(path: path)
    while true {
      let piece = try reader.read()
      if piece.isEmpty { return }
      body(piece)
    }
  }

  /// Calls `body` for each line.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - body: Receives the line's offset in the file, its bytes without the line feed, and whether it had a line feed.
  /// - Throws: `RunError.notRead`, or what `body` throws.
  static func forEachLine(
    of path: String, _ body: (_ start: Int64, _ line: UnsafeBufferPointer<UInt8>, _ isWhole: Bool) throws -> Void
  ) throws {
    let reader = try FileReader(path: path)
    var rest: [UInt8] = []
    var start: Int64 = 0
    while true {
      let piece = try reader.read()
      let isLast = piece.isEmpty
      // A long line may be in several pieces; what was searched already is not searched again.
      var searched = rest.count
      rest += piece
      let used = try rest.withUnsafeBufferPointer { bytes in
        var lineStart = 0
        while let end = bytes.lineFeed(from: searched) {
          try body(start + Int64(lineStart), UnsafeBufferPointer(rebasing: bytes[lineStart..<end]), true)
          lineStart = end + 1
          searched = lineStart
        }
        if isLast, lineStart < bytes.count {
          try body(start + Int64(lineStart), UnsafeBufferPointer(rebasing: bytes[lineStart...]), false)
        }
        return lineStart
      }
      if isLast { return }
      rest.removeFirst(used)
      start += Int64(used)
    }
  }
}

/// Reads a file line by line, when the caller asks for the next line.
final class LineReader {
  private let reader: FileReader
  private var piece: [UInt8] = []
  private var position = 0

  init(path: String) throws(RunError) { reader = try FileReader(path: path) }

  /// The next line without its line feed; nil after the last.
  func next() throws(RunError) -> [UInt8]? {
    var line: [UInt8] = []
    while true {
      if position == piece.count {
        piece = try reader.read()
        position = 0
        if piece.isEmpty { return line.isEmpty ? nil : line }
      }
      if let end = piece.withUnsafeBufferPointer({ $0.lineFeed(from: position) }) {
        line += piece[position..<end]
        position = end + 1
        return line
      }
      line += piece[position...]
      position = piece.count
    }
  }
}

extension UnsafeBufferPointer<UInt8> {
  /// The offset of the next line feed; nil if there is none.
  fileprivate func lineFeed(from offset: Int) -> Int? {
    guard offset < count, let baseAddress, let found = memchr(baseAddress + offset, 0x0A, count - offset) else {
      return nil
    }
    return UnsafeRawPointer(found) - UnsafeRawPointer(baseAddress)
  }
}
