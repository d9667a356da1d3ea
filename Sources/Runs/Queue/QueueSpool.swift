import Foundation
import Text

/// A folder for recipes and requests: a file that is moved into it becomes an entry of the queue.
///
/// A file is taken by renaming it to `.taken/HOST-ID/NAME` in the same folder, so only one of several machines gets it. If a
/// process was killed before it wrote the entry of a file that it had taken, a later process writes it. When the entry ends,
/// the file moves to `done/`.
public struct QueueSpool: Sendable {
  /// The absolute path.
  public let path: String
  private let queue: QueueFolder
  private let disk: Disk

  private static let suffixes = [".yaml", ".yml", ".json", ".jsonl"]

  /// A spool folder.
  ///
  /// - Parameters:
  ///   - path: The folder; absolute.
  ///   - queue: The queue to which its files are added.
  ///   - disk: The disk.
  public init(_ path: String, into queue: QueueFolder, on disk: Disk = Disk()) {
    (self.path, self.queue, self.disk) = (path, queue, disk)
  }

  private var taken: String { path + "/.taken" }

  /// Creates the folder and its parts, and adds files that earlier processes took without adding them.
  ///
  /// - Parameter folder: The folder that relative output paths refer to.
  /// - Throws: `RunError.notWritten`.
  public func prepare(in folder: String) throws {
    for part in ["", "/urgent", "/.taken", "/done"] { try disk.makeFolder(path + part) }
    try queue.withLock {
      for (id, name) in try takenFiles() where !queue.knows(id) { try add(id, name, folder) }
    }
  }

  /// The files that this machine took, by the numbers of their entries.
  private func takenFiles() throws -> [(id: Int, path: String)] {
    try AtomicFile.names(in: taken).compactMap { name in
      guard name.hasPrefix(Self.host + "-"), let id = Int(name.dropFirst(Self.host.count + 1)), id > 0,
        let file = try AtomicFile.names(in: "\(taken)/\(name)").first
      else { return nil }
      return (id, "\(taken)/\(name)/\(file)")
    }
  }

  /// A name for this machine that a folder can have.
  private static let host = String(
    ProcessInfo.processInfo.hostName.prefix(80).map { $0.isLetter || $0.isNumber || $0 == "." ? $0 : "_" })

  /// Takes the files in the folder, oldest first.
  ///
  /// - Parameter folder: The folder that relative output paths refer to.
  /// - Returns: How many were taken.
  /// - Throws: `RunError`.
  public func take(in folder: String) throws -> Int {
    let files = try waiting()
    if files.isEmpty { return 0 }
    return try queue.withLock {
      var count = 0
      for file in files {
        // A number is also in use if its file was taken but its entry was not written.
        var id = try queue.newID()
        while access("\(taken)/\(Self.host)-\(id)", F_OK) == 0 { id += 1 }
        let place = "\(taken)/\(Self.host)-\(id)"
        try disk.makeFolder(place)
        let target = "\(place)/\((file as NSString).lastPathComponent)"
        do {
          try disk.rename(file, to: target)
        } catch RunError.notWritten(_, _, ENOENT) {
          // Another machine was faster, or a user removed the file.
          rmdir(place)
          continue
        }
        try disk.synchroniseFolder(place)
        try disk.synchroniseFolder((file as NSString).deletingLastPathComponent)
        try add(id, target, folder, isUrgent: file.hasPrefix(path + "/urgent/"))
        count += 1
      }
      return count
    }
  }

  private func add(_ id: Int, _ file: String, _ folder: String, isUrgent: Bool = false) throws {
    try queue.addSpooled(id, file, spool: path, folder: folder, priority: isUrgent ? .urgent : .normal)
  }

  /// The files to take, urgent files first.
  private func waiting() throws -> [String] {
    var files: [(isUrgent: Bool, time: Int64, path: String)] = []
    for folder in [path + "/urgent", path] {
      for name in (try? AtomicFile.names(in: folder)) ?? []
      where !name.hasPrefix(".") && Self.suffixes.contains(where: name.hasSuffix) {
        var status = stat()
        guard lstat("\(folder)/\(name)", &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
        let time = Int64(status.st_ctim.tv_sec) * 1_000_000_000 + Int64(status.st_ctim.tv_nsec)
        files.append((folder != path, time, "\(folder)/\(name)"))
      }
    }
    return files.sorted { ($0.isUrgent ? 0 : 1, $0.time, $0.path) < ($1.isUrgent ? 0 : 1, $1.time, $1.path) }.map(
      \.path)
  }

  /// Moves the file of an entry that has ended to `done/`.
  static func clear(_ entry: QueueEntry, on disk: Disk) throws {
    guard let spool = entry.spool else { return }
    let done = spool + "/done"
    let name = (entry.path as NSString).lastPathComponent
    if access(entry.path, F_OK) == 0 {
      try disk.makeFolder(done)
      let target = access("\(done)/\(name)", F_OK) == 0 ? "\(done)/\(entry.id)-\(name)" : "\(done)/\(name)"
      try disk.rename(entry.path, to: target)
      try disk.synchroniseFolder(done)
    }
    rmdir((entry.path as NSString).deletingLastPathComponent)
  }
}
