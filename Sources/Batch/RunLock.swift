import Foundation

/// The right to work in a run folder: one process has it at a time, and losing the process gives it back.
///
/// An `flock` on a file that stays; what is written in it is for people to read.
public final class RunLock {
  /// The folder that is held.
  public let folder: RunFolder
  private let descriptor: Int32

  /// Takes the lock, making the folder if it is not there.
  ///
  /// - Parameters:
  ///   - folder: The run folder.
  ///   - patience: How long to wait for another process to finish.
  ///   - disk: The disk.
  /// - Throws: `BatchError.folderInUse` if another process has it still, `BatchError.notWritten` if the folder cannot
  ///   be written.
  public init(_ folder: RunFolder, patience: Duration = .zero, on disk: Disk = Disk()) throws {
    self.folder = folder
    try disk.makeFolder(folder.path)
    let descriptor = try disk.step(.create, folder.lock) {
      open(folder.lock, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    }
    do {
      // `status` holds the lock for an instant to see whether it is free, and must not turn a run away.
      let deadline = ContinuousClock.now + max(patience, .milliseconds(200))
      while try !Self.take(descriptor, LOCK_EX, path: folder.lock) {
        if ContinuousClock.now >= deadline {
          throw BatchError.folderInUse(path: folder.path, owner: Self.owner(of: folder))
        }
        usleep(10_000)
      }
      let text = "host \(ProcessInfo.processInfo.hostName), pid \(getpid()), started \(Timestamp.now().iso)\n"
      try disk.truncate(descriptor, to: 0, path: folder.lock)
      try disk.write(Array(text.utf8), to: descriptor, path: folder.lock)
    } catch {
      close(descriptor)
      throw error
    }
    self.descriptor = descriptor
  }

  /// Takes the lock of a run that is there.
  ///
  /// - Parameters:
  ///   - folder: The run folder.
  ///   - disk: The disk.
  /// - Throws: `BatchError`: `noRun` where there is no plan, `folderInUse` if another process has the lock.
  public convenience init(existing folder: RunFolder, on disk: Disk = Disk()) throws {
    guard access(folder.plan, F_OK) == 0 else { throw BatchError.noRun(path: folder.path) }
    try self.init(folder, on: disk)
  }

  deinit { close(descriptor) }

  /// Who holds the folder: what the process wrote into the lock; nothing if it is free.
  ///
  /// - Parameter folder: A run folder, which may be read-only or missing.
  /// - Returns: Host, process and start, or an empty text if the holder has not written it yet.
  public static func holder(of folder: RunFolder) -> String? {
    let descriptor = open(folder.lock, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    guard let isFree = try? take(descriptor, LOCK_SH, path: folder.lock), !isFree else { return nil }
    return owner(of: folder)
  }

  private static func owner(of folder: RunFolder) -> String {
    let bytes = (try? FileReader.bytes(of: folder.lock)) ?? []
    return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
  }

  private static func take(_ descriptor: Int32, _ kind: Int32, path: String) throws(BatchError) -> Bool {
    while flock(descriptor, kind | LOCK_NB) != 0 {
      if errno == EWOULDBLOCK { return false }
      if errno != EINTR { throw .notWritten(path: path, action: .lock, code: errno) }
    }
    return true
  }
}
