import Hashing
import Foundation
import JSON
import Runs
import Text

/// `responses.jsonl` records which requests were answered. Each answer has a line, written when its file and its entry in the
/// outbox are durable. A request without a line is answered again.
final class ResponseRecord {
  /// An answer that was given.
  struct Entry: Hashable {
    var id: String
    var status: ResponseStatus
    /// A digest of the request and its images.
    var digest: String
    /// Why images are missing.
    var error: String?

    /// Distinguishes this answer from other answers to the same request: 16 hexadecimal digits, independent of times.
    var fingerprint: String {
      Hexadecimal.text(SHA256.hash(Array("\(digest) \(status.rawValue) \(error ?? "")".utf8)).prefix(8))
    }
  }

  private let path: String
  private let disk: Disk
  private let descriptor: Int32
  /// Where the last whole line ends.
  private var end: Int64
  /// The last answer to each request.
  private(set) var entries: [String: Entry] = [:]

  /// Opens the record of a run for writing. A last line that a power cut left incomplete is removed.
  ///
  /// - Parameters:
  ///   - folder: The run folder; the caller holds its lock.
  ///   - disk: The disk.
  /// - Throws: `RunError`.
  init(_ folder: RunFolder, on disk: Disk) throws {
    path = folder.responseRecord
    self.disk = disk
    let isNew = access(path, F_OK) != 0
    let bytes = isNew ? [] : try FileReader.bytes(of: path)
    let end = bytes.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    for line in bytes[..<end].split(separator: UInt8(ascii: "\n")) {
      // A line that cannot be read leaves its request unanswered.
      guard let entry = Entry(line: Array(line)) else { continue }
      entries[entry.id] = entry
    }
    self.end = Int64(end)
    descriptor = try disk.open(path, flags: O_CREAT | O_APPEND)
    if isNew { try disk.synchroniseFolder(folder.path) }
    if end < bytes.count { try disk.truncate(descriptor, to: Int64(end), path: path) }
  }

  deinit { close(descriptor) }

  /// Adds an answer, durable when this returns. On an error, a partly written line is removed again.
  func append(_ entry: Entry) throws {
    let line = entry.line
    do {
      try disk.write(line, to: descriptor, path: path)
    } catch {
      uninterrupted { ftruncate(descriptor, off_t(end)) }
      throw error
    }
    try disk.synchronise(descriptor, path: path)
    end += Int64(line.count)
    entries[entry.id] = entry
  }
}

extension ResponseRecord.Entry {
  fileprivate init?(line: [UInt8]) {
    guard let value = line.withUnsafeBufferPointer({ try? JSONValue(parsing: $0) }), let id = value["id"]?.text,
      let status = value["status"]?.text.flatMap(ResponseStatus.init), let digest = value["digest"]?.text
    else { return nil }
    self.init(id: id, status: status, digest: digest, error: value["error"]?.text)
  }

  fileprivate var line: [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("id", id)
      writer.member("status", status.rawValue)
      writer.member("digest", digest)
      writer.member("error", error)
    }
    writer.endLine()
    return writer.bytes
  }
}
