import Foundation
import Text

/// A file's bytes, mapped into memory for reading.
///
/// If another process shortens the file while it is mapped, reading the lost pages kills this process. Call
/// `requireUnchanged` before reading to find that out.
// Sendable because the mapping is read-only and keeps its address until the last reference is gone.
package final class MappedFile: @unchecked Sendable {
  /// The path that the file was opened by.
  package let path: String
  /// The whole file.
  package let bytes: UnsafeRawBufferPointer
  private let state: State

  /// The properties by which a file that was written to is recognised.
  private struct State: Equatable {
    var device: UInt
    var number: UInt
    var size: Int
    /// The time of modification, since 1970.
    var nanoseconds: Int

    init(_ status: stat) {
      device = UInt(status.st_dev)
      number = UInt(status.st_ino)
      size = Int(status.st_size)
      nanoseconds = Int(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int(status.st_mtim.tv_nsec)
    }

    func isSameFile(_ other: State) -> Bool { device == other.device && number == other.number }
  }

  /// Maps the whole of the regular file at `path`.
  package init(path: String) throws(TensorFileError) {
    self.path = path
    let (descriptor, size) = try Self.open(path)
    defer { close(descriptor) }
    var status = stat()
    fstat(descriptor, &status)
    state = State(status)
    guard size > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
      throw .unreadable(path: path, reason: "cannot map the file: \(Self.lastError)")
    }
    bytes = UnsafeRawBufferPointer(start: start, count: size)
  }

  deinit {
    if let start = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: start), bytes.count) }
  }

  /// Throws `TensorFileError.changed` if the file was written to since it was opened.
  ///
  /// A file that was removed, or replaced by another of the same name, counts as unchanged: the mapping still has it.
  package func requireUnchanged() throws(TensorFileError) {
    var status = stat()
    guard stat(path, &status) == 0 else { return }
    let now = State(status)
    if now.isSameFile(state), now != state { throw .changed(path: path) }
  }

  /// Lets the system drop these bytes from memory; reading them again reads the file again.
  func releasePages(_ range: Range<Int>) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    guard page > 0, let start = bytes.baseAddress else { return }
    // Pages that are shared with a neighbouring tensor stay, because that may be in use.
    let first = (range.lowerBound + page - 1) / page * page
    let last = range.upperBound / page * page
    if first < last { madvise(UnsafeMutableRawPointer(mutating: start + first), last - first, MADV_DONTNEED) }
  }

  /// Opens a regular file for reading. Returns its descriptor, which the caller closes, and its size.
  static func open(_ path: String) throws(TensorFileError) -> (descriptor: Int32, size: Int) {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    let descriptor = uninterrupted { Foundation.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
    guard descriptor >= 0 else { throw .unreadable(path: path, reason: "cannot open: \(lastError)") }
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

  static var lastError: String { String(cString: strerror(errno)) }
}
