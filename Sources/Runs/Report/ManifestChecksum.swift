import Foundation
import Hashing
import JSON
import Settings
import Text

/// The checksum at the end of a manifest: SHA-256 of its entries and of everything from which they are made.
///
/// Most nights add a few images to many, and some add none. As long as the checksum is right, the entries are those that would
/// be written again: they are copied instead. Damaged entries are never copied.
struct ManifestChecksum {
  private var hash = SHA256()

  /// The checksum of the entries' sources, without entries yet.
  ///
  /// - Parameters:
  ///   - states: The state of each job.
  ///   - engine: What made the images.
  ///   - folder: The run, whose plan and journals are complete.
  /// - Throws: `RunError.notRead`.
  init(of states: some Sequence<JobState>, _ engine: EngineDescription, in folder: RunFolder) throws {
    var writer = JSONWriter()
    writer.array { writer in
      writer.string(engine.version)
      writer.string(engine.isa)
      // Another build of the program may write other entries.
      writer.string(Self.program)
      // The webui's time stamps are in local time.
      writer.string(TimeZone.current.identifier)
    }
    hash.update(writer.bytes)
    hash.update(states.map { UInt8(ascii: $0.rawValue.unicodeScalars.first ?? "?") })
    for path in [folder.plan] + folder.journals {
      hash.update("\n\((try? FileMark(path: path).size) ?? 0)\n".utf8)
      try FileReader.forEachPiece(of: path) { hash.update($0) }
    }
  }

  /// Adds a part of the entries.
  mutating func add(_ bytes: [UInt8]) { hash.update(bytes) }

  /// The checksum of what was added, in lower-case hexadecimal.
  var text: String { Hexadecimal.text(hash.finalize()) }

  private static let program: String = {
    var status = stat()
    guard stat("/proc/self/exe", &status) == 0 else { return UUID().uuidString }
    return "\(status.st_size) \(status.st_mtim.tv_sec) \(status.st_mtim.tv_nsec) \(status.st_ino)"
  }()
}

/// The entries of a manifest whose checksum is right.
struct CheckedEntries {
  private let reader: FileReader
  private let range: Range<Int64>

  private static let start = Array("\n\"jobs\":[".utf8)
  private static func end(_ checksum: String) -> [UInt8] { Array("\n],\n\"checksum\":\"\(checksum)\"\n}\n".utf8) }

  /// Finds the entries; nil if there is no manifest, it has another checksum, or its entries are damaged.
  ///
  /// - Parameters:
  ///   - path: The manifest.
  ///   - sources: The checksum that it would have without entries.
  init?(_ path: String, sources: ManifestChecksum) {
    guard let reader = try? FileReader(path: path), let size = try? FileMark(path: path).size else { return nil }
    self.reader = reader
    let end = Self.end(sources.text)
    guard size > end.count, let start = Self.start(in: reader, size) else { return nil }
    range = start..<max(start, size - Int64(end.count))
    var checksum = sources
    try? forEachPiece { checksum.add($0) }
    guard (try? reader.read(range.upperBound..<size)) == Self.end(checksum.text) else { return nil }
  }

  /// Passes on the bytes of the entries, piece by piece.
  func forEachPiece(_ body: ([UInt8]) throws -> Void) throws {
    for start in stride(from: range.lowerBound, to: range.upperBound, by: 1 << 20) {
      try body(reader.read(start..<min(start + 1 << 20, range.upperBound)))
    }
  }

  /// Where the entries begin: after recipe and models, which may be long.
  private static func start(in reader: FileReader, _ size: Int64) -> Int64? {
    var length: Int64 = 1 << 16
    while true {
      guard let head = try? reader.read(0..<min(length, size)) else { return nil }
      if let offset = head.firstRange(of: start)?.upperBound { return Int64(offset) }
      if length >= size { return nil }
      length *= 8
    }
  }
}
