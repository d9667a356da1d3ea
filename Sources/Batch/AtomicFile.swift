import Foundation

/// A file that is there whole or not at all, at any instant and after a power cut.
///
/// Temporary file in the same folder -> write -> fsync -> close -> rename -> fsync of the folder.
package enum AtomicFile {
  /// Takes the pieces of a file on its way.
  package struct Pieces {
    fileprivate let descriptor: Int32
    fileprivate let path: String
    fileprivate let disk: Disk

    package func write(_ bytes: [UInt8]) throws { try disk.write(bytes, to: descriptor, path: path) }
  }

  /// Puts bytes in place.
  ///
  /// - Parameters:
  ///   - bytes: All of the file.
  ///   - path: The file; one that is there is replaced.
  ///   - disk: The disk.
  /// - Returns: Size and time of the file, as the journal notes them.
  /// - Throws: `BatchError.notWritten`; the file at `path` is then what it was, or whole.
  @discardableResult
  package static func write(_ bytes: [UInt8], to path: String, on disk: Disk) throws -> FileMark {
    try write(to: path, on: disk) { file in try file.write(bytes) }
  }

  /// Puts in place what `body` writes, piece by piece.
  ///
  /// - Parameters:
  ///   - path: The file; one that is there is replaced, unless it holds the very same bytes and `keepsEqual` is set.
  ///   - disk: The disk.
  ///   - keepsEqual: Whether an equal file stays untouched.
  ///   - body: Writes the pieces.
  /// - Returns: Size and time of the file, as the journal notes them.
  /// - Throws: `BatchError.notWritten`, or what `body` throws; the file at `path` is then what it was, or whole.
  @discardableResult
  package static func write(
    to path: String, on disk: Disk, keepsEqual: Bool = false, _ body: (Pieces) throws -> Void
  ) throws -> FileMark {
    let path = path as NSString
    let (folder, name) = (path.deletingLastPathComponent, path.lastPathComponent)
    let temporary = "\(folder)/.\(name).\(getpid())\(temporarySuffix)"
    let descriptor = try disk.open(temporary, flags: O_CREAT | O_TRUNC)
    var isOpen = true
    do {
      try body(Pieces(descriptor: descriptor, path: temporary, disk: disk))
      if keepsEqual, isEqual(temporary, path as String) {
        isOpen = false
        try disk.close(descriptor, path: temporary)
        try disk.remove(temporary)
        return try FileMark(path: path as String)
      }
      try disk.synchronise(descriptor, path: temporary)
      isOpen = false
      try disk.close(descriptor, path: temporary)
      try disk.rename(temporary, to: path as String)
    } catch {
      if isOpen { close(descriptor) }
      unlink(temporary)
      throw error
    }
    try disk.synchroniseFolder(folder)
    return try FileMark(path: path as String)
  }

  private static let temporarySuffix = ".tmp"

  /// Removes the temporary files that killed runs left in a folder.
  ///
  /// - Parameters:
  ///   - folder: The folder; nobody else may be writing in it.
  ///   - disk: The disk.
  /// - Throws: `BatchError`, if the folder cannot be read or a file not be removed.
  package static func removeTemporaries(in folder: String, on disk: Disk) throws {
    for name in try names(in: folder) where isTemporary(name) { try disk.remove("\(folder)/\(name)") }
  }

  /// Whether a file of this name is one on its way, or what a killed run left of one.
  static func isTemporary(_ name: String) -> Bool { name.hasPrefix(".") && name.hasSuffix(temporarySuffix) }

  /// The names of all that is in a folder, in no order.
  package static func names(in folder: String) throws(BatchError) -> [String] {
    guard let stream = opendir(folder) else { throw BatchError.notRead(path: folder, code: errno) }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      names.append(
        withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
    }
    return names.filter { $0 != "." && $0 != ".." }
  }

  private static func isEqual(_ path: String, _ other: String) -> Bool {
    guard let size = try? FileMark(path: path).size, let otherSize = try? FileMark(path: other).size, size == otherSize,
      let file = try? FileReader(path: path), let otherFile = try? FileReader(path: other)
    else { return false }
    while let piece = try? file.read(), let otherPiece = try? otherFile.read() {
      if piece != otherPiece { return false }
      if piece.isEmpty { return true }
    }
    return false
  }
}
