import Foundation
import JSON
import Text

/// The queue of a user: `$XDG_STATE_HOME/sdbatch/queue` (`~/.local/state` by default).
///
/// Each entry is a file in `entries/`, which is complete or absent. When an entry ends, first its result is written to `done/`,
/// then its file is removed; an entry with a result has ended, even after a kill. All changes are made with a lock, so several
/// shells may use the queue at once.
public struct QueueFolder: Sendable {
  /// The absolute path.
  public let path: String
  private let disk: Disk

  /// How many results are kept.
  static let resultLimit = 200

  /// The queue of the user with these environment variables.
  ///
  /// - Parameters:
  ///   - environment: `XDG_STATE_HOME` and `HOME` are read.
  ///   - disk: The disk.
  /// - Throws: `QueueError.noHome` if neither names a folder.
  public init(environment: [String: String], on disk: Disk = Disk()) throws {
    // The XDG specification says to ignore relative paths.
    let folders = [environment["XDG_STATE_HOME"], environment["HOME"].map { $0 + "/.local/state" }]
    guard let folder = folders.compactMap({ $0 }).first(where: { $0.hasPrefix("/") }) else { throw QueueError.noHome }
    self.init(path: folder + "/sdbatch/queue", on: disk)
  }

  /// The queue in a folder.
  init(path: String, on disk: Disk = Disk()) {
    self.path = path
    self.disk = disk
  }

  var entriesFolder: String { path + "/entries" }
  var resultsFolder: String { path + "/done" }
  private var pauseMark: String { path + "/paused" }
  private func file(_ id: Int) -> String { "\(entriesFolder)/\(id).json" }
  private func resultFile(_ id: Int) -> String { "\(resultsFolder)/\(id).json" }

  // MARK: Looking

  /// The entries in the order in which they run.
  ///
  /// - Throws: `QueueError.damaged` for a file that is not an entry, `RunError.notRead`.
  public func entries() throws -> [QueueEntry] {
    let over = Set(try ids(in: resultsFolder))
    var entries: [QueueEntry] = []
    for id in try ids(in: entriesFolder) where !over.contains(id) {
      // Another process may have removed it in the meantime.
      if let entry = try entry(id) { entries.append(entry) }
    }
    return entries.sorted(by: QueueEntry.isBefore)
  }

  /// An entry; nil if no entry has this number.
  ///
  /// - Parameter id: The number.
  /// - Returns: The entry, whether it has ended or not.
  /// - Throws: `QueueError.damaged` for a file that is not an entry, `RunError.notRead`.
  public func entry(_ id: Int) throws -> QueueEntry? { try read(file(id)) { QueueEntry($0) } }

  /// The entries that have ended, newest first.
  ///
  /// - Throws: `RunError.notRead`.
  public func results() throws -> [QueueResult] {
    try ids(in: resultsFolder).compactMap { id in try read(resultFile(id)) { QueueResult($0) } }
      .sorted { ($0.finished, $0.entry.id) > ($1.finished, $1.entry.id) }
  }

  /// Whether the whole queue is paused.
  public var isPaused: Bool { access(pauseMark, F_OK) == 0 }

  /// A text that changes whenever an entry is added, changed or removed.
  public var mark: String {
    [entriesFolder, resultsFolder, pauseMark].map { path in
      var status = stat()
      guard stat(path, &status) == 0 else { return "-" }
      return "\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
    }.joined(separator: " ")
  }

  private func ids(in folder: String) throws -> [Int] {
    guard access(folder, F_OK) == 0 else { return [] }
    return try AtomicFile.names(in: folder).compactMap { name in
      guard name.hasSuffix(".json"), let id = Int(name.dropLast(5)), id > 0, "\(id).json" == name else { return nil }
      return id
    }
  }

  private func read<Value>(_ file: String, _ parse: (JSONValue) -> Value?) throws -> Value? {
    do {
      let bytes = try FileReader.bytes(of: file)
      guard let json = try? JSONValue(parsing: String(decoding: bytes, as: UTF8.self)), let value = parse(json) else {
        throw QueueError.damaged(path: file)
      }
      return value
    } catch RunError.notRead(_, let code) where code == ENOENT {
      return nil
    }
  }

  // MARK: Changing

