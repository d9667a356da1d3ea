import Foundation
import Text

/// The right to work in a run folder. Only one process has it at a time, and it is released when that process ends.
///
/// It is an `flock` on a file that stays; the text in the file is for people.
public final class RunLock {
  /// The folder that is held.
  public let folder: RunFolder
  private let descriptor: Int32

  /// Takes the lock; creates the folder if it does not exist.
  ///
  /// - Parameters:
  ///   - folder: The run folder.
  ///   - patience: How long to wait for another process to finish.
  ///   - disk: The disk.
  ///   - stopRequest: Asked during the wait, which ends when this returns a reason.
  ///   - isWaiting: Called once if there is a wait, with the text that the other process wrote into the lock.
  /// - Throws: `RunError.folderInUse` if another process still has the lock, `RunError.notWritten` if the folder cannot be
  ///   written, `StopRequested` if a stop was requested during the wait.
  public init(
    _ folder: RunFolder, patience: Duration = .zero, on disk: Disk = Disk(), stopRequest: () -> StopReason? = { nil },
    isWaiting: (_ owner: String) -> Void = { _ in }
  ) throws {
    self.folder = folder
    let started = ContinuousClock.now
    try disk.makeFolder(folder.path)
    var descriptor = try Self.open(folder, started, patience, disk, stopRequest, isWaiting)
    // Another process may have replaced the folder during the wait.
    while !Self.isSame(descriptor, folder.lock) {
      close(descriptor)
      try disk.makeFolder(folder.path)
      descriptor = try Self.open(folder, started, patience, disk, stopRequest, isWaiting)
    }
    self.descriptor = descriptor
    let text = "host \(ProcessInfo.processInfo.hostName), pid \(getpid()), started \(Timestamp.now().iso)\n"
    try disk.truncate(descriptor, to: 0, path: folder.lock)
    try disk.write(Array(text.utf8), to: descriptor, path: folder.lock)
  }

  /// Opens the file and locks it, with a wait of at most `patience`.
  private static func open(
    _ folder: RunFolder, _ started: ContinuousClock.Instant, _ patience: Duration, _ disk: Disk,
    _ stopRequest: () -> StopReason?, _ isWaiting: (_ owner: String) -> Void
  ) throws -> Int32 {
    let descriptor = try disk.step(.create, folder.lock) {
      Glibc.open(folder.lock, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    }
    do {
      var isTold = false
      while try !take(descriptor, LOCK_EX, path: folder.lock) {
        let waited = ContinuousClock.now - started
        // `status` shares the lock for a very short time to see whether it is free. A run must not fail because of that, even
        // if the system suspends `status` at that moment.
        if try take(descriptor, LOCK_SH, path: folder.lock) {
          flock(descriptor, LOCK_UN)
          if waited < max(patience, .seconds(60)) {
            usleep(1000)
            continue
          }
        }
        if waited >= patience {
          throw RunError.folderInUse(path: folder.path, owner: owner(of: folder))
        }
        if let reason = stopRequest() { throw StopRequested(reason) }
        if !isTold {
          isTold = true
          isWaiting(owner(of: folder))
        }
        usleep(waited < .seconds(1) ? 10_000 : 100_000)
      }
    } catch {
      close(descriptor)
      throw error
    }
    return descriptor
  }

  /// Checks that the folder is still the one that was locked, and was not replaced by another process.
  ///
  /// - Throws: `RunError.folderLost`.
  public func check() throws {
    if !isHeld { throw RunError.folderLost(path: folder.path) }
  }

  /// Whether the folder is still the one that was locked.
  public var isHeld: Bool { Self.isSame(descriptor, folder.lock) }

  private static func isSame(_ descriptor: Int32, _ path: String) -> Bool {
    var (open, named) = (stat(), stat())
    return fstat(descriptor, &open) == 0 && stat(path, &named) == 0 && open.st_dev == named.st_dev
      && open.st_ino == named.st_ino
  }

  /// Takes the lock of an existing run.
  ///
  /// - Parameters:
  ///   - folder: The run folder.
  ///   - patience: How long to wait for another process to finish.
  ///   - disk: The disk.
  /// - Throws: `RunError`: `noRun` if there is no plan, `folderInUse` if another process has the lock.
  public convenience init(existing folder: RunFolder, patience: Duration = .zero, on disk: Disk = Disk()) throws {
    try folder.checkIsRun()
    try self.init(folder, patience: patience, on: disk)
  }

  deinit { close(descriptor) }

  /// The text that the process that uses the folder wrote into the lock; nil if the folder is free.
  ///
  /// - Parameter folder: A run folder, which may be read-only or missing.
  /// - Returns: Host, process and start; an empty text if the holder has not written it yet.
  public static func holder(of folder: RunFolder) -> String? {
    let descriptor = uninterrupted { Glibc.open(folder.lock, O_RDONLY | O_CLOEXEC) }
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    guard let isFree = try? take(descriptor, LOCK_SH, path: folder.lock), !isFree else { return nil }
    return owner(of: folder)
  }

  private static func owner(of folder: RunFolder) -> String {
    let bytes = (try? FileReader.bytes(of: folder.lock)) ?? []
    return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
  }

  private static func take(_ descriptor: Int32, _ kind: Int32, path: String) throws(RunError) -> Bool {
    while flock(descriptor, kind | LOCK_NB) != 0 {
      if errno == EWOULDBLOCK { return false }
      if errno != EINTR { throw .notWritten(path: path, action: .lock, code: errno) }
    }
    return true
  }
}
