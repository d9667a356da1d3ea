import Foundation
import Settings
import Text

/// The images in all run folders of this user, by identity, so a run does not have to make an image that another folder has.
///
/// A text file, `$XDG_CACHE_HOME/sdbatch/images.tsv` (`~/.cache` by default), with one line for each image: identity, digest of
/// the file, digest of the pixels, number of restored faces, absolute path. Lines are appended with a lock, and each is durable
/// before the next image begins. It is a cache: a line counts only after the file's digest was compared, and if the file cannot
/// be read or written, the run continues without it.
public struct ImageStore: Sendable {
  /// An image in a run folder.
  struct Entry: Hashable {
    var id: JobID
    /// The hash of the file.
    var sha256: String
    /// The hash of the RGB bytes.
    var pixelsSHA256: String
    /// How many faces were restored; nil if the job did not look for faces.
    var faces: Int?
    /// Absolute.
    var path: String
  }

  /// The file; nil if the environment names no folder for it.
  let path: String?
  private let disk: Disk
  /// When the file reaches this size, it is reduced to half of it.
  private let limit: Int64

  /// The store of the user with these environment variables.
  ///
  /// - Parameters:
  ///   - environment: `XDG_CACHE_HOME` and `HOME` are read.
  ///   - limit: The maximum number of bytes of the file; the default is enough for 150 000 images.
  ///   - disk: The disk.
  public init(environment: [String: String], limit: Int64 = 48 << 20, on disk: Disk = Disk()) {
    // The XDG specification says to ignore relative paths.
    let caches = [environment["XDG_CACHE_HOME"], environment["HOME"].map { $0 + "/.cache" }]
    path = caches.compactMap { $0 }.first { $0.hasPrefix("/") }.map { $0 + "/sdbatch/images.tsv" }
    self.limit = limit
    self.disk = disk
  }

  // MARK: Reading

  /// The entries of some images; for each image, the newest line first. Paths in `folder` are left out.
  ///
  /// - Parameters:
  ///   - wanted: Their identities.
  ///   - folder: The run that asks.
  /// - Returns: Entries, which have not been compared with the files yet.
  func entries(of wanted: Set<JobID>, outside folder: RunFolder) -> [JobID: [Entry]] {
    var found: [JobID: [Entry]] = [:]
    let own = folder.path + "/"
    forEachLine { line in
      guard let id = Self.id(line), wanted.contains(id), let entry = Entry(line), !entry.path.hasPrefix(own) else {
        return
      }
      found[id, default: []].removeAll { $0.path == entry.path }
      found[id, default: []].append(entry)
    }
    return found.mapValues { $0.reversed() }
  }

  /// The paths of some images in other run folders; only checks that the files exist.
  ///
  /// - Parameters:
  ///   - wanted: Their identities, and the files to find.
  ///   - folder: The run that asks.
  /// - Returns: The paths of the files that a run would probably use.
  public func paths(of wanted: [JobID: [ImageEncoding]], outside folder: RunFolder) -> [JobID: String] {
    if wanted.isEmpty { return [:] }
    var paths: [JobID: String] = [:]
    for (id, entries) in entries(of: Set(wanted.keys), outside: folder) {
      paths[id] =
        entries.first { entry in
          guard (try? FileMark(path: entry.path)) != nil else { return false }
          // A lossy file can only be used for its own format.
          return !entry.path.hasSuffix(ImageEncoding.jpeg(quality: 1).ending)
            || wanted[id]?.map(\.ending) == [ImageEncoding.jpeg(quality: 1).ending]
        }?.path
    }
    return paths
  }

  private func forEachLine(_ body: (UnsafeBufferPointer<UInt8>) -> Void) {
    guard let path else { return }
    try? FileReader.forEachLine(of: path) { _, line, isWhole in if isWhole { body(line) } }
  }

  /// The identity at the start of a line; fast, since most lines belong to other images.
  private static func id(_ line: UnsafeBufferPointer<UInt8>) -> JobID? {
    guard line.count > 64, line[64] == UInt8(ascii: "\t") else { return nil }
    return JobID(String(decoding: line[..<64], as: UTF8.self))
  }

  // MARK: Writing

