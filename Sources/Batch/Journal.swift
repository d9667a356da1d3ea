import Foundation
import JSON
import Jobs

/// What the journal says of every picture: where its last line of either kind is, and what a look at the disk needs.
///
/// The lines themselves stay in the file, so that a run of a million jobs fits in memory.
struct JournalIndex {
  /// A picture that was finished.
  struct Image {
    var file: String
    var mark: FileMark
    var line: Range<Int64>
  }

  private(set) var images: [JobID: Image] = [:]
  private(set) var failures: [JobID: Range<Int64>] = [:]
  /// Where the last whole line ends.
  private(set) var end: Int64 = 0
  /// Whether bytes follow that are no whole line, as a power cut may leave them.
  private(set) var hasTornLine = false

  /// Reads a journal; a missing one is empty, and lines that are damaged are passed over.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - observe: Told of each whole line before it counts: its bytes, and what it says if it says something.
  /// - Throws: `BatchError.notRead`, or what `observe` throws.
  init(path: String, observe: (UnsafeBufferPointer<UInt8>, JournalLine?) throws -> Void = { _, _ in }) throws {
    do {
      try FileReader.forEachLine(of: path) { start, line, isWhole in
        let range = start..<(start + Int64(line.count))
        guard isWhole else {
          hasTornLine = true
          return
        }
        let entry = JournalLine(line: line)
        try observe(line, entry)
        if let entry { note(entry, at: range) } else { end = range.upperBound + 1 }
      }
    } catch BatchError.notRead(_, let code) where code == ENOENT {}
  }

  /// Takes a line in; it counts for more than all before it.
  mutating func note(_ line: JournalLine, at range: Range<Int64>) {
    switch line.event {
    case .done(let file, let mark):
      images[line.id] = Image(file: file, mark: mark, line: range)
      failures[line.id] = nil
    case .failed: failures[line.id] = range
    case .requeued:
      images[line.id] = nil
      failures[line.id] = nil
    }
    end = range.upperBound + 1
  }
}

/// Where the lines about pictures can be had.
protocol JournalLines {
  /// Where the lines are.
  var index: JournalIndex { get }

  /// What a line says; nothing for one that is damaged.
  func entry(at line: Range<Int64>, hasIdentity: Bool) throws -> JournalEntry?
}

extension JournalLines {
  /// The line about a picture that was finished.
  func image(_ id: JobID) throws -> FinishedImage? {
    guard let line = index.images[id]?.line, case .done(let image) = try entry(at: line, hasIdentity: false) else {
      return nil
    }
    return image
  }

  /// The line about a job that failed and has not been finished since.
  func failure(_ id: JobID) throws -> FailedJob? {
    guard let line = index.failures[id], case .failed(let job) = try entry(at: line, hasIdentity: false) else {
      return nil
    }
    return job
  }
}

/// A journal that is only looked at.
struct JournalReader: JournalLines {
  let index: JournalIndex
  private let reader: FileReader?

  /// The journal of a run, which may be missing, with what was read of it.
  init(_ folder: RunFolder, _ index: JournalIndex) {
    self.index = index
    reader = try? FileReader(path: folder.journal)
  }

  /// What the identity of a picture is made of, where the journal says so.
  func identity(_ id: JobID) throws -> JSONValue? {
    guard let line = index.images[id]?.line, case .done(let image) = try entry(at: line, hasIdentity: true) else {
      return nil
    }
    return image.identity
  }

  func entry(at line: Range<Int64>, hasIdentity: Bool) throws -> JournalEntry? {
    try reader?.read(line).withUnsafeBufferPointer { JournalEntry(line: $0, hasIdentity: hasIdentity) }
  }
}

/// The journal of a run: one line for every image that is on the disk and every job that failed, written after the
/// fact and durable before anything else happens.
final class Journal: JournalLines {
  private(set) var index: JournalIndex
  private let path: String
  private let disk: Disk
  private let descriptor: Int32
  private let reader: FileReader

  /// Opens the journal for writing, and cuts off a last line that a power cut tore.
  ///
  /// - Parameters:
  ///   - folder: The run, whose lock is held.
  ///   - disk: The disk.
  /// - Throws: `BatchError`.
  init(_ folder: RunFolder, on disk: Disk) throws {
    path = folder.journal
    self.disk = disk
    let isNew = access(path, F_OK) != 0
    index = try JournalIndex(path: path)
    descriptor = try disk.open(path, flags: O_CREAT | O_APPEND)
    do {
      reader = try FileReader(path: path)
      if isNew { try disk.synchroniseFolder(folder.path) }
      if index.hasTornLine { try disk.truncate(descriptor, to: index.end, path: path) }
    } catch {
      close(descriptor)
      throw error
    }
  }

  deinit { close(descriptor) }

  /// Adds a line.
  ///
  /// - Parameters:
  ///   - entry: What happened.
  ///   - isDurable: Whether to wait for the disk; else a later `synchronise` does.
  /// - Throws: `BatchError.notWritten`; a part of the line that got into the file is cut off again.
  func append(_ entry: JournalEntry, isDurable: Bool = true) throws {
    let line = entry.line
    do {
      try disk.write(line, to: descriptor, path: path)
    } catch {
      ftruncate(descriptor, off_t(index.end))
      throw error
    }
    if isDurable { try synchronise() }
    index.note(JournalLine(entry), at: index.end..<(index.end + Int64(line.count) - 1))
  }

  /// Waits until all lines are on the disk.
  func synchronise() throws { try disk.synchronise(descriptor, path: path) }

  func entry(at line: Range<Int64>, hasIdentity: Bool) throws -> JournalEntry? {
    try reader.read(line).withUnsafeBufferPointer { JournalEntry(line: $0, hasIdentity: hasIdentity) }
  }
}
