import Foundation
import JSON
import Settings
import Text

/// A finished image, as a line of the journal describes it.
struct FinishedImage: Hashable {
  var id: JobID
  /// The job's index when the image was made; a later plan may have another index for it.
  var index: Int
  /// Relative to the run folder.
  var file: String
  var mark: FileMark
  /// The hash of the file.
  var sha256: String
  /// The hash of the RGB bytes.
  var pixelsSHA256: String
  var started: Timestamp
  /// How long the image took; nil if the process was killed before it could note the time.
  var seconds: Double?
  /// The text in the file.
  var infotext: String
  /// How many faces were restored; nil if the job did not look for faces.
  var faces: Int?
  /// The file in another run folder from which it was taken; nil for an image that was made here.
  var reusedFrom: String?
  /// Everything that makes up its identity, as `JobID.canonicalJSON` writes it; older journals have none.
  var identity: JSONValue?
  /// How the file is encoded.
  var encoding = ImageEncoding.png
  /// The other files that contain the image.
  var others: [StoredFile] = []
}

/// A job that ended in an error.
struct FailedJob: Hashable {
  var id: JobID
  var index: Int
  var started: Timestamp
  var seconds: Double
  var error: String
}

/// A job whose image was found damaged, so the next run makes it again.
struct RequeuedJob: Hashable {
  var id: JobID
  var index: Int
  /// When the damage was found.
  var started: Timestamp
  /// What was wrong with the image.
  var reason: String
}

/// One line of the journal.
enum JournalEntry: Hashable {
  case done(FinishedImage)
  case failed(FailedJob)
  case requeued(RequeuedJob)

  /// The image that the line is about.
  var id: JobID {
    switch self {
    case .done(let image): image.id
    case .failed(let job): job.id
    case .requeued(let job): job.id
    }
  }

