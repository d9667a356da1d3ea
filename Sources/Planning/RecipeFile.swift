import Foundation

/// The bytes of a recipe file.
enum RecipeFile {
  /// Reads a file, but never more than a recipe may hold: it might be a device without end.
  ///
  /// - Throws: An error about the whole file, when it cannot be read or is too large.
  static func read(_ path: String, limits: YAMLLimits) throws(RecipeErrors) -> [UInt8] {
    let position = SourcePosition(file: path, line: 0, column: 0)
    guard let file = fopen(path, "rb") else {
      throw RecipeErrors("cannot be read (\(reason())), expected a recipe", at: position)
    }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 64 << 10)
    var count = 0
    while true {
      let read = bytes.withUnsafeMutableBytes { fread($0.baseAddress.map { $0 + count }, 1, $0.count - count, file) }
      guard read > 0 else { break }
      count += read
      guard count <= limits.bytes else { throw RecipeErrors(YAMLDocument.tooLarge(nil, limits: limits), at: position) }
      if count == bytes.count { bytes += [UInt8](repeating: 0, count: bytes.count) }
    }
    guard ferror(file) == 0 else {
      throw RecipeErrors("cannot be read (\(reason())), expected a recipe", at: position)
    }
    return Array(bytes[..<count])
  }

  private static func reason() -> String { String(cString: strerror(errno)) }
}