  /// Adds an entry at the end of its priority.
  ///
  /// - Parameters:
  ///   - path: What to run; absolute.
  ///   - folder: The folder that relative output paths refer to.
  ///   - arguments: The options of the run.
  ///   - priority: When it runs, compared with other entries.
  ///   - until: When it is paused, in seconds since 1970; nil for never.
  /// - Returns: The entry.
  /// - Throws: `RunError.notWritten`.
  public func add(
    _ path: String, in folder: String, arguments: [String] = [], priority: QueueEntry.Priority = .normal,
    until: Int? = nil
  ) throws -> QueueEntry {
    try withLock {
      let entry = QueueEntry(
        id: try newID(), path: path, folder: folder, arguments: arguments, priority: priority, order: try newOrder(),
        until: until, added: Timestamp.now().iso)
      try write(entry)
      return entry
    }
  }

  /// Changes an entry.
  ///
  /// - Parameters:
  ///   - id: Its number.
  ///   - change: Changes it.
  /// - Returns: The changed entry.
  /// - Throws: `QueueError.noEntry`, `RunError.notWritten`.
  @discardableResult
  public func change(_ id: Int, _ change: (inout QueueEntry) -> Void) throws -> QueueEntry {
    try withLock {
      var entry = try existing(id)
      change(&entry)
      try write(entry)
      return entry
    }
  }

  /// Where to move an entry.
  public enum Place: Sendable {
    case first
    case last
    case before(Int)
    case after(Int)
  }

  /// Moves an entry among those with its priority; next to an entry with another priority, it gets that priority.
  ///
  /// - Parameters:
  ///   - id: Its number.
  ///   - place: The new position.
  /// - Throws: `QueueError.noEntry`, `RunError.notWritten`.
  public func move(_ id: Int, to place: Place) throws {
    try withLock {
      var entry = try existing(id)
      switch place {
      case .before(let other), .after(let other):
        guard other != id else { return }
        entry.priority = try existing(other).priority
      case .first, .last: break
      }
      var peers = try entries().filter { $0.priority == entry.priority && $0.id != id }
      func position() -> Int {
        switch place {
        case .first: 0
        case .last: peers.count
        case .before(let other): peers.firstIndex { $0.id == other } ?? 0
        case .after(let other): (peers.firstIndex { $0.id == other } ?? peers.count - 1) + 1
        }
      }
      func between() -> Double? {
        let index = position()
        let (lower, upper) = (index > 0 ? peers[index - 1].order : nil, index < peers.count ? peers[index].order : nil)
        switch (lower, upper) {
        case (nil, nil): return entry.order
        case (nil, let upper?): return upper - 1
        case (let lower?, nil): return lower + 1
        case (let lower?, let upper?):
          let middle = lower + (upper - lower) / 2
          return lower < middle && middle < upper ? middle : nil
        }
      }
      if between() == nil {
        // There is no number between the two neighbours. So the entries get new numbers after all old ones, from the last entry
        // on: then the order is the same at any time.
        let base = (peers.last?.order ?? 0).rounded(.up) + 1
        for index in peers.indices.reversed() {
          peers[index].order = base + Double(index)
          try write(peers[index])
        }
      }
      entry.order = between() ?? entry.order
      try write(entry)
    }
  }

  /// Ends an entry.
  ///
  /// - Parameters:
  ///   - id: Its number.
  ///   - code: The exit code that a separate run of it would have had; nil if the entry is removed.
  /// - Returns: Whether the entry existed; another process may have removed it.
  /// - Throws: `RunError.notWritten`.
  @discardableResult
  public func finish(_ id: Int, code: Int32?) throws -> Bool {
    try withLock {
      guard let entry = try entry(id), access(resultFile(id), F_OK) != 0 else { return false }
      try disk.makeFolder(resultsFolder)
      let result = QueueResult(entry: entry, code: code, finished: Timestamp.now().iso)
      try AtomicFile.write(Array((result.json.jsonText + "\n").utf8), to: resultFile(id), on: disk)
      try settle()
      return true
    }
  }

  /// Pauses or resumes the whole queue.
  ///
  /// - Parameter isPaused: Whether to pause it.
  /// - Throws: `RunError.notWritten`.
  public func pause(_ isPaused: Bool) throws {
    try withLock {
      if isPaused {
        try AtomicFile.write([], to: pauseMark, on: disk)
      } else if access(pauseMark, F_OK) == 0 {
        try disk.remove(pauseMark)
        try disk.synchroniseFolder(path)
      }
    }
  }

  /// Finishes what a killed process left: removes the files of entries that have ended, and temporary files.
  ///
  /// - Throws: `RunError.notWritten`.
  public func tidy() throws {
    try withLock {
      for folder in [entriesFolder, resultsFolder] where access(folder, F_OK) == 0 {
        try TemporaryFile.removeLeftovers(in: folder, of: { $0.hasSuffix(".json") }, on: disk)
      }
      try settle()
    }
  }

