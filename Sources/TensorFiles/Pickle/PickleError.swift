/// Why a pickle cannot be read.
enum PickleError: Error {
  /// It breaks the rules of the format.
  case damaged(String)
  /// It is well-formed, but asks for something that no model needs.
  case refused(String)

  /// The error with the file's path.
  func at(_ path: String) -> TensorFileError {
    switch self {
    case .damaged(let reason): .damaged(path: path, reason: reason)
    case .refused(let reason): .refused(path: path, reason: reason)
    }
  }
}
