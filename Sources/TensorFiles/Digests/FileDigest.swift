import Hashing
import Foundation
import Text

/// SHA-256 of files and folders, in lower-case hexadecimal.
public enum FileDigest {
  /// The digest of all bytes of the file at `path`.
  public static func sha256(ofFileAt path: String) throws(TensorFileError) -> String {
    try sha256(of: .file, at: path, status: { _ in })
  }

  /// The digest of a folder, computed from the digests of its relevant files.
  ///
  /// It is the SHA-256 of the text that `sha256sum` prints when called inside the folder with the files' relative paths,
  /// sorted by their UTF-8 bytes: for each file its 64 digits, two spaces, its relative path with `/` between components,
  /// and a line feed.
  public static func sha256(ofFilesByRelativePath digests: [String: String]) -> String {
    let paths = digests.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    let listing = paths.map { "\(digests[$0] ?? "")  \($0)\n" }.joined()
    return Hexadecimal.text(SHA256.hash(Data(listing.utf8)))
  }

  /// The part of a file that a digest covers.
  enum Extent: String {
    case file
    /// The bytes after the header of a safetensors file.
    case safetensorsData = "safetensors data"
  }

  /// The digest of the file at `path`. Calls `status` with the file's status before and after reading.
  static func sha256(of extent: Extent, at path: String, status: (stat) -> Void) throws(TensorFileError) -> String {
    let (descriptor, _) = try ByteFile.open(path)
    defer { close(descriptor) }
    var now = stat()
    if fstat(descriptor, &now) == 0 { status(now) }
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
    // Read in large pieces, because the whole file would not fit into memory.
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
    defer { buffer.deallocate() }
    if extent == .safetensorsData {
      var start: UInt64 = 0
      guard pread(descriptor, &start, 8, 0) == 8, let offset = Int(exactly: UInt64(littleEndian: start)),
        offset < Int.max - 8, lseek(descriptor, offset + 8, SEEK_SET) >= 0
      else { throw .damaged(path: path, reason: "it does not have the header of a safetensors file") }
    }
    var hasher = SHA256()
    while true {
      let count = read(descriptor, buffer.baseAddress, buffer.count)
      if count == 0 { break }
      if count < 0 {
        if errno == EINTR { continue }
        throw .unreadable(path: path, reason: "cannot read: \(ByteFile.lastError)")
      }
      hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }
    if fstat(descriptor, &now) == 0 { status(now) }
    return Hexadecimal.text(hasher.finalize())
  }
}