  private func existing(_ id: Int) throws -> QueueEntry {
    guard let entry = try entry(id), access(resultFile(id), F_OK) != 0 else { throw QueueError.noEntry(id) }
    return entry
  }

  private func write(_ entry: QueueEntry) throws {
    try disk.makeFolder(entriesFolder)
    try AtomicFile.write(Array((entry.json.jsonText + "\n").utf8), to: file(entry.id), on: disk)
  }

  /// Removes entries that have ended; the caller has the lock.
  private func settle() throws {
    let over = try ids(in: resultsFolder).sorted()
    let left = Set(try ids(in: entriesFolder))
    for id in over where left.contains(id) {
      if let entry = try? entry(id) { try QueueSpool.clear(entry, on: disk) }
      try disk.remove(file(id))
    }
    if !left.isDisjoint(with: over) { try disk.synchroniseFolder(entriesFolder) }
    for id in over.dropLast(Self.resultLimit) { try disk.remove(resultFile(id)) }
  }

  /// A number that no entry ever had; the caller has the lock. The newest results are kept, so the largest number is known.
  func newID() throws -> Int { max(try ids(in: entriesFolder).max() ?? 0, try ids(in: resultsFolder).max() ?? 0) + 1 }

  private func newOrder() throws -> Double { (try entries().map(\.order).max() ?? 0).rounded(.down) + 1 }

  /// Adds an entry with its own number for a file of a spool folder; the caller has the lock.
  func addSpooled(_ id: Int, _ path: String, spool: String, folder: String, priority: QueueEntry.Priority) throws {
    try write(
      QueueEntry(
        id: id, path: path, folder: folder, arguments: [], priority: priority, order: try newOrder(), until: nil,
        added: Timestamp.now().iso, spool: spool))
  }

  /// Whether an entry with this number exists, ended or not.
  func knows(_ id: Int) -> Bool { access(file(id), F_OK) == 0 || access(resultFile(id), F_OK) == 0 }

  /// Calls `body` while no other process changes the queue.
  func withLock<Result>(_ body: () throws -> Result) throws -> Result {
    try disk.makeFolder(path)
    let lock = path + "/queue.lock"
    let descriptor = try disk.open(lock, flags: O_CREAT)
    defer { close(descriptor) }
    guard uninterrupted({ flock(descriptor, LOCK_EX) }) == 0 else {
      throw RunError.notWritten(path: lock, action: .lock, code: errno)
    }
    return try body()
  }

  // MARK: Who runs it

  /// The folder whose lock is held by the process that runs the queue.
  private var runner: RunFolder { RunFolder(path + "/runner") }

  /// Takes the right to run the queue; only one process has it at a time.
  ///
  /// - Returns: The right, which ends with the process.
  /// - Throws: `QueueError.inUse` if another process has it.
  public func takeOver() throws -> RunLock {
    do {
      return try RunLock(runner, on: disk)
    } catch RunError.folderInUse(_, let owner) {
      throw QueueError.inUse(owner: owner)
    }
  }

  /// The number of the running entry; nil if none is running.
  public var running: Int? {
    guard RunLock.holder(of: runner) != nil, let bytes = try? FileReader.bytes(of: runner.file("entry")) else {
      return nil
    }
    return Int(String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))
  }

  /// What the process that runs the queue wrote into its lock; nil if no process runs it.
  public var holder: String? { RunLock.holder(of: runner) }

  /// Notes which entry is running, for `running`.
  ///
  /// - Parameter id: Its number; nil for none.
  /// - Throws: `RunError.notWritten`.
  public func note(running id: Int?) throws {
    try AtomicFile.write(Array((id.map { "\($0)\n" } ?? "").utf8), to: runner.file("entry"), on: disk)
  }
}

/// Why a queue cannot be used or changed.
public enum QueueError: InputFailure, Hashable, CustomStringConvertible {
  /// The environment names no folder.
  case noHome
  /// There is no entry with this number.
  case noEntry(Int)
  /// A file is not an entry.
  case damaged(path: String)
  /// Another process runs the queue.
  case inUse(owner: String)

  /// The message.
  public var description: String {
    switch self {
    case .noHome: "no folder for the queue: neither XDG_STATE_HOME nor HOME is set"
    case .noEntry(let id): "the queue has no entry \(id); sdbatch queue list shows them"
    case .damaged(let path): "\(path) is not an entry of a queue; correct it, or remove the file"
    case .inUse(let owner): "another process runs the queue (\(owner))"
    }
  }
}
