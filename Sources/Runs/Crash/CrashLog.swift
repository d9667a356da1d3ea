import CCrashNotes
import Foundation
import Settings

/// Fatal signals (SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGABRT, SIGFPE) write down which job was being done before they end the
/// process. SIGKILL and power cuts are not noted, since no job causes them.
public enum CrashSignals {
  /// Handles these signals from now on.
  public static func install() { crash_notes_install() }
}

/// `crashes.log`, and one such file for each shard: one line for each time that a job ended the process, and one line when the
/// job was done later.
///
/// A signal handler writes the file, so a line is just `<identity> <signal>`; other lines are ignored.
struct CrashLog {
  /// A job that crashed the process this many times is not tried again.
  static let limit = 2
  private static let done = "done"

  private var signals: [JobID: [String]] = [:]
  /// The names of the files with crashes.
  private let names: [String]

  /// Reads the files; missing ones are empty.
  init(_ folder: RunFolder) throws {
    let found = ((try? AtomicFile.names(in: folder.path)) ?? []).filter {
      $0.hasPrefix("crashes") && $0.hasSuffix(".log")
    }
    names = found.sorted()
    for name in names {
      do {
        try FileReader.forEachLine(of: folder.file(name)) { _, line, isWhole in
          let words = String(decoding: line, as: UTF8.self).split(separator: " ")
          guard isWhole, words.count == 2, let id = JobID(words[0]) else { return }
          if words[1] == Self.done { signals[id] = nil } else { signals[id, default: []].append(String(words[1])) }
        }
      } catch RunError.notRead(_, let code) where code == ENOENT {}
    }
  }

  /// The signals with which a job ended the process since it was last done.
  func signals(_ id: JobID) -> [String] { signals[id] ?? [] }

  /// Why a job must not be tried; nil if it may be tried.
  func verdict(_ id: JobID) -> String? {
    let signals = signals(id)
    guard signals.count >= Self.limit else { return nil }
    return """
      it crashed the program \(signals.count) times (\(signals.joined(separator: ", "))) and is not tried again; \
      to try it again, remove \(names.joined(separator: ", "))
      """
  }

  /// The line that cancels a job's crashes.
  static func doneLine(_ id: JobID) -> [UInt8] { Array("\(id) \(done)\n".utf8) }
}

/// Keeps `crashes.log` open while jobs are done, so that the handler only has to write.
final class CrashWatch {
  private let path: String
  private let disk: Disk
  private let descriptor: Int32

  init(_ folder: RunFolder, shard: Shard?, on disk: Disk) throws {
    path = Self.path(folder, shard)
    self.disk = disk
    descriptor = try disk.open(path, flags: O_CREAT | O_APPEND)
  }

  deinit {
    crash_notes_disarm()
    close(descriptor)
  }

  /// Does the work of a job; a fatal signal during the work is noted for this job.
  func watch<Result>(_ id: JobID, _ body: () throws -> Result) rethrows -> Result {
    crash_notes_arm(descriptor, id.description)
    defer { crash_notes_disarm() }
    return try body()
  }

  /// Notes that a job was done after its crashes.
  func forgive(_ id: JobID) throws {
    try disk.write(CrashLog.doneLine(id), to: descriptor, path: path)
    try disk.synchronise(descriptor, path: path)
  }

  private static func path(_ folder: RunFolder, _ shard: Shard?) -> String {
    shard.map { folder.file("crashes-\($0.label).log") } ?? folder.crashes
  }

  /// Removes the file if it is empty.
  static func tidy(_ folder: RunFolder, shard: Shard?, on disk: Disk) throws {
    let path = path(folder, shard)
    var status = stat()
    if lstat(path, &status) == 0, status.st_size == 0 { try disk.remove(path) }
  }
}
