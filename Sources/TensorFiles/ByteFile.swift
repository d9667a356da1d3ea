import Foundation

/// A file's bytes, read when they are needed.
///
/// Bytes are read with system calls instead of mapping the file. If another process shortens a mapped file, reading the lost
/// pages kills this process; here it is an error. The file stays open, so a file that is removed or replaced while it is in use
/// can still be read.
// Sendable, because the descriptor never changes and `pread` has no position.
package final class ByteFile: @unchecked Sendable {
  /// The path with which the file was opened.
  package let path: String
  /// The number of bytes when the file was opened.
  package let count: Int
  private let state: State
  /// The open file; -1 for a small file, which was read whole.
  private let descriptor: Int32
  /// All bytes of a small file; empty for others.
  private let content: [UInt8]

  /// Files up to this size are read at once and closed, because a folder may have thousands of embeddings.
  private static let smallSize = 1 << 20

  /// The properties that show whether a file was written to.
  private struct State: Equatable {
    var device: UInt
    var number: UInt
    var size: Int
    /// The time of modification, in nanoseconds since 1970.
    var nanoseconds: Int

    init(_ status: stat) {
      device = UInt(status.st_dev)
      number = UInt(status.st_ino)
      size = Int(status.st_size)
      nanoseconds = Int(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int(status.st_mtim.tv_nsec)
    }

    func isSameFile(_ other: State) -> Bool { device == other.device && number == other.number }
  }

  /// Opens the regular file at `path`.
  package init(path: String) throws(TensorFileError) {
    self.path = path
    let (opened, size) = try Self.open(path)
    count = size
    var status = stat()
    fstat(opened, &status)
    state = State(status)
    guard size <= Self.smallSize else {
      descriptor = opened
      content = []
      return
    }
    defer { close(opened) }
    descriptor = -1
    content = try Self.read(opened, 0..<size, path: path)
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Reads a range of bytes, which must be within the file.
  ///
  /// Throws `TensorFileError.changed` if the file has become shorter, and `.unreadable` if the disk fails.
  package func bytes(_ range: Range<Int>) throws(TensorFileError) -> [UInt8] {
    descriptor < 0 ? Array(content[range]) : try Self.read(descriptor, range, path: path)
  }

  /// The first bytes, at most `limit`.
  package func prefix(_ limit: Int) throws(TensorFileError) -> [UInt8] { try bytes(0..<min(limit, count)) }

  /// Copies a range of bytes; `destination` must have room for them. Throws as `bytes(_:)` does.
  func read(_ range: Range<Int>, into destination: UnsafeMutableRawPointer) throws(TensorFileError) {
    guard descriptor < 0 else { return try Self.read(descriptor, range, into: destination, path: path) }
    content.withUnsafeBytes { bytes in
      if let base = bytes.baseAddress { destination.copyMemory(from: base + range.lowerBound, byteCount: range.count) }
    }
  }

  /// Throws `TensorFileError.changed` if the file was written to after it was opened.
  ///
  /// A file that was removed or replaced by another one counts as unchanged: the open file still has the content.
  package func requireUnchanged() throws(TensorFileError) {
    var status = stat()
    guard stat(path, &status) == 0 else { return }
    let now = State(status)
    if now.isSameFile(state), now != state { throw .changed(path: path) }
  }

  // MARK: System calls

  /// Opens a regular file for reading. Returns its descriptor, which the caller closes, and its size.
  static func open(_ path: String) throws(TensorFileError) -> (descriptor: Int32, size: Int) {
    let descriptor = try opened(path)
    var status = stat()
    guard fstat(descriptor, &status) == 0, let size = Int(exactly: status.st_size) else {
      close(descriptor)
      throw .unreadable(path: path, reason: "cannot read the file's size: \(lastError)")
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      let found = status.st_mode & S_IFMT == S_IFDIR ? "a folder" : "not a regular file"
      throw .unreadable(path: path, reason: "this is \(found), expected a file")
    }
    return (descriptor, size)
  }

  private static func opened(_ path: String) throws(TensorFileError) -> Int32 {
    while true {
      // Without O_NONBLOCK, opening a named pipe would wait for a writer.
      let descriptor = Foundation.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
      if descriptor >= 0 { return descriptor }
      if errno == EINTR || (errno == EMFILE && raiseLimit()) { continue }
      throw .unreadable(path: path, reason: "cannot open: \(lastError)")
    }
  }

  /// Raises the limit of open files, for a run with many LoRAs; false if it is already at its maximum.
  private static func raiseLimit() -> Bool {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < limit.rlim_max else {
      return false
    }
    limit.rlim_cur = limit.rlim_max
    return setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
  }

  private static func read(
    _ descriptor: Int32, _ range: Range<Int>, path: String
  ) throws(TensorFileError) -> [UInt8] {
    var failure: TensorFileError?
    let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, initialized in
      guard let start = buffer.baseAddress else { return }
      do throws(TensorFileError) {
        try read(descriptor, range, into: start, path: path)
        initialized = range.count
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }

  private static func read(
    _ descriptor: Int32, _ range: Range<Int>, into destination: UnsafeMutableRawPointer, path: String
  ) throws(TensorFileError) {
    var done = 0
    while done < range.count {
      let count = pread(descriptor, destination + done, range.count - done, off_t(range.lowerBound + done))
      if count > 0 {
        done += count
      } else if count == 0 {
        // The file was long enough when it was opened.
        throw .changed(path: path)
      } else if errno != EINTR {
        throw .unreadable(path: path, reason: "cannot read: \(lastError)")
      }
    }
  }

  static var lastError: String { String(cString: strerror(errno)) }
}
