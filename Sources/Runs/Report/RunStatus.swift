import Foundation
import JSON
import Settings
import Text

/// The state of a run, from its files alone. It can be read during a run; nothing is written.
public struct RunStatus: Hashable, Sendable {
  /// A job whose last try ended in an error.
  public struct Failure: Hashable, Sendable {
    /// The job's index in the plan.
    public var index: Int
    /// The complete identity.
    public var id: String
    /// What went wrong.
    public var error: String
  }

  /// The progress of one part of a plan that several processes share.
  public struct ShardStatus: Hashable, Sendable {
    /// Which part.
    public var shard: Shard
    /// How many of its starts wrote a journal.
    public var starts: Int
    /// How many images it made, or found without a journal line.
    public var images: Int
    /// When it last wrote to its journal: ISO 8601 in UTC.
    public var lastActivity: String?
    /// The current image, if known; nil for a shard without news for a quarter of an hour.
    public var current: CurrentImage?

    /// An object for programs.
    public var json: JSONValue {
      [
        "shard": .string(shard.description), "starts": .integer(Int64(starts)), "images": .integer(Int64(images)),
        "last_activity": lastActivity.map { .string($0) } ?? .null, "current": current.map(\.json) ?? .null,
      ]
    }
  }

  /// The absolute path of the run folder.
  public var folder: String
  /// How many jobs are done, failed and pending, as the next run will see them.
  public var counts: RunCounts
  /// How many of the images were taken from other run folders.
  public var reused: Int
  /// The host, process and start of the active run; nil if there is none.
  public var holder: String?
  /// When a job last ended, or the plan was written: ISO 8601 in UTC.
  public var lastActivity: String?
  /// The current image and the time left; nil if no run is active, or it has not started an image.
  public var current: CurrentImage?
  /// The shards that were started, in order; empty for other runs.
  public var shards: [ShardStatus]
  /// The jobs whose last try failed, newest first.
  public var failures: [Failure]

  /// Reads a run folder.
  ///
  /// - Parameter folder: The run.
  /// - Throws: `RunError`; `noRun` if there is no plan.
  public init(_ folder: RunFolder) throws {
    self.folder = folder.path
    let journal = try JournalIndex(folder)
    var states = try JobStates(folder)
    var indices: [JobID: Int] = [:]
    var reused = 0
    counts = try states.counts(of: JournalReader(folder, journal)) { index, id in
      if indices[id] == nil {
        indices[id] = index
        if journal.images[id]?.isReused == true { reused += 1 }
      }
    }
    self.reused = reused
    holder = RunLock.holder(of: folder)
    current = holder.flatMap { ProgressFile.read(folder, holder: $0) }
    lastActivity = (folder.journals + [folder.plan]).compactMap { try? FileMark(path: $0).modified }.max().map {
      Timestamp(milliseconds: $0 / 1_000_000).iso
    }
    shards = Self.shards(folder, journal)
    failures = try Self.newestFailures(journal, folder, indices)
  }

  private static func shards(_ folder: RunFolder, _ journal: JournalIndex) -> [ShardStatus] {
    var found: [Shard: ShardStatus] = [:]
    let progress = ((try? AtomicFile.names(in: folder.path)) ?? []).filter { $0.hasPrefix("progress-") }
    for name in progress {
      guard let (shard, _) = Shard.labelled(name.dropFirst("progress-".count)) else { continue }
      let current = ProgressFile.read(folder, shard: shard)
      if current != nil { found[shard] = ShardStatus(shard: shard, starts: 0, images: 0, current: current) }
    }
    var images = Array(repeating: 0, count: journal.files.names.count)
    for image in journal.images.values { images[Int(image.line.file)] += 1 }
    for (file, name) in journal.files.names.enumerated() {
      guard let (shard, _) = JournalFiles.start(of: name) else { continue }
      var status = found[shard] ?? ShardStatus(shard: shard, starts: 0, images: 0)
      status.starts += 1
      status.images += images[file]
      if let mark = try? FileMark(path: folder.file(name)) {
        status.lastActivity = max(
          status.lastActivity ?? "", Timestamp(milliseconds: mark.modified / 1_000_000).iso)
      }
      found[shard] = status
    }
    return found.values.sorted { ($0.shard.count, $0.shard.index) < ($1.shard.count, $1.shard.index) }
  }

  private static func newestFailures(
    _ journal: JournalIndex, _ folder: RunFolder, _ indices: [JobID: Int]
  ) throws -> [Failure] {
    let newest = journal.failures.filter { indices[$0.key] != nil }.values.sorted(by: >)
    let reader = JournalReader(folder, journal)
    return try newest.compactMap { line in
      guard case .failed(let job) = try reader.entry(at: line, hasIdentity: false), let index = indices[job.id] else {
        return nil
      }
      return Failure(index: index, id: job.id.description, error: job.error)
    }
  }

  /// A few lines for people, with times as ISO 8601 in UTC.
  public var text: String { text(time: \.self) }

  /// A few lines for people.
  ///
  /// - Parameter time: Converts a time in ISO 8601, in UTC, to the text to show.
  /// - Returns: Lines.
  public func text(time: (String) -> String) -> String {
    var lines = [
      "\(folder.printableLine): \(counts.done) of \(counts.total) done, \(counts.failed) failed, \(counts.pending) to do"
    ]
    if reused > 0 { lines.append("\(reused) taken from other run folders") }
    let atWork = shards.count { $0.current != nil }
    if let holder {
      let shown = holder.replacing(#/started ([-0-9T:.]+Z)/#) { "started \(time(String($0.1)))" }
      lines.append("running" + (holder.isEmpty ? "" : ": \(shown)"))
    } else if shards.isEmpty {
      lines.append("not running")
    } else {
      let parts = Set(shards.map(\.shard.count)).sorted().map(String.init).joined(separator: " and ")
      lines.append("\(shards.count) of \(parts) shards started, \(atWork) running lately")
    }
    if let lastActivity { lines.append("last activity: \(time(lastActivity))") }
    for failure in failures.prefix(5) {
      lines.append("failed: job \(failure.index) (\(failure.id.prefix(8))): \(failure.error.printableLine)")
    }
    if failures.count > 5 { lines.append("and \(failures.count - 5) more failed: status --json lists them") }
    return lines.joined(separator: "\n")
  }

  /// How many jobs failed with which message, most first.
  private var reasons: [(error: String, count: Int)] {
    Dictionary(grouping: failures, by: \.error).map { ($0.key, $0.value.count) }
      .sorted { ($1.count, $0.error) < ($0.count, $1.error) }
  }

  /// An object for programs.
  public var json: JSONValue {
    [
      "folder": .string(folder),
      "counts": [
        "total": .integer(Int64(counts.total)), "done": .integer(Int64(counts.done)),
        "failed": .integer(Int64(counts.failed)), "pending": .integer(Int64(counts.pending)),
      ],
      "reused": .integer(Int64(reused)), "running": .bool(holder != nil),
      "holder": holder.map { .string($0) } ?? .null,
      "last_activity": lastActivity.map { .string($0) } ?? .null,
      "current": current.map(\.json) ?? .null,
      "shards": .array(shards.map(\.json)),
      "failures": .array(
        failures.map { ["index": .integer(Int64($0.index)), "id": .string($0.id), "error": .string($0.error)] }),
      "failure_reasons": .array(
        reasons.map { ["error": .string($0.error), "count": .integer(Int64($0.count))] }),
    ]
  }
}
