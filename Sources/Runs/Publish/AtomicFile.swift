import Foundation
import Synchronization

/// A file that exists whole or not at all, at any instant and after a power cut.
///
/// Temporary file in the same folder -> write -> fsync -> close -> rename -> fsync of the folder.
package enum AtomicFile {
  /// Receives the pieces of a file that is being written.
  package struct Pieces {
    fileprivate let take: ([UInt8]) throws -> Void

    package func write(_ bytes: [UInt8]) throws { try take(bytes) }
  }

  /// Writes a file.
  ///
  /// - Parameters:
  ///   - bytes: All of the file.
  ///   - path: The file; one that is there is replaced.
  ///   - disk: The disk.
  /// - Returns: Size and time of the file, as the journal notes them.
  /// - Throws: `RunError.notWritten`; the file at `path` is then what it was, or whole.
  @discardableResult
  package static func write(_ bytes: [UInt8], to path: String, on disk: Disk) throws -> FileMark {
    try write(to: path, on: disk) { file in try file.write(bytes) }
  }

  /// Writes a file from the pieces that `body` writes.
  ///
  /// - Parameters:
  ///   - path: The file; one that is there is replaced, unless it holds the very same bytes and `keepsEqual` is set.
  ///   - disk: The disk.
  ///   - keepsEqual: Whether an equal file stays untouched.
  ///   - body: Writes the pieces.
  /// - Returns: Size and time of the file, as the journal notes them.
  /// - Throws: `RunError.notWritten`, or what `body` throws; the file at `path` is then what it was, or whole.
  @discardableResult
  package static func write(
    to path: String, on disk: Disk, keepsEqual: Bool = false, _ body: (Pieces) throws -> Void
  ) throws -> FileMark {
    let known = keepsEqual ? KnownPart(path) : nil
    let file = NewFile(temporaryName(path, on: disk), on: disk)
    let mark: FileMark
    do {
      try body(
        Pieces { bytes in
          if !file.isBegun, let known, known.goesOn(with: bytes) { return }
          try file.begin(with: known)
          try file.write(bytes)
        })
      if !file.isBegun, let known, known.isWhole { return try FileMark(path: path) }
      try file.begin(with: known)
      // The mark is taken before the rename, because another shard may replace or remove the file as soon as it has its name.
      mark = try file.finish()
      try disk.rename(file.path, to: path)
    } catch {
      file.discard()
      throw error
    }
    try disk.synchroniseFolder((path as NSString).deletingLastPathComponent)
    return mark
  }

  /// Writes a file unless it exists already. Of several processes, also on several machines, the first wins.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - disk: The disk.
  ///   - body: Writes the pieces.
  /// - Returns: Whether the file was written by this call.
  /// - Throws: `RunError.notWritten`, or what `body` throws.
  @discardableResult
  static func writeFirst(to path: String, on disk: Disk, _ body: (Pieces) throws -> Void) throws -> Bool {
    if access(path, F_OK) == 0 { return false }
    let file = NewFile(temporaryName(path, on: disk), on: disk)
    defer { file.discard() }
    try file.begin(with: nil)
    try body(Pieces { try file.write($0) })
    _ = try file.finish()
    // A second name fails if the name is taken, on network file systems too, which `rename` would not.
    let isFirst = try disk.link(file.path, to: path)
    try disk.synchroniseFolder((path as NSString).deletingLastPathComponent)
    return isFirst
  }

  /// The name of a file while it is written; no two processes use the same.
  static func temporaryName(_ path: String, on disk: Disk) -> String {
    let path = path as NSString
    let (folder, name) = (path.deletingLastPathComponent, path.lastPathComponent)
    // Processes on several machines may have the same number.
    let number = count.wrappingAdd(1, ordering: .relaxed).newValue
    let process =
      disk.isShared ? "\(getpid())-\(token)-\(number)\(sharedSuffix)" : "\(getpid())\(temporarySuffix)"
    return "\(folder)/.\(name).\(process)"
  }

  /// Threads of one process may write the same file at once.
  private static let count = Atomic<Int>(0)
  private static let token = String(UInt64.random(in: .min ... .max), radix: 36)
  private static let temporarySuffix = ".tmp"
  private static let sharedSuffix = ".shard.tmp"

  /// Whether a temporary file may be one that a shard is writing at this moment, here or on another machine.
  static func mayBeInUse(_ path: String) -> Bool {
    guard path.hasSuffix(sharedSuffix), let mark = try? FileMark(path: path) else { return false }
    return !mark.isOlder(thanSeconds: 24 * 3600)
  }

  /// Removes the temporary files that killed runs left in a folder.
  ///
  /// - Parameters:
  ///   - folder: A folder of a run; nobody but shards may be writing in it.
  ///   - isWritten: Whether a run writes a file of this name there.
  ///   - disk: The disk.
  /// - Throws: `RunError`, if the folder cannot be read or a file not be removed.
  package static func removeTemporaries(
    in folder: String, of isWritten: (String) -> Bool = RunFileName.isWritten, on disk: Disk
  ) throws {
    for name in try names(in: folder)
    where isTemporary(name, of: isWritten) && !mayBeInUse("\(folder)/\(name)") {
      try disk.remove("\(folder)/\(name)")
    }
  }

  /// Whether a file of this name is one on its way, or what a killed run left of one: `.plan.jsonl.123.tmp`, or from a shard
  /// `.plan.jsonl.123-token-4.shard.tmp`. Other programs have temporary files too, so what comes before the number has to be
  /// a name that this program writes.
  static func isTemporary(_ name: String, of isWritten: (String) -> Bool) -> Bool {
    guard name.hasPrefix("."), name.hasSuffix(temporarySuffix) else { return false }
    let isShared = name.hasSuffix(sharedSuffix)
    let parts = name.dropFirst().dropLast(isShared ? sharedSuffix.count : temporarySuffix.count)
    guard let dot = parts.lastIndex(of: ".") else { return false }
    let process = parts[parts.index(after: dot)...].utf8
    guard process.first.map(isDigit) == true,
      process.allSatisfy({ isDigit($0) || isShared && ($0 == UInt8(ascii: "-") || isLetter($0)) })
    else { return false }
    return isWritten(String(parts[..<dot]))
  }

  private static func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }
  private static func isLetter(_ byte: UInt8) -> Bool { UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte }

  /// The names of all that is in a folder, in no order.
  package static func names(in folder: String) throws(RunError) -> [String] {
    var opened: OpaquePointer?
    repeat { opened = opendir(folder) } while opened == nil && errno == EINTR
    guard let stream = opened else { throw RunError.notRead(path: folder, code: errno) }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      names.append(
        withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
    }
    return names.filter { $0 != "." && $0 != ".." }
  }
}

