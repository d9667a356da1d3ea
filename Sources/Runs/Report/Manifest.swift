import Foundation
import Infotext
import JSON
import Settings
import Text

/// How many jobs are done, failed and pending; equal cells of a grid count each.
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
  /// Everything asked for is on the disk.
  case done
  /// Everything was tried, and some jobs failed.
  case failed
  /// Work is left because the run was asked to stop.
  case stopped
  /// Work is left because of an error that was not a job's.
  case aborted
}

/// `manifest.json`: the run and every job, for programs. It is made from plan and journal alone.
struct Manifest {
  var details: RunDetails
  var started: Timestamp
  var finished: Timestamp
  var ending: RunEnding
  var counts: RunCounts
  /// What the jobs are made from, each once.
  var ingredients: [JobIngredients]

  /// Writes the file, one job a line.
  ///
  /// - Parameters:
  ///   - jobs: Every job in order, and its state.
  ///   - folder: The run, whose lock is held.
  ///   - journal: Its journal.
  ///   - disk: The disk.
  /// - Throws: `RunError`.
  func write(
    _ jobs: some Sequence<(IdentifiedJob, JobState)>, to folder: RunFolder, journal: Journal, on disk: Disk
  ) throws {
    try write(to: folder, on: disk) { append in
      for (planned, state) in jobs { try append(planned, state, journal) }
    }
  }

  /// Writes the file, one job a line, with the jobs that `body` hands over one by one.
  func write(
    to folder: RunFolder, on disk: Disk,
    jobs body: ((IdentifiedJob, JobState, any JournalLines) throws -> Void) throws -> Void
  ) throws {
    try AtomicFile.write(to: folder.manifest, on: disk) { file in
      var writer = JSONWriter()
      try writer.object { writer in
        writeHead(to: &writer)
        writer.lineBreak()
        writer.key("jobs")
        try writer.array { writer in
          try body { planned, state, journal in
            writer.lineBreak()
            try Self.append(planned, state, journal: journal, version: details.engine.version, to: &writer)
            if writer.bytes.count > 1 << 20 { try writer.flush(file.write) }
          }
          writer.endLine()
        }
        writer.endLine()
      }
      writer.endLine()
      try writer.flush(file.write)
    }
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

  /// Writes the object of one job.
  static func append(
    _ planned: IdentifiedJob, _ state: JobState, journal: any JournalLines, version: String, to writer: inout JSONWriter
  ) throws {
    let (settings, ingredients) = (planned.job.settings, planned.ingredients)
    let image = state == .done ? try journal.image(planned.id) : nil
    let failure = state == .failed ? try journal.failure(planned.id) : nil
    // An image of an earlier run may have an older text; the manifest shows the one in the file.
    let infotext = image?.infotext ?? Infotext(settings, ingredients, version: version).text
    writer.object { writer in
      writer.member("id", planned.id.description)
      writer.member("index", planned.job.index)
      writer.key("axes")
      writer.axes(planned.job.axes)
      writer.member("status", state.rawValue)
      writer.member("file", image?.file)
      writer.member("sha256", image?.sha256)
      writer.member("pixels_sha256", image?.pixelsSHA256)
      writer.key("parameters")
      SettingsInUse(settings, ingredients).writeShown(to: &writer)
      writer.member("infotext", infotext)
      if let faces = image?.faces { writer.member("faces", faces) }
      writer.key("info")
      if let image {
        writer.value(
          GenerationInfo.json(
            settings, ingredients, infotext: infotext, version: version,
            timestamp: image.started.compactLocal))
      } else {
        writer.null()
      }
      writer.member("seconds", image?.seconds ?? failure?.seconds)
      writer.member("error", failure?.error)
    }
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
