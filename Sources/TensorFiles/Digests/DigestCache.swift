import Hashing
import Foundation
import Text

/// A cache of file digests by path, size and time of modification, because reading a model takes seconds.
///
/// Each file has a separate entry in `$XDG_CACHE_HOME/sdbatch/digests` (`~/.cache/sdbatch/digests` by default). An entry is
/// replaced as a whole, so processes cannot disturb each other. An entry is ignored if it cannot be read or does not match the
/// file's current state. A failure to write one is not an error.
public struct DigestCache: Sendable {
  /// The folder with the entries; nil to compute every digest.
  let folder: String?
  /// The user's cache folder for this program; nil if the environment names none.
  package let cacheFolder: String?

  /// Creates the cache of the user with these environment variables.
  public init(environment: [String: String]) {
    // The XDG specification says to ignore paths that are not absolute.
    let caches = [environment["XDG_CACHE_HOME"], environment["HOME"].map { $0 + "/.cache" }]
    cacheFolder = caches.compactMap { $0 }.first { $0.hasPrefix("/") }.map { $0 + "/sdbatch" }
    folder = cacheFolder.map { $0 + "/digests" }
  }

  /// The SHA-256 of the file at `path`, from the cache or computed, in lower-case hexadecimal.
  public func sha256(ofFileAt path: String) throws(TensorFileError) -> String { try sha256(of: .file, at: path) }

  /// The SHA-256 of the bytes after the header of the safetensors file at `path`, from the cache or computed.
  public func sha256(ofSafetensorsDataAt path: String) throws(TensorFileError) -> String {
    try sha256(of: .safetensorsData, at: path)
  }

  /// The webui's hash of a file of the LoRA family, which `Lora hashes` shows.
  ///
  /// It is the hash that the training program stored in the metadata. If there is none, it is the digest of the bytes after a
  /// safetensors file's header, which does not change when the metadata are edited.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - metadata: The file's metadata.
  /// - Returns: 12 hexadecimal digits.
  /// - Throws: `TensorFileError` for a file that cannot be read.
  public func adapterHash(ofFileAt path: String, metadata: [String: String]) throws(TensorFileError) -> String {
    if let hash = metadata["sshs_model_hash"], !hash.isEmpty { return String(hash.prefix(12)) }
    let isSafetensors = path.lowercased().hasSuffix(".safetensors")
    return String((isSafetensors ? try sha256(ofSafetensorsDataAt: path) : try sha256(ofFileAt: path)).prefix(12))
  }

  private func sha256(of extent: FileDigest.Extent, at path: String) throws(TensorFileError) -> String {
    guard let folder, let realPath = Self.realPath(path) else {
      return try FileDigest.sha256(of: extent, at: path, status: { _ in })
    }
    // The entry of a whole file has only its path; other extents add a line.
    let name = extent == .file ? realPath : realPath + "\n" + extent.rawValue
    let entryPath = folder + "/" + Hexadecimal.text(SHA256.hash(Data(name.utf8)))
    if let digest = Self.cached(entryPath, key: Self.key(realPath, name)) { return digest }

    var states: [Entry] = []
    let started = Self.now
    let digest = try FileDigest.sha256(of: extent, at: path) { states.append(Entry(path: name, $0)) }
    // A file that changes twice within a clock tick keeps its time. So do not cache a file that is that new, or one that
    // changed while it was read.
    if states.count == 2, states[0] == states[1], states[0].nanoseconds < started - 50_000_000 {
      Self.store(entryPath, in: folder, states[0].text(digest: digest))
    }
    return digest
  }

  /// The digest of some files of a folder, see `FileDigest.sha256(ofFilesByRelativePath:)`.
  public func sha256(ofFiles relativePaths: [String], in folder: String) throws(TensorFileError) -> String {
    var digests: [String: String] = [:]
    for path in relativePaths { digests[path] = try sha256(ofFileAt: "\(folder)/\(path)") }
    return FileDigest.sha256(ofFilesByRelativePath: digests)
  }

  /// The digest of a file, or of several files' digests in this order.
  public func sha256(ofFilesAt paths: [String]) throws(TensorFileError) -> String {
    var digests: [String] = []
    for path in paths { digests.append(try sha256(ofFileAt: path)) }
    return digests.count == 1 ? digests[0] : Hexadecimal.text(SHA256.hash(Data(digests.joined().utf8)))
  }

  /// The state of a file for which an entry is valid.
  private struct Entry: Equatable {
    var path: String
    var size: Int
    /// The time of modification, in nanoseconds since 1970.
    var nanoseconds: Int

    init(path: String, _ status: stat) {
      self.path = path
      size = Int(status.st_size)
      nanoseconds = Int(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int(status.st_mtim.tv_nsec)
    }

    /// The whole text of an entry. It is compared as a whole, so a damaged entry does not match.
    func text(digest: String) -> String { "sdbatch digest 1\n\(size) \(nanoseconds)\n\(digest)\n\(path)\n" }
  }

  private static func key(_ path: String, _ name: String) -> Entry? {
    var status = stat()
    return stat(path, &status) == 0 ? Entry(path: name, status) : nil
  }

  private static func cached(_ entryPath: String, key: Entry?) -> String? {
    guard let key, let file = try? ByteFile(path: entryPath), file.count < 1 << 16,
      let bytes = try? file.prefix(file.count)
    else { return nil }
    let text = String(decoding: bytes, as: UTF8.self)
    let lines = text.split(separator: "\n", maxSplits: 3, omittingEmptySubsequences: false)
    guard lines.count == 4 else { return nil }
    let digest = String(lines[2])
    let digits = Set("0123456789abcdef")
    guard digest.utf8.count == 64, digest.allSatisfy(digits.contains) else { return nil }
    return text == key.text(digest: digest) ? digest : nil
  }

  private static func store(_ entryPath: String, in folder: String, _ text: String) {
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let temporary = "\(entryPath).\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
    let descriptor = uninterrupted { open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600) }
    guard descriptor >= 0 else { return }
    let bytes = Array(text.utf8)
    let written = uninterrupted { write(descriptor, bytes, bytes.count) }
    guard close(descriptor) == 0, written == bytes.count, uninterrupted({ rename(temporary, entryPath) }) == 0 else {
      unlink(temporary)
      return
    }
    // Do this only sometimes, because listing the folder takes time.
    if UInt8.random(in: 0...255) == 0 { prune(folder) }
  }

  /// The limit of entries, more than the number of models anyone has. Without it, entries of deleted files would accumulate.
  static let entryLimit = 4096

  /// Removes the oldest entries if there are too many. Digests that are needed again are computed again.
  static func prune(_ folder: String) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    guard names.count > entryLimit else { return }
    let ages = names.map { name in
      var status = stat()
      let isThere = stat("\(folder)/\(name)", &status) == 0
      return (name: name, seconds: isThere ? Int(status.st_mtim.tv_sec) : 0)
    }
    for entry in ages.sorted(by: { $0.seconds < $1.seconds }).prefix(names.count - entryLimit / 2) {
      unlink("\(folder)/\(entry.name)")
    }
  }

  private static func realPath(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  private static var now: Int {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
  }
}
