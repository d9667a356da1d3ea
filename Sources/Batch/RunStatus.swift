import Foundation
import Jobs
import JSON

/// How a run stands, from its files alone; the run may be going on, and nothing is written.
public struct RunStatus: Hashable, Sendable {
  /// A job whose last try ended in an error.
  public struct Failure: Hashable, Sendable {
    /// The job's place in the plan.
    public var index: Int
    /// The whole identity.
    public var id: String
    /// What went wrong.
    public var error: String
  }

  /// The absolute path of the run folder.
  public var folder: String
  /// Where the jobs stand. An image counts as done if its file has the size that the journal noted.
  public var counts: RunCounts
  /// Who is at work: host, process and start; nothing if nobody is.
  public var holder: String?
  /// When something was last finished or failed, or the plan written: ISO 8601 in UTC.
  public var lastActivity: String?
  /// The image at work and how long all will take; nothing if nobody is at work, or has not begun with an image.
  public var current: CurrentImage?
  /// The jobs whose last try failed, newest first.
  public var failures: [Failure]

  /// Looks into a run folder.
  ///
  /// - Parameter folder: The run.
  /// - Throws: `BatchError`, `noRun` where there is no plan.
  public init(_ folder: RunFolder) throws {
    self.folder = folder.path
    let journal = try JournalIndex(path: folder.journal)
    var counts = RunCounts()
    var places: [JobID: Int] = [:]
    try FrozenPlan.forEachID(in: folder) { place, id in
      if places[id] == nil { places[id] = place }
      counts.count(Self.state(id, journal, folder))
    }
    self.counts = counts
    holder = RunLock.holder(of: folder)
    current = holder.flatMap { ProgressFile.read(folder, holder: $0) }
    lastActivity = [folder.journal, folder.plan].compactMap { try? FileMark(path: $0).modified }.max().map {
      Timestamp(milliseconds: $0 / 1_000_000).iso
    }
    failures = try Self.newestFailures(journal, folder, places)
  }

  private static func state(_ id: JobID, _ journal: JournalIndex, _ folder: RunFolder) -> JobState {
    if let image = journal.images[id], let mark = try? FileMark(path: folder.file(image.file)),
      mark.size == image.mark.size
    {
      return .done
    }
    return journal.failures[id] == nil ? .pending : .failed
  }

  private static func newestFailures(
    _ journal: JournalIndex, _ folder: RunFolder, _ places: [JobID: Int]
  ) throws -> [Failure] {
    let newest = journal.failures.filter { places[$0.key] != nil }.values.sorted { $0.lowerBound > $1.lowerBound }
    if newest.isEmpty { return [] }
    let reader = try FileReader(path: folder.journal)
    return try newest.compactMap { line in
      let entry = try reader.read(line).withUnsafeBufferPointer { JournalEntry(line: $0) }
      guard case .failed(let job) = entry, let place = places[job.id] else { return nil }
      return Failure(index: place, id: job.id.description, error: job.error)
    }
  }

  /// A few lines for people.
  public var text: String {
    var lines = ["\(folder): \(counts.done) of \(counts.total) done, \(counts.failed) failed, \(counts.pending) to do"]
    if let holder {
      lines.append("running" + (holder.isEmpty ? "" : ": \(holder)"))
    } else {
      lines.append("not running")
    }
    if let lastActivity { lines.append("last activity: \(lastActivity)") }
    for failure in failures.prefix(5) {
      lines.append("failed: job \(Timestamp.padded(failure.index, 5)) (\(failure.id.prefix(8))): \(failure.error)")
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
      "running": .bool(holder != nil),
      "holder": holder.map { .string($0) } ?? .null,
      "last_activity": lastActivity.map { .string($0) } ?? .null,
      "current": current.map(\.json) ?? .null,
      "failures": .array(
        failures.map { ["index": .integer(Int64($0.index)), "id": .string($0.id), "error": .string($0.error)] }),
      "failure_reasons": .array(
        reasons.map { ["error": .string($0.error), "count": .integer(Int64($0.count))] }),
    ]
  }
}
