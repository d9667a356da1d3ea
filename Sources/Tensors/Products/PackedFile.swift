import Glibc

/// A file of packed matrices that is mapped into memory, so that a network need not be packed again.
///
///     sdbatch packed 1\n                      the format's version
///     KEY\n                                   what the matrices were packed from and for
///     NAME\tPANELS\tBYTES\tCOLUMNS\tCOUNT\tSAMPLE\n   a line for each matrix: the offset and size of its panels, the offset and count
///                                             of its columns' scales and sums (0 without any), and a checksum of some bytes
///     CHECKSUM\n                              of the lines above
///     data                                    each part starts at a whole page
///
/// The file is written under another name, flushed and renamed, so it is complete or absent. It never changes afterwards; a
/// process that has mapped it keeps its content when another process removes it.
final class PackedFile: @unchecked Sendable {
  /// One matrix: the positions of its parts.
  struct Entry: Equatable {
    var name: String
    var panels: Int
    var bytes: Int
    var columns: Int
    var columnCount: Int
    var sample: UInt64

    /// The line at the start of the file.
    var line: String { "\(name)\t\(panels)\t\(bytes)\t\(columns)\t\(columnCount)\t\(String(sample, radix: 16))\n" }
  }

  /// The matrices by name.
  let entries: [String: Entry]
  private let start: UnsafeMutableRawPointer
  private let size: Int

  private static let title = "sdbatch packed 1"
  /// Data start at whole pages.
  static let page = 4096

