import Foundation
import JSON
import Settings
import Text

/// An index of a run's journals: for every image, the position of its last line of each kind, and what is needed to check its
/// file.
///
/// The lines stay in the files, so a run of a million jobs fits in memory.
struct JournalIndex {
  /// An image that was finished.
  @dynamicMemberLookup struct Image {
    var files: Files
    /// Whether the image was taken from another run folder.
    var isReused: Bool
    var line: JournalPosition

    subscript<Value>(dynamicMember path: KeyPath<Files, Value>) -> Value { files[keyPath: path] }
  }

  /// The files that contain an image.
  struct Files {
    /// The main file.
    var file: String
    var encoding: ImageEncoding
    var mark: FileMark
    /// The other files.
    var others: [StoredFile]

    init(file: String, encoding: ImageEncoding, mark: FileMark, others: [StoredFile]) {
      (self.file, self.encoding, self.mark, self.others) = (file, encoding, mark, others)
    }

    init(_ image: FinishedImage) {
      self.init(file: image.file, encoding: image.encoding, mark: image.mark, others: image.others)
    }

    /// The names of all files, relative to the run folder.
    var names: [String] { others.isEmpty ? [file] : [file] + others.map(\.file) }

    /// Whether there is a file of each of these encodings.
    func has(_ encodings: [ImageEncoding]) -> Bool {
      encodings.allSatisfy { encoding in encoding == self.encoding || others.contains { $0.encoding == encoding } }
    }

    /// Whether a file preserves the exact pixels that were encoded.
    var isLossless: Bool { encoding.isLossless || others.contains { $0.encoding.isLossless } }
  }

  private(set) var files: JournalFiles
  private(set) var images: [JobID: Image] = [:]
  private(set) var failures: [JobID: JournalPosition] = [:]
  /// Images that `verify --repair` put back into the queue and that were not made again since then.
  private(set) var requeued: [JobID: JournalPosition] = [:]
  /// Where the last complete line of each journal ends.
  private(set) var ends: [Int64] = []
  /// Whether `journal.jsonl` ends with bytes that are not a complete line, for example after a power cut.
  private(set) var hasTornLine = false
  /// The earliest time of a line; read only if there are journals of shards.
  private(set) var firstStart: Timestamp?
  private var lineCount = 0

  /// Reads the journals of a run; missing journals are empty, and damaged lines are skipped.
  ///
  /// Lines of one journal count in file order; lines of several journals are merged by their times. The clocks of machines
  /// differ; at worst, a run then looks at a file without need.
  ///
  /// - Parameters:
  ///   - folder: The run.
  ///   - observe: Called with each complete line of each journal: the journal's name, the line's bytes, and the parsed line if
  ///     it can be parsed.
  /// - Throws: `RunError.notRead`, or what `observe` throws.
  init(
    _ folder: RunFolder, observe: (String, UnsafeBufferPointer<UInt8>, JournalLine?) throws -> Void = { _, _, _ in }
  ) throws {
    files = JournalFiles(folder)
    ends = Array(repeating: 0, count: files.names.count)
    if files.names.count == 1 {
      let tail = try Self.readLines(of: files.names[0], in: folder, hasTime: false, observe) { note($0, in: 0, at: $1) }
      (ends[0], hasTornLine) = (tail.end, tail.isTorn)
      return
    }
    // A line never comes before earlier lines of its journal, even if the clock went back; so sorting keeps their order.
    var lines: [(time: Int64, line: JournalLine, file: Int, range: Range<Int64>)] = []
    for (file, name) in files.names.enumerated() {
      var time = Int64.min
      let tail = try Self.readLines(of: name, in: folder, hasTime: true, observe) { line, range in
        if let started = line.started {
          time = max(time, started.milliseconds)
          if started.milliseconds < firstStart?.milliseconds ?? .max { firstStart = started }
        }
        lines.append((time, line, file, range))
      }
      ends[file] = tail.end
      if file == 0 { hasTornLine = tail.isTorn }
    }
    lines.sort { ($0.time, $0.file, $0.range.lowerBound) < ($1.time, $1.file, $1.range.lowerBound) }
    for (_, line, file, range) in lines { note(line, in: file, at: range) }
  }

  /// Reads one journal; returns where its last complete line ends, and whether more bytes follow.
  private static func readLines(
    of name: String, in folder: RunFolder, hasTime: Bool,
    _ observe: (String, UnsafeBufferPointer<UInt8>, JournalLine?) throws -> Void,
    _ body: (JournalLine, Range<Int64>) -> Void
  ) throws -> (end: Int64, isTorn: Bool) {
    var tail: (end: Int64, isTorn: Bool) = (0, false)
    do {
      try FileReader.forEachLine(of: folder.file(name)) { start, line, isWhole in
        let range = start..<(start + Int64(line.count))
        guard isWhole else {
          tail.isTorn = true
          return
        }
        let entry = JournalLine(line: line, hasTime: hasTime)
        try observe(name, line, entry)
        tail.end = range.upperBound + 1
        if let entry { body(entry, range) }
      }
    } catch RunError.notRead(_, let code) where code == ENOENT || code == ESTALE || code == ENOTDIR {
      // Another machine may have removed the file since the folder was listed.
    }
    return tail
  }

