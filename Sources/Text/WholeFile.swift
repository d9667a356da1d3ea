import Foundation

/// Reads files whole.
package enum WholeFile {
  /// Why a file was not read.
  package enum Failure: Error, Hashable {
    /// The system refused; the code is an `errno`.
    case notRead(code: Int32)
    /// The file is longer than the limit.
    case tooLong
  }

  /// All bytes of a file.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - limit: The most bytes to take, since the file may be an endless device.
  ///   - isRegular: Whether to refuse pipes and devices. Opening a pipe would wait for a writer.
  /// - Returns: The bytes.
  /// - Throws: `Failure`.
  package static func bytes(
    of path: String, limit: Int = .max, isRegular: Bool = false
  ) throws(Failure) -> [UInt8] {
    let descriptor = uninterrupted { open(path, O_RDONLY | O_CLOEXEC | (isRegular ? O_NONBLOCK : 0)) }
    guard descriptor >= 0 else { throw .notRead(code: errno) }
    defer { close(descriptor) }
    var status = stat()
    let isFile = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    if isRegular, !isFile { throw .notRead(code: status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL) }
    let expected = isFile ? Int(status.st_size) : 0
    if expected > limit { throw .tooLong }
    var bytes = [UInt8](repeating: 0, count: max(expected + 1, 64 << 10))
    var count = 0
    while true {
      let result = bytes.withUnsafeMutableBytes { buffer in
        uninterrupted { read(descriptor, buffer.baseAddress.map { $0 + count }, buffer.count - count) }
      }
      guard result >= 0 else { throw .notRead(code: errno) }
      if result == 0 { return Array(bytes[..<count]) }
      count += result
      guard count <= limit else { throw .tooLong }
      if count == bytes.count { bytes += [UInt8](repeating: 0, count: bytes.count) }
    }
  }
}
