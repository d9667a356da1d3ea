import Foundation

/// A file that is either complete or absent at any time, even after a power cut.
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
  ///   - path: The file; an existing file is replaced.
  ///   - disk: The disk.
  /// - Returns: Size and time of the file, as the journal notes them.
  /// - Throws: `RunError.notWritten`; then the file at `path` is either unchanged or complete.
  @discardableResult
  package static func write(_ bytes: [UInt8], to path: String, on disk: Disk) throws -> FileMark {
    try write(to: path, on: disk) { file in try file.write(bytes) }
  }

  /// Writes a file from the pieces that `body` writes.
  ///
  /// - Parameters:
  ///   - path: The file; an existing file is replaced, unless it has the same bytes and `keepsEqual` is set.
  ///   - disk: The disk.
  ///   - keepsEqual: Whether a file with equal bytes stays unchanged.
  ///   - isDurable: Whether the file survives a power cut after this returns.
  ///   - body: Writes the pieces.
  /// - Returns: Size and time of the file, as the journal notes them.
  /// - Throws: `RunError.notWritten`, or what `body` throws; then the file at `path` is either unchanged or complete.
  @discardableResult
  package static func write(
    to path: String, on disk: Disk, keepsEqual: Bool = false, isDurable: Bool = true,
    _ body: (Pieces) throws -> Void
  ) throws -> FileMark {
    let known = keepsEqual ? KnownPart(path) : nil
    let file = NewFile(TemporaryFile.name(of: path, on: disk), on: disk)
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
      mark = try file.finish(isDurable: isDurable)
      try disk.rename(file.path, to: path)
    } catch {
      file.discard()
      throw error
    }
    if isDurable { try disk.synchroniseFolder((path as NSString).deletingLastPathComponent) }
    return mark
  }

  /// Writes a file unless it exists already. If several processes do this, also on several machines, the first one wins.
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
    let file = NewFile(TemporaryFile.name(of: path, on: disk), on: disk)
    defer { file.discard() }
    try file.begin(with: nil)
    try body(Pieces { try file.write($0) })
    _ = try file.finish(isDurable: true)
    // A link fails if the name exists already, also on network file systems; `rename` does not fail then.
    let isFirst = try disk.link(file.path, to: path)
    try disk.synchroniseFolder((path as NSString).deletingLastPathComponent)
    return isFirst
  }

  /// The names of everything in a folder, in no order.
  package static func names(in folder: String) throws(RunError) -> [String] {
    try names(in: folder) { _, _ in true }
  }

  /// The names of the folders in a folder, in no order; none if it cannot be read. Links to folders are among them.
  package static func folders(in folder: String) -> [String] { folders(in: folder, flags: 0) }

  /// The names of the folders in a folder, in no order, without links to folders; none if it cannot be read.
  static func ownFolders(in folder: String) -> [String] { folders(in: folder, flags: AT_SYMLINK_NOFOLLOW) }

  /// The names of the folders; `flags` are those of `fstatat`.
  private static func folders(in folder: String, flags: Int32) -> [String] {
    // Only what the folder does not tell needs a call for each name.
    var certain: Set<String> = []
    let found = try? names(in: folder) { name, kind in
      if kind == DT_DIR { certain.insert(name) }
      return kind == DT_DIR || kind == DT_UNKNOWN || (kind == DT_LNK && flags == 0)
    }
    return (found ?? []).filter { name in
      if certain.contains(name) { return true }
      var status = stat()
      return fstatat(AT_FDCWD, "\(folder)/\(name)", &status, flags) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
  }

  private static func names(
    in folder: String, _ isWanted: (String, Int) -> Bool
  ) throws(RunError) -> [String] {
    var opened: OpaquePointer?
    repeat { opened = opendir(folder) } while opened == nil && errno == EINTR
    guard let stream = opened else { throw RunError.notRead(path: folder, code: errno) }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != "..", isWanted(name, Int(entry.pointee.d_type)) { names.append(name) }
    }
    return names
  }
}

/// The file under its temporary name.
private final class NewFile {
  let path: String
  private let disk: Disk
  private var descriptor: Int32?
  /// Held until the file has its name or is removed.
  private var lock: Int32?
  private(set) var isBegun = false

  init(_ path: String, on disk: Disk) {
    self.path = path
    self.disk = disk
  }

  /// Creates the file if it does not exist, with the first bytes that it has in common with the file to replace.
  func begin(with known: KnownPart?) throws {
    if isBegun { return }
    repeat {
      let descriptor = try disk.open(path, flags: O_CREAT | O_TRUNC)
      (self.descriptor, isBegun) = (descriptor, true)
      lock = try TemporaryFile.lock(descriptor, path)
      if lock == nil {
        close(descriptor)
        self.descriptor = nil
      }
    } while lock == nil
    try known?.copy(write)
  }

  func write(_ bytes: [UInt8]) throws {
    if let descriptor { try disk.write(bytes, to: descriptor, path: path) }
  }

  /// Closes the file; if `isDurable` is set, its bytes then survive a power cut.
  func finish(isDurable: Bool) throws -> FileMark {
    guard let descriptor else { throw RunError.notWritten(path: path, action: .close, code: EBADF) }
    if isDurable { try disk.synchronise(descriptor, path: path) }
    let mark = FileMark(descriptor: descriptor)
    self.descriptor = nil
    try disk.close(descriptor, path: path)
    return mark
  }

  /// Closes and removes the file if it exists.
  func discard() {
    if let descriptor { close(descriptor) }
    descriptor = nil
    if isBegun { unlink(path) }
  }

  deinit { if let lock { close(lock) } }
}

/// The part of a file that equals the new content.
///
/// So a run that has nothing to do reads its plan, and writes nothing.
private final class KnownPart {
  private let path: String
  private let file: FileReader
  private let size: Int64
  private var count: Int64 = 0

  /// The empty part of a file; nil if the file does not exist.
  init?(_ path: String) {
    guard let size = try? FileMark(path: path).size, let file = try? FileReader(path: path) else { return nil }
    self.path = path
    self.size = size
    self.file = file
  }

  /// Whether the file continues with these bytes; then they belong to the part.
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
