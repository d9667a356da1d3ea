import Foundation
import Text

/// Every change that a run makes on the disk goes through this type, one named step at a time.
///
/// Tests add an observer that ends the process at any step or makes any step fail.
public struct Disk: Sendable {
  /// What a step does; the raw value completes "cannot ...".
  public enum Action: String, Sendable {
    case makeFolder = "create the folder"
    case create = "create"
    case write = "write to"
    case synchronise = "flush to disk"
    case close = "finish writing"
    case rename = "rename the finished file to"
    case link = "link the finished file to"
    case synchroniseFolder = "flush to disk the folder"
    case truncate = "cut the unfinished last line of"
    case remove = "remove"
    case lock = "lock"
  }

  /// One step, before it happens.
  public struct Step: Hashable, Sendable {
    /// What will happen.
    public var action: Action
    /// Its file or folder; for `rename`, the new name.
    public var path: String
    /// For `rename`, the old name.
    public var oldPath: String?
    /// For `write`, all bytes to write.
    public var bytes: [UInt8] = []
    /// The open file, if there is one.
    public var descriptor: Int32?
  }

  private let beforeStep: (@Sendable (Step) throws -> Void)?
  /// Whether other processes write in the same folders at the same time.
  let isShared: Bool

  /// The disk.
  ///
  /// - Parameters:
  ///   - isShared: Whether other processes write in the same folders at the same time, as shards do.
  ///   - beforeStep: Called before every step; the step is not taken if this throws.
  public init(isShared: Bool = false, beforeStep: (@Sendable (Step) throws -> Void)? = nil) {
    self.isShared = isShared
    self.beforeStep = beforeStep
  }

  /// The same disk for a process that shares the folders with others.
  var shared: Disk { Disk(isShared: true, beforeStep: beforeStep) }

  /// Creates a folder and the missing folders above it. Each is durable before the next one is created.
  package func makeFolder(_ path: String) throws {
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { return }
    let parent = (path as NSString).deletingLastPathComponent
    if !parent.isEmpty, parent != path { try makeFolder(parent) }
    try makeFolder(path, in: parent)
  }

  /// Creates the folder of a file and those above it, up to a folder that must exist: without that folder, nothing is created.
  ///
  /// - Parameters:
  ///   - file: The path of the file.
  ///   - root: The folder that must exist.
  /// - Throws: `RunError`.
  func makeFolder(ofFile file: String, below root: String) throws {
    let path = (file as NSString).deletingLastPathComponent
    guard path.hasPrefix(root + "/"), access(path, F_OK) != 0 else { return }
    try makeFolder(ofFile: path, below: root)
    try makeFolder(path, in: (path as NSString).deletingLastPathComponent)
  }

  private func makeFolder(_ path: String, in parent: String) throws {
    var status = stat()
    try step(.makeFolder, path) { mkdir(path, 0o777) == 0 || errno == EEXIST ? 0 : -1 }
    if stat(path, &status) != 0 || status.st_mode & S_IFMT != S_IFDIR {
      throw RunError.notWritten(path: path, action: .makeFolder, code: ENOTDIR)
    }
    try synchroniseFolder(parent.isEmpty ? "." : parent)
  }

