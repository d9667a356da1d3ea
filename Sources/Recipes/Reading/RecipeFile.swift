import Glibc

/// Reads the bytes of a recipe file.
enum RecipeFile {
  /// Reads a file.
  ///
  /// - Throws: An error about the whole file, if it cannot be read or is too large.
  static func read(_ path: String, limits: YAMLLimits) throws(RecipeErrors) -> [UInt8] {
    let isOfRequests = path.hasSuffix(".json") || path.hasSuffix(".jsonl")
    let limit = isOfRequests ? RequestReader.sizeLimit : limits.bytes
    let position = SourcePosition(file: path, line: 0, column: 0)
    do {
      return try TextFile.read(path, limit: limit)
    } catch {
      switch error {
      case .unreadable(let reason):
        let isMissing = access(path, F_OK) != 0 && errno == ENOENT
        throw RecipeErrors(isMissing ? "no such file" : "cannot be read (\(reason)), expected a recipe", at: position)
      case .tooLarge:
        let message =
          isOfRequests
          ? "found more than \(limit) bytes, expected requests" : YAMLDocument.tooLarge(nil, limits: limits)
        throw RecipeErrors(message, at: position)
      }
    }
  }
}