  /// Adds a line, which replaces earlier lines about the image.
  mutating func note(_ line: JournalLine, in file: Int, at range: Range<Int64>) {
    let position = JournalPosition(order: lineCount, file: Int32(file), range: range)
    lineCount += 1
    switch line.event {
    case .done(let files, let isReused):
      images[line.id] = Image(files: files, isReused: isReused, line: position)
      failures[line.id] = nil
      if !requeued.isEmpty { requeued[line.id] = nil }
    case .failed:
      failures[line.id] = position
      if !requeued.isEmpty { requeued[line.id] = nil }
    case .requeued:
      images[line.id] = nil
      failures[line.id] = nil
      requeued[line.id] = position
    }
    ends[file] = range.upperBound + 1
  }

  /// Adds a journal, and returns its number.
  mutating func add(_ name: String) -> Int {
    files.names.append(name)
    ends.append(0)
    return files.names.count - 1
  }
}

/// Gives access to the lines of journals.
protocol JournalLines {
  /// The index of the lines.
  var index: JournalIndex { get }

  /// The entry at a line; nil for a damaged one.
  func entry(at line: JournalPosition, hasIdentity: Bool) throws -> JournalEntry?
}

extension JournalLines {
  /// The line about a finished image.
  func image(_ id: JobID) throws -> FinishedImage? {
    guard let line = index.images[id]?.line, case .done(let image) = try entry(at: line, hasIdentity: false) else {
      return nil
    }
    return image
  }

  /// The line about a job that failed and was not finished since then.
  func failure(_ id: JobID) throws -> FailedJob? {
    guard let line = index.failures[id], case .failed(let job) = try entry(at: line, hasIdentity: false) else {
      return nil
    }
    return job
  }

  /// The line that put an image back into the queue.
  func requeued(_ id: JobID) throws -> RequeuedJob? {
    guard let line = index.requeued[id], case .requeued(let job) = try entry(at: line, hasIdentity: false) else {
      return nil
    }
    return job
  }
}

/// Reads single lines of a run's journals.
private final class JournalLineReader {
  private let folder: RunFolder
  private var readers: [Int32: FileReader] = [:]
  /// The piece that was read last: its file, its start and its bytes.
  private var piece: (file: Int32, start: Int64, bytes: [UInt8]) = (-1, 0, [])
  /// The end of the last line that was asked for.
  private var end: (file: Int32, offset: Int64) = (-1, 0)

  /// The number of bytes that are read at once when lines are asked for in order.
  private static let pieceSize: Int64 = 1 << 18

  init(_ folder: RunFolder) { self.folder = folder }

  func entry(at line: JournalPosition, of files: JournalFiles, hasIdentity: Bool) throws -> JournalEntry? {
    try bytes(of: line, of: files).withUnsafeBufferPointer { JournalEntry(line: $0, hasIdentity: hasIdentity) }
  }

  func bytes(of line: JournalPosition, of files: JournalFiles) throws -> [UInt8] {
    let reader = try readers[line.file] ?? FileReader(path: folder.file(files.names[Int(line.file)]))
    readers[line.file] = reader
    var range = line.range
    if line.file != piece.file || range.lowerBound < piece.start
      || range.upperBound > piece.start + Int64(piece.bytes.count)
    {
      let isNext = line.file == end.file && (end.offset...end.offset + Self.pieceSize / 16).contains(range.lowerBound)
      if isNext { range = range.lowerBound..<max(range.upperBound, range.lowerBound + Self.pieceSize) }
      piece = (line.file, range.lowerBound, try reader.read(range))
    }
    end = (line.file, line.range.upperBound)
    let start = Int(line.range.lowerBound - piece.start)
    let count = min(line.range.count, piece.bytes.count - start)
    return Array(piece.bytes[start..<(start + count)])
  }
}

/// The journals of a run that are only read.
struct JournalReader: JournalLines {
  let index: JournalIndex
  private let lines: JournalLineReader

  /// The journals of a run, which may be missing, with their index.
  init(_ folder: RunFolder, _ index: JournalIndex) {
    self.index = index
    lines = JournalLineReader(folder)
  }

  /// Everything from which an image's identity is computed, if the journal has it.
  func identity(_ id: JobID) throws -> JSONValue? {
    guard let line = index.images[id]?.line, case .done(let image) = try entry(at: line, hasIdentity: true) else {
      return nil
    }
    return image.identity
  }