  /// The line, including its line feed.
  var line: [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      switch self {
      case .done(let image):
        writer.member("event", "done")
        writer.member("id", image.id.description)
        writer.member("index", image.index)
        writer.member("file", image.file)
        if image.encoding != .png { writer.member("encoding", image.encoding.description) }
        writer.member("size", image.mark.size)
        writer.member("modified", image.mark.modified)
        writer.member("sha256", image.sha256)
        writer.member("pixels_sha256", image.pixelsSHA256)
        writer.member("started", image.started.iso)
        writer.member("seconds", image.seconds)
        writer.member("infotext", image.infotext)
        if let faces = image.faces { writer.member("faces", faces) }
        if let path = image.reusedFrom { writer.member("reused_from", path) }
        if !image.others.isEmpty {
          writer.key("also")
          writer.array { writer in for file in image.others { file.write(to: &writer) } }
        }
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

  /// Reads a line without its line feed; nil for an incomplete or damaged line.
  ///
  /// - Parameters:
  ///   - line: The line.
  ///   - hasIdentity: Whether to read what makes up the identity, which takes longer than everything else.
  init?(line: UnsafeBufferPointer<UInt8>, hasIdentity: Bool = false) {
    var fields = Fields(hasIdentity: hasIdentity)
    var cursor = JSONCursor(UnsafeRawBufferPointer(line), repeatedKeys: .kept)
    do {
      try cursor.object { cursor, key throws(JSONError) in try fields.read(key, &cursor) }
      try cursor.end()
    } catch {
      return nil
    }
    guard let id = fields.id, let index = fields.index, let started = fields.started else { return nil }
    switch fields.event {
    case "done":
      guard let file = fields.file, RunFolder.isImageName(file), let size = fields.size,
        let modified = fields.modified, let sha256 = fields.sha256, let pixelsSHA256 = fields.pixelsSHA256,
        let infotext = fields.infotext, let encoding = fields.encoding, let others = fields.others
      else { return nil }
      self = .done(
        FinishedImage(
          id: id, index: Int(index), file: file, mark: FileMark(size: size, modified: modified), sha256: sha256,
          pixelsSHA256: pixelsSHA256, started: started, seconds: fields.seconds, infotext: infotext,
          faces: fields.faces.map { Int($0) }, reusedFrom: fields.reusedFrom, identity: fields.identity,
          encoding: encoding, others: others))
    case "failed":
      guard let error = fields.error, let seconds = fields.seconds else { return nil }
      self = .failed(FailedJob(id: id, index: Int(index), started: started, seconds: seconds, error: error))
    case "requeued":
      guard let reason = fields.reason else { return nil }
      self = .requeued(RequeuedJob(id: id, index: Int(index), started: started, reason: reason))
    default: return nil
    }
  }

  /// The members of a line; nil for members that are missing or have another type.
  private struct Fields {
    let hasIdentity: Bool
    var event: String?
    var id: JobID?
    var index: Int64?
    var file: String?
    var size: Int64?
    var modified: Int64?
    var sha256: String?
    var pixelsSHA256: String?
    var started: Timestamp?
    var seconds: Double?
    var infotext: String?
    var faces: Int64?
    var reusedFrom: String?
    var error: String?
    var reason: String?
    var identity: JSONValue?
    var encoding: ImageEncoding? = .png
    var others: [StoredFile]? = []

    init(hasIdentity: Bool) { self.hasIdentity = hasIdentity }

    mutating func read(_ key: String, _ cursor: inout JSONCursor) throws(JSONError) {
      switch key {
      case "event": event = try cursor.value().text
      case "id": id = try cursor.value().text.flatMap { JobID($0) }
      case "index": index = try cursor.value().integerValue
      case "file": file = try cursor.value().text
      case "size": size = try cursor.value().integerValue
      case "modified": modified = try cursor.value().integerValue
      case "sha256": sha256 = try cursor.value().text
      case "pixels_sha256": pixelsSHA256 = try cursor.value().text
      case "started": started = try cursor.value().text.flatMap(Timestamp.init)
      case "seconds": seconds = try cursor.value().numberValue
      case "infotext": infotext = try cursor.value().text
      case "faces": faces = try cursor.value().integerValue
      case "reused_from": reusedFrom = try cursor.value().text
      case "encoding": encoding = try cursor.value().text.flatMap { ImageEncoding($0) }
      case "also": others = StoredFile.all(try cursor.value())
      case "error": error = try cursor.value().text
      case "reason": reason = try cursor.value().text
      case "identity" where hasIdentity: identity = try cursor.value()
      default: try cursor.skip()
      }
    }
  }
}

/// What the index of a journal keeps from a line; the rest is not read.
struct JournalLine {
  /// What happened to the image.
  enum Event {
    case done(JournalIndex.Files, isReused: Bool)
    case failed
    case requeued
  }

  let id: JobID
  let event: Event
  /// When the work began; nil if nobody asked for it.
  let started: Timestamp?

  init(_ entry: JournalEntry) {
    id = entry.id
    started = nil
    switch entry {
    case .done(let image): event = .done(JournalIndex.Files(image), isReused: image.reusedFrom != nil)
    case .failed: event = .failed
    case .requeued: event = .requeued
    }
  }

  /// Reads a line without its line feed; nil for an incomplete or damaged line.
  ///
  /// - Parameters:
  ///   - line: The line.
  ///   - hasTime: Whether to read when the work began.
  init?(line: UnsafeBufferPointer<UInt8>, hasTime: Bool = false) {
    var cursor = JSONCursor(UnsafeRawBufferPointer(line), repeatedKeys: .kept)
    var (name, id, file, size, modified): (String?, JobID?, String?, Int64?, Int64?)
    var started: Timestamp?
    var isReused = false
    var encoding: ImageEncoding? = .png
    var files: [StoredFile]? = []
    // The other members must exist too; otherwise `JournalEntry` is nil.
    var others: Members = []
    do {
      try cursor.object { cursor, key throws(JSONError) in
        switch key {
        case "event": name = try cursor.string()
        case "id": id = JobID(try cursor.string())
        case "file": file = try cursor.string()
        case "size": size = try cursor.value().integerValue
        case "modified": modified = try cursor.value().integerValue
        case "encoding": encoding = ImageEncoding(try cursor.string())
        case "also": files = StoredFile.all(try cursor.value())
        case "reused_from":
          isReused = true
          try cursor.skip()
        case "started" where hasTime:
          others.insert(.started)
          started = Timestamp(try cursor.string())
        default:
          others.formUnion(Members(key))
          try cursor.skip()
        }
      }
      try cursor.end()
    } catch {
      return nil
    }
    guard let name, let id else { return nil }
    self.id = id
    self.started = started
    switch name {
    case "done":
      guard let file, RunFolder.isImageName(file), let size, let modified, let encoding, let files,
        others.isSuperset(of: [.index, .started, .sha256, .pixelsSHA256, .infotext])
      else { return nil }
      event = .done(
        JournalIndex.Files(
          file: file, encoding: encoding, mark: FileMark(size: size, modified: modified), others: files),
        isReused: isReused)
    case "failed":
      guard others.isSuperset(of: [.index, .started, .seconds, .error]) else { return nil }
      event = .failed
    case "requeued":
      guard others.isSuperset(of: [.index, .started, .reason]) else { return nil }
      event = .requeued
    default: return nil
    }
  }

  /// The members that only have to exist.
  private struct Members: OptionSet {
    let rawValue: UInt8
    static let index = Members(rawValue: 1)
    static let started = Members(rawValue: 2)
    static let sha256 = Members(rawValue: 4)
    static let pixelsSHA256 = Members(rawValue: 8)
    static let infotext = Members(rawValue: 16)
    static let seconds = Members(rawValue: 32)
    static let error = Members(rawValue: 64)
    static let reason = Members(rawValue: 128)

    init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The member of this name; nil for names that are not read.
    init(_ name: String) {
      switch name {
      case "index": self = .index
      case "started": self = .started
      case "sha256": self = .sha256
      case "pixels_sha256": self = .pixelsSHA256
      case "infotext": self = .infotext
      case "seconds": self = .seconds
      case "error": self = .error
      case "reason": self = .reason
      default: self = []
      }
    }
  }
}
