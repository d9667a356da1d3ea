import Foundation
import Jobs
import JSON

/// A picture that is on the disk, as one line of the journal tells it.
struct FinishedImage: Hashable {
  var id: JobID
  /// The job's place when the picture was made; a later plan may have it elsewhere.
  var index: Int
  /// Relative to the run folder.
  var file: String
  var mark: FileMark
  /// Of the file.
  var sha256: String
  /// Of the RGB bytes.
  var pixelsSHA256: String
  var started: Timestamp
  /// Nothing where the process was killed before it could note them.
  var seconds: Double?
  /// The text inside the file.
  var infotext: String
  /// All that its identity is made of, as `JobID.canonicalJSON` has it; older journals hold none.
  var identity: JSONValue?
}

/// A job that ended in an error.
struct FailedJob: Hashable {
  var id: JobID
  var index: Int
  var started: Timestamp
  var seconds: Double
  var error: String
}

/// A job whose picture turned out to be damaged, so that the next run makes it again.
struct RequeuedJob: Hashable {
  var id: JobID
  var index: Int
  /// When the damage was found.
  var started: Timestamp
  /// What was wrong with the picture.
  var reason: String
}

/// One line of the journal.
enum JournalEntry: Hashable {
  case done(FinishedImage)
  case failed(FailedJob)
  case requeued(RequeuedJob)

  /// The picture that the line is about.
  var id: JobID {
    switch self {
    case .done(let image): image.id
    case .failed(let job): job.id
    case .requeued(let job): job.id
    }
  }

  /// The line, with its line feed.
  var line: [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      switch self {
      case .done(let image):
        writer.member("event", "done")
        writer.member("id", image.id.description)
        writer.member("index", image.index)
        writer.member("file", image.file)
        writer.member("size", image.mark.size)
        writer.member("modified", image.mark.modified)
        writer.member("sha256", image.sha256)
        writer.member("pixels_sha256", image.pixelsSHA256)
        writer.member("started", image.started.iso)
        writer.member("seconds", image.seconds)
        writer.member("infotext", image.infotext)
        if let identity = image.identity { writer.member("identity", identity) }
      case .failed(let job):
        writer.member("event", "failed")
        writer.member("id", job.id.description)
        writer.member("index", job.index)
        writer.member("started", job.started.iso)
        writer.member("seconds", job.seconds)
        writer.member("error", job.error)
      case .requeued(let job):
        writer.member("event", "requeued")
        writer.member("id", job.id.description)
        writer.member("index", job.index)
        writer.member("started", job.started.iso)
        writer.member("reason", job.reason)
      }
    }
    writer.endLine()
    return writer.bytes
  }

  /// Reads a line without its line feed; nothing for one that is torn or damaged.
  init?(line: UnsafeBufferPointer<UInt8>) {
    guard let line = try? JSONValue(parsing: line), let id = line["id"]?.text.flatMap({ JobID($0) }),
      let index = line["index"]?.integerValue, let started = line["started"]?.text.flatMap(Timestamp.init)
    else { return nil }
    switch line["event"]?.text {
    case "done":
      guard let file = line["file"]?.text, RunFolder.isImageName(file), let size = line["size"]?.integerValue,
        let modified = line["modified"]?.integerValue, let sha256 = line["sha256"]?.text,
        let pixelsSHA256 = line["pixels_sha256"]?.text, let infotext = line["infotext"]?.text
      else { return nil }
      self = .done(
        FinishedImage(
          id: id, index: Int(index), file: file, mark: FileMark(size: size, modified: modified), sha256: sha256,
          pixelsSHA256: pixelsSHA256, started: started, seconds: line["seconds"]?.numberValue, infotext: infotext,
          identity: line["identity"]))
    case "failed":
      guard let error = line["error"]?.text, let seconds = line["seconds"]?.numberValue else { return nil }
      self = .failed(FailedJob(id: id, index: Int(index), started: started, seconds: seconds, error: error))
    case "requeued":
      guard let reason = line["reason"]?.text else { return nil }
      self = .requeued(RequeuedJob(id: id, index: Int(index), started: started, reason: reason))
    default: return nil
    }
  }
}