  func entry(at line: JournalPosition, hasIdentity: Bool) throws -> JournalEntry? {
    try lines.entry(at: line, of: index.files, hasIdentity: hasIdentity)
  }

  /// A line as it is in its file.
  func bytes(of line: JournalPosition) throws -> [UInt8] { try lines.bytes(of: line, of: index.files) }
}

/// The journal that a run writes: one line for every image on the disk and every failed job. A line is written after the work,
/// and is durable before anything else happens.
final class Journal: JournalLines {
  private(set) var index: JournalIndex
  private let folder: RunFolder
  private let disk: Disk
  private let lines: JournalLineReader
  private let shard: Shard?
  /// The journal that is being written, as soon as there is one.
  private var own: OwnFile?

  private struct OwnFile {
    /// The index among the index's files.
    let file: Int
    /// The number of the shard's start; 0 for ``JournalFiles/main``.
    let number: Int
    let path: String
    let descriptor: Int32
  }

  /// Opens `journal.jsonl` for writing, and removes an incomplete last line, which a power cut can leave.
  ///
  /// - Parameters:
  ///   - folder: The run, whose lock is held.
  ///   - disk: The disk.
  /// - Throws: `RunError`.
  init(_ folder: RunFolder, on disk: Disk) throws {
    self.folder = folder
    self.disk = disk
    shard = nil
    lines = JournalLineReader(folder)
    let isNew = access(folder.journal, F_OK) != 0
    index = try JournalIndex(folder)
    let descriptor = try disk.open(folder.journal, flags: O_CREAT | O_APPEND)
    own = OwnFile(file: 0, number: 0, path: folder.journal, descriptor: descriptor)
    if isNew { try disk.synchroniseFolder(folder.path) }
    if index.hasTornLine { try disk.truncate(descriptor, to: index.ends[0], path: folder.journal) }
  }

  /// The journal of a shard: a new file, which is created when there is something to write.
  ///
  /// - Parameters:
  ///   - folder: The run, in which other shards may be working.
  ///   - shard: The shard.
  ///   - disk: The disk.
  /// - Throws: `RunError.notRead`.
  init(_ folder: RunFolder, shard: Shard, on disk: Disk) throws {
    self.folder = folder
    self.disk = disk
    self.shard = shard
    lines = JournalLineReader(folder)
    index = try JournalIndex(folder)
  }

  deinit { if let own { close(own.descriptor) } }

  /// Adds a line.
  ///
  /// - Parameters:
  ///   - entry: What happened.
  ///   - isDurable: Whether to wait for the disk; otherwise, a later call of `synchronise` waits.
  /// - Throws: `RunError.notWritten`; then a partly written line is removed again.
  func append(_ entry: JournalEntry, isDurable: Bool = true) throws {
    let own = try own ?? begin()
    let line = entry.line
    let end = index.ends[own.file]
    do {
      try disk.write(line, to: own.descriptor, path: own.path)
    } catch {
      uninterrupted { ftruncate(own.descriptor, off_t(end)) }
      throw error
    }
    if isDurable { try synchronise() }
    index.note(JournalLine(entry), in: own.file, at: end..<(end + Int64(line.count) - 1))
  }

  /// Waits until all lines are on the disk.
  func synchronise() throws {
    if let own { try disk.synchronise(own.descriptor, path: own.path) }
  }

  /// The number of this start of the shard, counted from 1; creates the shard's journal if there is none yet.
  func startNumber() throws -> Int { try (own ?? begin()).number }

  /// Creates the shard's own journal, with the first number that no earlier start of the shard has.
  private func begin() throws -> OwnFile {
    guard let shard else { preconditionFailure("a run that is alone has its journal from the beginning") }
    let earlier = index.files.names.compactMap(JournalFiles.start).filter { $0.shard == shard }.map(\.number)
    // A larger number was not given by this function.
    var number = (earlier.filter { $0 < 1_000_000_000 }.max() ?? 0) + 1
    while true {
      let name = JournalFiles.name(shard, start: number)
      let path = folder.file(name)
      do {
        let descriptor = try disk.open(path, flags: O_CREAT | O_EXCL | O_APPEND)
        let own = OwnFile(file: index.add(name), number: number, path: path, descriptor: descriptor)
        self.own = own
        try disk.synchroniseFolder(folder.path)
        return own
      } catch RunError.notWritten(path, _, EEXIST) {
        // The same shard runs somewhere else at this moment.
        number += 1
      }
    }
  }

  func entry(at line: JournalPosition, hasIdentity: Bool) throws -> JournalEntry? {
    try lines.entry(at: line, of: index.files, hasIdentity: hasIdentity)
  }
}
