import Hashing
import Foundation
import JSON
import Runs
import Text

/// What the file of an answer can be recognised by.
struct DocumentMark: Hashable {
  /// When it was written.
  var mark: FileMark
  var sha256: String

  /// Whether the file is the one that was written; it is read only if size and time do not decide.
  func isIntact(_ path: String) -> Bool {
    guard let found = try? FileMark(path: path), found.size == mark.size else { return false }
    return found == mark || (try? FileReader.sha256(of: path)) == sha256
  }
}

/// `responses.jsonl`: which requests were answered, one line for each answer, written when its file and its entry in the
/// outbox are durable. Requests without a line are answered again.
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
  /// What the files of these answers can be recognised by; earlier versions did not note it.
  private var documents: [String: DocumentMark] = [:]

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
    (entries, documents) = Self.read(bytes[..<end])
    self.end = Int64(end)
    descriptor = try disk.open(path, flags: O_CREAT | O_APPEND)
    if isNew { try disk.synchroniseFolder(folder.path) }
    if end < bytes.count { try disk.truncate(descriptor, to: Int64(end), path: path) }
  }

  deinit { close(descriptor) }

  /// Reads lines; the last one about an answer counts.
  static func read(_ bytes: ArraySlice<UInt8>) -> (entries: [String: Entry], documents: [String: DocumentMark]) {
    var (entries, documents): ([String: Entry], [String: DocumentMark]) = ([:], [:])
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      // A line that cannot be read leaves its request unanswered.
      guard let value = Array(line).withUnsafeBufferPointer({ try? JSONValue(parsing: $0) }), let entry = Entry(value)
      else { continue }
      entries[entry.id] = entry
      documents[entry.id] = DocumentMark(value)
    }
    return (entries, documents)
  }

  /// Whether the file of an answer is there as it was written.
  func hasIntact(_ id: String, at path: String) -> Bool {
    documents[id]?.isIntact(path) ?? (access(path, F_OK) == 0)
  }

  /// Adds an answer, durable when this returns; a part of a line that got into the file is cut off again.
  func append(_ entry: Entry, _ document: DocumentMark) throws {
    let line = entry.line(document)
    do {
      try disk.write(line, to: descriptor, path: path)
    } catch {
      uninterrupted { ftruncate(descriptor, off_t(end)) }
      throw error
    }
    try disk.synchronise(descriptor, path: path)
    end += Int64(line.count)
    entries[entry.id] = entry
    documents[entry.id] = document
  }
}

extension ResponseRecord.Entry {
  fileprivate init?(_ value: JSONValue) {
    guard let id = value["id"]?.text,
      let status = value["status"]?.text.flatMap(ResponseStatus.init), let digest = value["digest"]?.text
    else { return nil }
    self.init(id: id, status: status, digest: digest, error: value["error"]?.text)
  }

  fileprivate func line(_ document: DocumentMark) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("id", id)
      writer.member("status", status.rawValue)
      writer.member("digest", digest)
      writer.member("error", error)
      writer.member("size", document.mark.size)
      writer.member("modified", document.mark.modified)
      writer.member("sha256", document.sha256)
    }
    writer.endLine()
    return writer.bytes
  }
}

extension DocumentMark {
  fileprivate init?(_ value: JSONValue) {
    guard let size = value["size"]?.integerValue, let modified = value["modified"]?.integerValue,
      let sha256 = value["sha256"]?.text
    else { return nil }
    self.init(mark: FileMark(size: size, modified: modified), sha256: sha256)
  }
}
