import Foundation
import JSON
import Settings
import Text

/// How many jobs are done, failed and pending; equal cells of a grid are counted separately.
public struct RunCounts: Hashable, Sendable {
  /// Their image is on the disk.
  public var done: Int
  /// Their last try ended in an error.
  public var failed: Int
  /// They have not been tried.
  public var pending: Int

  /// These counts.
  public init(done: Int = 0, failed: Int = 0, pending: Int = 0) {
    self.done = done
    self.failed = failed
    self.pending = pending
  }

  /// All jobs of the plan.
  public var total: Int { done + failed + pending }

  mutating func count(_ state: JobState) {
    switch state {
    case .done: done += 1
    case .failed: failed += 1
    case .pending: pending += 1
    }
  }
}

/// The state of a job; the raw value is the manifest's.
enum JobState: String {
  case done, failed, pending
}

/// How a run ended; the raw value is the manifest's.
enum RunEnding: String {
  /// Everything that was asked for is on the disk.
  case done
  /// Everything was tried, and some jobs failed.
  case failed
  /// Work is left because the run was asked to stop.
  case stopped
  /// Work is left because of an error that no job caused.
  case aborted
}

/// `manifest.json`: the run and every job, for programs. It is made only from plan and journal.
struct Manifest {
  var details: RunDetails
  var started: Timestamp
  var finished: Timestamp
  var ending: RunEnding
  var counts: RunCounts
  /// The ingredients of the jobs, each once.
  var ingredients: [JobIngredients]

  /// Writes the file, one job per line.
  ///
  /// - Parameters:
  ///   - jobs: Every job in order, and its state.
  ///   - folder: The run folder; the caller holds its lock.
  ///   - journal: Its journal.
  ///   - disk: The disk.
  ///   - sources: The checksum of what the entries are made from; the entries of the existing file stay if their checksum is
  ///     right. nil to make them in any case.
  /// - Throws: `RunError`.
  func write(
    _ jobs: some Sequence<(IdentifiedJob, JobState)>, to folder: RunFolder, journal: Journal, on disk: Disk,
    sources: ManifestChecksum? = nil
  ) throws {
    let checked = sources.flatMap { CheckedEntries(folder.manifest, sources: $0) }
    var checksum = sources
    try write(to: folder, on: disk) { writer, write in
      func add(_ bytes: [UInt8]) throws {
        checksum?.add(bytes)
        try write(bytes)
      }
      if let checked {
        try checked.forEachPiece(add)
      } else {
        try append(to: &writer, add) { append in
          for (planned, state) in jobs { try append(planned, state, journal) }
        }
      }
      return checksum?.text
    }
  }

  /// Writes the file, one job per line, with the jobs that `body` passes on one at a time.
  func write(
    to folder: RunFolder, on disk: Disk,
    jobs body: ((IdentifiedJob, JobState, any JournalLines) throws -> Void) throws -> Void
  ) throws {
    try write(to: folder, on: disk) { writer, write in
      try append(to: &writer, write, body)
      return nil
    }
  }

  /// Writes the file with the entries that `body` writes; it returns their checksum, if they have one.
  private func write(
    to folder: RunFolder, on disk: Disk,
    entries body: (inout JSONWriter, @escaping ([UInt8]) throws -> Void) throws -> String?
  ) throws {
    try AtomicFile.write(to: folder.manifest, on: disk) { file in
      var writer = JSONWriter()
      try writer.object { writer in
        writeHead(to: &writer)
        writer.lineBreak()
        writer.key("jobs")
        var checksum: String?
        try writer.array { writer in
          try writer.flush(file.write)
          checksum = try body(&writer, file.write)
          writer.endLine()
        }
        if let checksum {
          writer.lineBreak()
          writer.member("checksum", checksum)
        }
        writer.endLine()
      }
      writer.endLine()
      try writer.flush(file.write)
    }
  }

  private func append(
    to writer: inout JSONWriter, _ write: @escaping ([UInt8]) throws -> Void,
    _ body: ((IdentifiedJob, JobState, any JournalLines) throws -> Void) throws -> Void
  ) throws {
    var entries = ManifestEntries(engine: details.engine)
    try body { planned, state, journal in
      writer.lineBreak()
      try entries.append(planned, state, journal, to: &writer)
      if writer.bytes.count > 1 << 20 { try writer.flush(write) }
    }
    try writer.flush(write)
  }

  func writeHead(to writer: inout JSONWriter) {
    writer.lineBreak()
    writer.member("schema", 1)
    writer.lineBreak()
    writer.key("run")
    writer.object { writer in
      writer.member("started", started.iso)
      writer.member("finished", finished.iso)
      writer.member("host", ProcessInfo.processInfo.hostName)
      writer.member("status", ending.rawValue)
      writer.key("counts")
      writer.counts(counts)
    }
    writer.lineBreak()
    writer.member("recipe", details.recipe)
    writer.lineBreak()
    writer.key("models")
    writer.array { writer in
      var seen: Set<ModelIdentity> = []
      for model in ingredients.flatMap(\.models) where seen.insert(model).inserted {
        writer.model(model)
      }
    }
    writer.lineBreak()
    writer.key("engine")
    writer.engine(details.engine)
  }
}

extension JSONWriter {
  mutating func counts(_ counts: RunCounts) {
    object { writer in
      writer.member("total", counts.total)
      writer.member("done", counts.done)
      writer.member("failed", counts.failed)
      writer.member("pending", counts.pending)
    }
  }
}
