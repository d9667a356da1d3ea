import Foundation
import Hashing
import JSON
import Runs
import Settings
import Text

/// The pending announcements: one numbered file each in `outbox/`, in order. Addresses may contain secrets, so only the owner
/// can read the folder.
public final class Outbox {
  /// A pending announcement.
  struct Entry: Hashable, Sendable {
    var announcement: Announcement
    /// Its file in the outbox.
    var file: String
  }

  /// The key of an entry: a later announcement of the same document to the same address replaces the earlier one.
  private struct Subject: Hashable {
    var id: String
    var url: String

    init(_ announcement: Announcement) {
      id = announcement.id
      url = announcement.address.url
    }
  }

  private let folder: RunFolder
  private let disk: Disk
  private var entries: [Subject: Entry] = [:]
  /// The files that cannot be read, by the document's id in their names.
  private var damaged: [String: [String]] = [:]
  private var next = 0
  /// File names are sorted as text, so all numbers must have 12 digits.
  private static let numberLimit = 999_999_999_999

  /// Opens the outbox of a run, which need not exist yet.
  ///
  /// - Parameters:
  ///   - folder: The run folder. The caller holds its lock while it uses the outbox, so that no other process announces the
  ///     same.
  ///   - disk: The disk.
  /// - Throws: `RunError` if the folder cannot be read.
  public init(_ folder: RunFolder, on disk: Disk = Disk()) throws {
    self.folder = folder
    self.disk = disk
    guard access(folder.outbox, F_OK) == 0 else { return }
    try TemporaryFile.removeLeftovers(in: folder.outbox, on: disk)
    for name in try AtomicFile.names(in: folder.outbox).sorted() {
      let digits = name.utf8.prefix { $0 != UInt8(ascii: "-") }
      guard !digits.isEmpty, digits.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }) else { continue }
      // A larger number was not written by this program; announce what is in the file anyway.
      if let number = Int(Substring(digits)), number < Self.numberLimit { next = max(next, number + 1) }
      // A file that cannot be read stays until its document is announced again.
      guard let entry = read(name) else {
        let id = name.utf8.dropFirst(digits.count + 1)
        if name.hasSuffix(".json"), let id = String(id.dropLast(5)), !id.isEmpty {
          damaged[id, default: []].append(name)
        }
        continue
      }
      if let old = entries.updateValue(entry, forKey: Subject(entry.announcement)) { try remove(file: old.file) }
    }
  }

  /// The number of announcements.
  var count: Int { entries.count }

  /// The ids of documents whose announcement cannot be read, and so is not made.
  public var lost: Set<String> { Set(damaged.keys) }

  /// The announcements in their order.
  var inOrder: [Entry] { entries.values.sorted { $0.file < $1.file } }

  /// Whether an announcement is still pending.
  func contains(_ entry: Entry) -> Bool { entries[Subject(entry.announcement)] == entry }

  /// The path of an announcement's document.
  func path(_ entry: Entry) -> String { folder.file(entry.announcement.document) }

  /// Adds an announcement, durable when this returns. It replaces an earlier one of the same document to the same address.
  func add(_ announcement: Announcement) throws -> Entry {
    if access(folder.outbox, F_OK) != 0 { try disk.makeFolder(folder.outbox) }
    chmod(folder.outbox, 0o700)
    let entry = Entry(announcement: announcement, file: "\(next.padded(to: 12))-\(announcement.id).json")
    let value: JSONValue = [
      "id": .string(announcement.id), "key": .string(announcement.key), "url": .string(announcement.address.url),
      "document": .string(announcement.document), "queued": .string(Timestamp.now().iso),
      "check": .string(Self.check(announcement)),
    ]
    try AtomicFile.write(Array((value.jsonText + "\n").utf8), to: "\(folder.outbox)/\(entry.file)", on: disk)
    next = min(next + 1, Self.numberLimit)
    let old = entries.updateValue(entry, forKey: Subject(announcement))
    // At the largest number, the new file has the same name as the old one.
    if let old, old.file != entry.file { try remove(file: old.file) }
    for file in damaged.removeValue(forKey: announcement.id) ?? [] where file != entry.file { try remove(file: file) }
    return entry
  }

  /// Removes an announcement that was delivered or dropped.
  func remove(_ entry: Entry) throws {
    if contains(entry) { entries[Subject(entry.announcement)] = nil }
    try remove(file: entry.file)
  }

  private func remove(file: String) throws {
    try disk.remove("\(folder.outbox)/\(file)")
    try disk.synchroniseFolder(folder.outbox)
  }

  /// Reads a file of an outbox; nil for one that is damaged.
  static func read(_ path: String) -> Announcement? {
    guard let bytes = try? FileReader.bytes(of: path),
      let value = try? JSONValue(parsing: String(decoding: bytes, as: UTF8.self)), let id = value["id"]?.text,
      let key = value["key"]?.text, let address = value["url"]?.text.flatMap({ WebhookAddress($0) }),
      let document = value["document"]?.text, document.hasPrefix("responses/"), !document.contains("..")
    else { return nil }
    let announcement = Announcement(id: id, key: key, document: document, address: address)
    // A flipped bit in an address would send the document to somebody else. Earlier versions wrote no check.
    if let check = value["check"], check != .string(Self.check(announcement)) { return nil }
    return announcement
  }

  private func read(_ name: String) -> Entry? {
    Self.read("\(folder.outbox)/\(name)").map { Entry(announcement: $0, file: name) }
  }

  private static func check(_ announcement: Announcement) -> String {
    let parts = [announcement.id, announcement.key, announcement.address.url, announcement.document]
    return Hexadecimal.text(SHA256.hash(Array(parts.joined(separator: "\n").utf8)).prefix(8))
  }
}
