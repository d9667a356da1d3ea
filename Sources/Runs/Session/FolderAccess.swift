import Foundation

/// How a run may use its folder: alone, or together with other processes.
enum FolderAccess {
  /// The folder is locked: no other process writes in it.
  case exclusive(RunLock)
  /// At the same time, other processes do other parts of the plan, or even the same part, perhaps on other machines.
  case shared(Shard, RunFolder)

  var folder: RunFolder {
    switch self {
    case .exclusive(let lock): lock.folder
    case .shared(_, let folder): folder
    }
  }

  /// The part of the plan to do; nil for all of it.
  var shard: Shard? {
    if case .shared(let shard, _) = self { shard } else { nil }
  }

  /// Checks that the folder is still the one in which the run began.
  ///
  /// Throws `RunError.folderLost`.
  func check() throws {
    if case .exclusive(let lock) = self { try lock.check() }
  }

  /// The journal to write.
  func journal(on disk: Disk) throws -> Journal {
    switch self {
    case .exclusive(let lock): try Journal(lock.folder, on: disk)
    case .shared(let shard, let folder): try Journal(folder, shard: shard, on: disk)
    }
  }

  /// The path of the trace to write: for a shard, its name ends with the number of its journal.
  func trace(_ journal: Journal) throws -> String {
    guard let shard else { return folder.trace }
    return folder.file("trace-\(shard.label)-\(try journal.startNumber()).tsv")
  }
}