  /// Opens a file for writing, with additional `flags`.
  package func open(_ path: String, flags: Int32) throws -> Int32 {
    // Without O_NONBLOCK, opening a named pipe would wait for a reader.
    try step(.create, path) { Glibc.open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | flags, 0o666) }
  }

  /// Writes all the bytes, with as many system calls as that needs.
  package func write(_ bytes: [UInt8], to descriptor: Int32, path: String) throws {
    try step(Step(action: .write, path: path, bytes: bytes, descriptor: descriptor)) {
      bytes.withUnsafeBytes { bytes in
        var rest = bytes[...]
        while !rest.isEmpty {
          let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
          if count < 0, errno == EINTR { continue }
          if count < 0 { return -1 }
          rest = rest.dropFirst(count)
        }
        return 0
      }
    }
  }

  package func synchronise(_ descriptor: Int32, path: String) throws {
    try step(Step(action: .synchronise, path: path, descriptor: descriptor)) { fsync(descriptor) }
  }

  /// Closes a file even after an error; some file systems report a failed write only now.
  package func close(_ descriptor: Int32, path: String) throws {
    var isOpen = true
    defer { if isOpen { Glibc.close(descriptor) } }
    try step(Step(action: .close, path: path, descriptor: descriptor)) {
      isOpen = false
      // The file is closed even if a signal interrupted the call.
      return Glibc.close(descriptor) == 0 || errno == EINTR ? 0 : -1
    }
  }

  package func truncate(_ descriptor: Int32, to length: Int64, path: String) throws {
    try step(Step(action: .truncate, path: path, descriptor: descriptor)) { ftruncate(descriptor, off_t(length)) }
  }

  func rename(_ path: String, to newPath: String) throws {
    try step(Step(action: .rename, path: newPath, oldPath: path)) { Glibc.rename(path, newPath) }
  }

  /// Gives a file a second name, and returns whether that name was free.
  func link(_ path: String, to newPath: String) throws -> Bool {
    var isFree = true
    try step(Step(action: .link, path: newPath, oldPath: path)) {
      if Glibc.link(path, newPath) == 0 { return 0 }
      if errno == EEXIST {
        // A network may have lost the reply to a request that was carried out.
        var (own, other) = (stat(), stat())
        isFree =
          stat(path, &own) == 0 && stat(newPath, &other) == 0 && own.st_dev == other.st_dev
          && own.st_ino == other.st_ino
        return 0
      }
      // Where no file can have two names, the last writer wins, which is fine for equal files.
      return errno == EPERM || errno == ENOTSUP || errno == EMLINK ? Glibc.rename(path, newPath) : -1
    }
    return isFree
  }

  /// Gives an existing file a second name that is free.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - newPath: The name.
  /// - Returns: False if there is no such file, or if it cannot have that name, for example on another file system.
  /// - Throws: What the observer throws.
  func linkExisting(_ path: String, to newPath: String) throws -> Bool {
    var isLinked = false
    try step(Step(action: .link, path: newPath, oldPath: path)) {
      isLinked = uninterrupted { Glibc.link(path, newPath) } == 0
      return 0
    }
    return isLinked
  }

  package func remove(_ path: String) throws {
    try step(.remove, path) { unlink(path) == 0 || errno == ENOENT ? 0 : -1 }
  }

  /// Removes a folder if it is empty.
  ///
  /// - Parameter path: The folder.
  /// - Returns: Whether it was removed; false if the folder is not empty.
  /// - Throws: `RunError.notWritten`, or what the observer throws.
  func removeEmptyFolder(_ path: String) throws -> Bool {
    var isRemoved = false
    try step(.remove, path) {
      isRemoved = rmdir(path) == 0
      return 0
    }
    return isRemoved
  }

  /// Makes the names in a folder durable.
  package func synchroniseFolder(_ path: String) throws {
    try step(.synchroniseFolder, path) {
      let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      guard descriptor >= 0 else { return -1 }
      defer { Glibc.close(descriptor) }
      // Some network file systems do not support this, and do not need it.
      return fsync(descriptor) == 0 || errno == EINVAL || errno == ENOTSUP ? 0 : -1
    }
  }

  /// Takes one step, and repeats it if a signal interrupts it.
  ///
  /// - Parameters:
  ///   - action: What it does.
  ///   - path: Its file.
  ///   - body: Does it; if it cannot, it returns a negative number and sets `errno`.
  /// - Returns: What `body` returned.
  /// - Throws: `RunError.notWritten`, or what the observer throws.
  @discardableResult
  func step(_ action: Action, _ path: String, _ body: () -> Int32) throws -> Int32 {
    try step(Step(action: action, path: path), body)
  }

  @discardableResult
  private func step(_ step: Step, _ body: () -> Int32) throws -> Int32 {
    try beforeStep?(step)
    while true {
      let result = body()
      if result >= 0 { return result }
      let code = errno
      if code != EINTR { throw RunError.notWritten(path: step.path, action: step.action, code: code) }
    }
  }
}
