import Foundation

/// A file's bytes, mapped into memory for reading.
///
/// A file that another process shortens while it is mapped ends this process when the lost pages are read:
/// `requireUnchanged` finds that out before.
// Sendable because the mapping is read-only and stays at its place until the last reference goes.
final class MappedFile: @unchecked Sendable {
  let path: String
  let bytes: UnsafeRawBufferPointer
  private let state: State

  /// What tells a file that was written to.
  private struct State: Equatable {
    var device: UInt
    var number: UInt
    var size: Int
    /// Since 1970.
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
  init(path: String) throws(WeightError) {
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

  /// Throws `WeightError.changed` if the file was written to since it was opened.
  ///
  /// A file that was removed, or replaced by another of its name, is still the same in here.
  func requireUnchanged() throws(WeightError) {
    var status = stat()
    guard stat(path, &status) == 0 else { return }
    let now = State(status)
    if now.isSameFile(state), now != state { throw .changed(path: path) }
  }

  /// Tells the system that these bytes are not needed in memory for now; reading them again reads the file again.
  func releasePages(_ range: Range<Int>) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    guard page > 0, let start = bytes.baseAddress else { return }
    // Pages that are shared with a neighbour stay: it may be in use.
    let first = (range.lowerBound + page - 1) / page * page
    let last = range.upperBound / page * page
    if first < last { madvise(UnsafeMutableRawPointer(mutating: start + first), last - first, MADV_DONTNEED) }
  }

  /// Opens a regular file for reading: its descriptor, which the caller closes, and its size.
  static func open(_ path: String) throws(WeightError) -> (descriptor: Int32, size: Int) {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    let descriptor = Foundation.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
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