  /// Maps the file at `path`; nil if there is none, or if it is incomplete or has another key.
  init?(path: String, key: String) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size >= Self.page else {
      return nil
    }
    let size = Int(status.st_size)
    guard let start = mmap(nil, size, PROT_READ, MAP_SHARED, descriptor, 0), start != MAP_FAILED else { return nil }
    guard let entries = Self.entries(UnsafeRawBufferPointer(start: start, count: size), key: key) else {
      munmap(start, size)
      return nil
    }
    // Use huge pages if the file system has them, and let the disk read ahead.
    madvise(start, size, MADV_HUGEPAGE)
    madvise(start, size, MADV_WILLNEED)
    // The time of the last use decides which files are removed first.
    futimens(descriptor, nil)
    (self.start, self.size, self.entries) = (start, size, entries)
  }

  deinit { munmap(start, size) }

  /// The panels of a matrix.
  func panels(_ entry: Entry) -> UnsafeMutableRawPointer { start + entry.panels }

  /// The scales of a matrix's columns, followed by their sums; nil if there are none.
  func columns(_ entry: Entry) -> UnsafeMutableRawPointer? { entry.columnCount > 0 ? start + entry.columns : nil }

  private static func entries(_ file: UnsafeRawBufferPointer, key: String) -> [String: Entry]? {
    var lines: [Substring] = []
    var at = 0
    let limit = min(file.count, 16 << 20)
    func nextLine() -> String? {
      guard let end = file[at..<limit].firstIndex(of: 10) else { return nil }
      defer { at = end + 1 }
      return String(decoding: file[at..<end], as: UTF8.self)
    }
    guard nextLine() == title, nextLine() == key else { return nil }
    var entries: [String: Entry] = [:]
    while true {
      let before = at
      guard let line = nextLine() else { return nil }
      lines = line.split(separator: "\t", omittingEmptySubsequences: false)
      if lines.count == 1 {
        guard UInt64(line, radix: 16) == checksum(UnsafeRawBufferPointer(rebasing: file[0..<before])) else {
          return nil
        }
        return entries
      }
      guard lines.count == 6, let panels = Int(lines[1]), let bytes = Int(lines[2]), let columns = Int(lines[3]),
        let count = Int(lines[4]), let sample = UInt64(lines[5], radix: 16), panels >= 0, bytes > 0, columns >= 0,
        count >= 0, bytes <= file.count, panels <= file.count - bytes, count <= file.count / 8,
        columns <= file.count - count * 8, panels % page == 0, columns % page == 0
      else { return nil }
      let entry = Entry(
        name: String(lines[0]), panels: panels, bytes: bytes, columns: columns, columnCount: count, sample: sample)
      guard Self.sample(UnsafeRawBufferPointer(rebasing: file[panels..<panels + bytes])) == sample else { return nil }
      entries[entry.name] = entry
    }
  }

  // MARK: Checksums

  /// FNV-1a of all bytes.
  private static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }

  /// A checksum of the first, middle and last bytes, which shows blocks that a disk lost.
  private static func sample(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    let length = min(512, bytes.count)
    return [0, (bytes.count - length) / 2, bytes.count - length].reduce(0) { sum, first in
      sum &* 31 &+ checksum(UnsafeRawBufferPointer(rebasing: bytes[first..<first + length]))
    }
  }

  // MARK: Writing

  /// One matrix to write.
  struct Part {
    let name: String
    let panels: UnsafeRawBufferPointer
    /// The scales and the sums of the columns, of equal sizes; empty if there are none.
    let scales: UnsafeRawBufferPointer
    let sums: UnsafeRawBufferPointer
  }

  /// The approximate size in bytes of a file with these matrices.
  static func size(of parts: [Part]) -> Int {
    parts.reduce(2 * page) { $0 + $1.panels.count + 2 * $1.scales.count + 2 * page + $1.name.utf8.count + 100 }
  }

  /// Writes a file atomically: under another name, flushed, then renamed.
  ///
  /// - Parameters:
  ///   - path: The file's path; its folder must exist.
  ///   - key: What the matrices were packed from and for; one line.
  ///   - parts: The matrices.
  /// - Returns: Whether the file was written.
  static func write(_ path: String, key: String, _ parts: [Part]) -> Bool {
    func rounded(_ offset: Int) -> Int { (offset + page - 1) / page * page }
    func head(_ entries: [Entry]) -> [UInt8] {
      var bytes = Array("\(title)\n\(key)\n".utf8)
      for entry in entries { bytes += Array(entry.line.utf8) }
      let sum = bytes.withUnsafeBytes { checksum($0) }
      return bytes + Array("\(String(sum, radix: 16))\n".utf8)
    }
    // Offsets have up to 20 digits, so the head is at most as long as with these.
    let longest = parts.map {
      Entry(name: $0.name, panels: .max, bytes: .max, columns: .max, columnCount: .max, sample: .max)
    }
    var offset = rounded(head(longest).count + 32)
    var entries: [Entry] = []
    for part in parts {
      var entry = Entry(
        name: part.name, panels: offset, bytes: part.panels.count, columns: 0, columnCount: 0,
        sample: sample(part.panels))
      offset = rounded(offset + part.panels.count)
      if !part.scales.isEmpty {
        (entry.columns, entry.columnCount) = (offset, part.scales.count / 4)
        offset = rounded(offset + part.scales.count + part.sums.count)
      }
      entries.append(entry)
    }
    let temporary = "\(path).\(getpid())-\(UInt32.random(in: 0 ... .max)).new"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { return false }
    var isWritten = ftruncate(descriptor, off_t(offset)) == 0
    head(entries).withUnsafeBytes { isWritten = isWritten && write(descriptor, $0, at: 0) }
    for (part, entry) in zip(parts, entries) where isWritten {
      isWritten = write(descriptor, part.panels, at: entry.panels)
      if isWritten, entry.columnCount > 0 {
        isWritten =
          write(descriptor, part.scales, at: entry.columns)
          && write(descriptor, part.sums, at: entry.columns + part.scales.count)
      }
    }
    isWritten = isWritten && fsync(descriptor) == 0
    isWritten = close(descriptor) == 0 && isWritten
    guard isWritten, rename(temporary, path) == 0 else {
      unlink(temporary)
      return false
    }
    return true
  }

  private static func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int) -> Bool {
    var done = 0
    while done < bytes.count {
      // Write a megabyte at a time, so that a process that is asked to stop does not wait for long.
      let count = pwrite(
        descriptor, bytes.baseAddress.map { $0 + done }, min(bytes.count - done, 1 << 20), off_t(offset + done))
      if count > 0 {
        done += count
      } else if count == 0 || errno != EINTR {
        return false
      }
    }
    return true
  }
}
