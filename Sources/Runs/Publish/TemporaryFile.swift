import Foundation
import Hashing
import Synchronization
import Text

/// The names that files have while they are written, before they get their final names, and the removal of files that killed
/// processes left.
///
/// A process that writes a temporary file locks it, so that others can see whether that process still runs: the system releases
/// the lock when the process ends, for every reason.
package enum TemporaryFile {
  // MARK: Names

  /// The name of a file while it is written; no two processes use the same name.
  ///
  /// `.plan.jsonl.1234.tmp`; for a process that shares the folder, `.plan.jsonl.1234-MACHINE-TOKEN-5.shard.tmp`.
  static func name(of path: String, on disk: Disk) -> String {
    let path = path as NSString
    let (folder, name) = (path.deletingLastPathComponent, path.lastPathComponent)
    guard disk.isShared else { return "\(folder)/.\(name).\(getpid())\(suffix)" }
    // Processes on several machines may have the same number, and threads of one process may write the same file at once.
    let number = count.wrappingAdd(1, ordering: .relaxed).newValue
    return "\(folder)/.\(name).\(getpid())-\(machine)-\(token)-\(number)\(sharedSuffix)"
  }

  /// Whether a file with this name is being written, or is what a killed process left.
  ///
  /// Other programs have temporary files too, so the part before the number has to be a name that this program writes.
  static func isOne(_ name: String, of isWritten: (String) -> Bool) -> Bool {
    guard let (target, _) = parts(of: name) else { return false }
    return isWritten(target)
  }

  private static func parts(of name: String) -> (target: String, process: [Substring])? {
    guard name.hasPrefix("."), name.hasSuffix(suffix) else { return nil }
    let isShared = name.hasSuffix(sharedSuffix)
    let parts = name.dropFirst().dropLast(isShared ? sharedSuffix.count : suffix.count)
    guard let dot = parts.lastIndex(of: ".") else { return nil }
    let process = parts[parts.index(after: dot)...]
    guard process.utf8.first.map(isDigit) == true,
      process.utf8.allSatisfy({ isDigit($0) || isShared && ($0 == UInt8(ascii: "-") || isLetter($0)) })
    else { return nil }
    return (String(parts[..<dot]), process.split(separator: "-", omittingEmptySubsequences: false))
  }

  private static func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }
  private static func isLetter(_ byte: UInt8) -> Bool { UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte }

  private static let count = Atomic<Int>(0)
  private static let token = String(UInt64.random(in: .min ... .max), radix: 36)
  private static let suffix = ".tmp"
  private static let sharedSuffix = ".shard.tmp"

  /// The running system, which sees the locks of all its processes. On network file systems, locks of other machines may be
  /// invisible, so the age of other machines' files decides.
  static let machine: String = {
    let boot = (try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)) ?? token
    let digest = SHA256.hash(Data(boot.utf8))
    return String(digest.prefix(6).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }, radix: 36)
  }()

  // MARK: Locks

  /// Locks a temporary file that was just opened, until the returned descriptor is closed.
  ///
  /// - Parameters:
  ///   - descriptor: The open file.
  ///   - path: Its name.
  ///   - kind: `LOCK_EX`, or `LOCK_SH` for a file that is open for reading.
  /// - Returns: A descriptor of the same open file, which holds the lock after the other one is closed; nil if another process
  ///   took the file for a leftover and removed it at this moment.
  /// - Throws: `RunError.notWritten` if the system has no descriptor left.
  static func lock(_ descriptor: Int32, _ path: String, _ kind: Int32 = LOCK_EX) throws(RunError) -> Int32? {
    let holder = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
    guard holder >= 0 else { throw .notWritten(path: path, action: .lock, code: errno) }
    // Others try the lock for a very short time to see whether it is free. Some file systems have no locks: there, age decides.
    var tries = 0
    while uninterrupted({ flock(holder, kind | LOCK_NB) }) != 0, errno == EWOULDBLOCK, tries < 500 {
      tries += 1
      usleep(1000)
    }
    if isSame(holder, path) { return holder }
    close(holder)
    return nil
  }

  private static func isSame(_ descriptor: Int32, _ path: String) -> Bool {
    var (open, named) = (stat(), stat())
    return fstat(descriptor, &open) == 0 && lstat(path, &named) == 0 && open.st_dev == named.st_dev
      && open.st_ino == named.st_ino
  }

  // MARK: Leftovers

  /// Whether no process writes a temporary file any more.
  static func isLeftover(_ path: String) -> Bool { withLeftover(path) { true } ?? false }

  /// Calls `body` if no process writes a temporary file any more, and prevents others from writing it during the call.
  private static func withLeftover<Result>(_ path: String, _ body: () throws -> Result) rethrows -> Result? {
    guard let (_, process) = parts(of: (path as NSString).lastPathComponent) else { return nil }
    let isShared = path.hasSuffix(sharedSuffix)
    // A lock on a network file system needs a file that is open for writing.
    let descriptor = uninterrupted { open(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC) }
    defer { if descriptor >= 0 { close(descriptor) } }
    var isLocked = false
    if descriptor >= 0 {
      isLocked = uninterrupted { flock(descriptor, LOCK_EX | LOCK_NB) } == 0
      if !isLocked, errno == EWOULDBLOCK { return nil }
    }
    // A process that is alone in the folder wrote all files that do not belong to shards.
    guard !isShared || isLocked && process.count == 4 && process[1] == machine || isOld(path) else { return nil }
    return try body()
  }

  /// Whether a file was last written or named more than a day ago; no file that is being written is that old. A day, since
  /// clocks of machines may differ.
  private static func isOld(_ path: String) -> Bool {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return false }
    // A second name does not change the time of the last write.
    let changed = status.st_nlink > 1 ? status.st_ctim.tv_sec : status.st_mtim.tv_sec
    return Timestamp.now().milliseconds / 1000 - Int64(changed) > 24 * 3600
  }

  /// Removes the temporary files that killed processes left in a folder; does nothing if there is no such folder.
  ///
  /// - Parameters:
  ///   - folder: A folder. Unless the disk is shared, only shards may be writing in it; if it is shared, only files of
  ///     processes that share it are removed.
  ///   - isWritten: Whether this program writes a file of this name in the folder.
  ///   - disk: The disk.
  /// - Throws: `RunError` if the folder cannot be read or a file cannot be removed.
  package static func removeLeftovers(
    in folder: String, of isWritten: (String) -> Bool = RunFileName.isWritten, on disk: Disk
  ) throws {
    if access(folder, F_OK) != 0, errno == ENOENT { return }
    for name in try AtomicFile.names(in: folder)
    where isOne(name, of: isWritten) && (!disk.isShared || name.hasSuffix(sharedSuffix)) {
      try withLeftover("\(folder)/\(name)") { try disk.remove("\(folder)/\(name)") }
    }
  }
}

extension RunFolder {
  /// Removes the temporary files that killed processes left in the folder and in the folders in it.
  ///
  /// - Parameter disk: The disk; shared unless the lock of the folder is held.
  /// - Throws: `RunError`.
  func removeLeftovers(on disk: Disk) throws {
    try TemporaryFile.removeLeftovers(in: path, of: RunFileName.isOfRun, on: disk)
    for folder in RunFileName.folders.sorted() {
      for path in RunFolder.folders(in: file(folder)) {
        try TemporaryFile.removeLeftovers(in: path.isEmpty ? file(folder) : "\(file(folder))/\(path)", on: disk)
      }
    }
  }
}