  /// Adds images if that is possible.
  ///
  /// - Parameter entries: What a run has published.
  func add(_ entries: [Entry]) {
    guard let path else { return }
    let lines = entries.compactMap(\.line).flatMap(\.self)
    if lines.isEmpty { return }
    do {
      try disk.makeFolder((path as NSString).deletingLastPathComponent)
      try withLock(path) { descriptor in
        var bytes = lines
        // A process that was killed may have left part of a line.
        if try Self.endsTorn(path) { bytes.insert(UInt8(ascii: "\n"), at: 0) }
        try disk.write(bytes, to: descriptor, path: path)
        try disk.synchronise(descriptor, path: path)
        if try FileMark(path: path).size > limit { try compact(path) }
      }
    } catch {
      // The only loss is that the next run makes the image again.
    }
  }

  /// Calls `body` with the file, while no other process writes it.
  private func withLock(_ path: String, _ body: (Int32) throws -> Void) throws {
    while true {
      let descriptor = try disk.open(path, flags: O_CREAT | O_APPEND)
      defer { close(descriptor) }
      // Other processes hold the lock for milliseconds; a process that was suspended while it has the lock must not stop this
      // run.
      var tries = 0
      while uninterrupted({ flock(descriptor, LOCK_EX | LOCK_NB) }) != 0 {
        tries += 1
        guard errno == EWOULDBLOCK, tries < 200 else {
          throw RunError.notWritten(path: path, action: .lock, code: errno)
        }
        usleep(10_000)
      }
      // Another process may have compacted the file in the meantime, which replaces it.
      var (own, current) = (stat(), stat())
      guard fstat(descriptor, &own) == 0, stat(path, &current) == 0, own.st_ino == current.st_ino,
        own.st_dev == current.st_dev
      else { continue }
      return try body(descriptor)
    }
  }

  private static func endsTorn(_ path: String) throws -> Bool {
    let size = try FileMark(path: path).size
    return size > 0 ? try FileReader(path: path).read(size - 1..<size) != [UInt8(ascii: "\n")] : false
  }

  /// Replaces the file by its newest lines, up to half of the limit, without lines of files that no longer exist.
  private func compact(_ path: String) throws {
    var lines: [Entry: Int] = [:]
    var count = 0
    forEachLine { line in
      if let entry = Entry(line) { lines[entry] = count }
      count += 1
    }
    var kept: [[UInt8]] = []
    var size: Int64 = 0
    for (entry, _) in lines.sorted(by: { $0.value > $1.value }) {
      guard access(entry.path, F_OK) == 0, let line = entry.line else { continue }
      size += Int64(line.count)
      if size > limit / 2 { break }
      kept.append(line)
    }
    DerivedFile.removeLeftovers(of: [path])
    try AtomicFile.write(kept.reversed().flatMap(\.self), to: path, on: disk.shared)
  }
}

extension ImageStore.Entry {
  /// Reads a line without its line feed; nil for a damaged line.
  init?(_ line: UnsafeBufferPointer<UInt8>) {
    let fields = String(decoding: line, as: UTF8.self).split(separator: "\t", omittingEmptySubsequences: false)
    guard fields.count == 5, let id = JobID(fields[0]), JobID(fields[1]) != nil, JobID(fields[2]) != nil,
      fields[3].isEmpty || Int(fields[3]) != nil, fields[4].hasPrefix("/")
    else { return nil }
    self.init(
      id: id, sha256: String(fields[1]), pixelsSHA256: String(fields[2]), faces: Int(fields[3]), path: String(fields[4])
    )
  }

  /// The line with its line feed; nil if the path contains characters that end a line or a field.
  var line: [UInt8]? {
    if path.utf8.contains(where: { $0 < 0x20 }) { return nil }
    let fields = [id.description, sha256, pixelsSHA256, faces.map { "\($0)" } ?? "", path]
    return Array((fields.joined(separator: "\t") + "\n").utf8)
  }

  /// What a run published: the files that preserve the pixels, or the main file if there are none.
  static func all(of image: FinishedImage, in folder: RunFolder) -> [ImageStore.Entry] {
    let lossless = image.files.filter(\.encoding.isLossless)
    return (lossless.isEmpty ? Array(image.files.prefix(1)) : lossless).map { file in
      ImageStore.Entry(
        id: image.id, sha256: file.sha256, pixelsSHA256: image.pixelsSHA256, faces: image.faces,
        path: folder.file(file.file))
    }
  }
}