/// The file under its temporary name.
private final class NewFile {
  let path: String
  private let disk: Disk
  private var descriptor: Int32?
  private(set) var isBegun = false

  init(_ path: String, on disk: Disk) {
    self.path = path
    self.disk = disk
  }

  /// Makes the file unless it is there, beginning with the bytes that the one to replace has too.
  func begin(with known: KnownPart?) throws {
    if isBegun { return }
    descriptor = try disk.open(path, flags: O_CREAT | O_TRUNC)
    isBegun = true
    try known?.copy(write)
  }

  func write(_ bytes: [UInt8]) throws {
    if let descriptor { try disk.write(bytes, to: descriptor, path: path) }
  }

  /// Makes the file durable and closes it.
  func finish() throws -> FileMark {
    guard let descriptor else { throw RunError.notWritten(path: path, action: .close, code: EBADF) }
    try disk.synchronise(descriptor, path: path)
    let mark = FileMark(descriptor: descriptor)
    self.descriptor = nil
    try disk.close(descriptor, path: path)
    return mark
  }

  /// Closes and removes the file if it is there.
  func discard() {
    if let descriptor { close(descriptor) }
    descriptor = nil
    if isBegun { unlink(path) }
  }
}

/// The part of a file that is the same as what is to be written.
///
/// A run with nothing to do thus reads its plan, and writes nothing.
private final class KnownPart {
  private let path: String
  private let file: FileReader
  private let size: Int64
  private var count: Int64 = 0

  /// The empty part of a file; nil if there is no such file.
  init?(_ path: String) {
    guard let size = try? FileMark(path: path).size, let file = try? FileReader(path: path) else { return nil }
    self.path = path
    self.size = size
    self.file = file
  }

  /// Whether the file continues with these bytes, which then belong to the part.
  func goesOn(with bytes: [UInt8]) -> Bool {
    let range = count..<(count + Int64(bytes.count))
    guard range.upperBound <= size, (try? file.read(range)) == bytes else { return false }
    count = range.upperBound
    return true
  }

  /// Whether the part is the whole file.
  var isWhole: Bool { count == size }

  /// Hands over the part piece by piece.
  func copy(_ write: ([UInt8]) throws -> Void) throws {
    var start: Int64 = 0
    while start < count {
      let end = min(count, start + 1 << 20)
      let bytes = try file.read(start..<end)
      guard bytes.count == end - start else { throw RunError.notRead(path: path, code: EIO) }
      try write(bytes)
      start = end
    }
  }
}
