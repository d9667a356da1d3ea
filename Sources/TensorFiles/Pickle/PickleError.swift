/// Why a pickle cannot be read.
enum PickleError: Error {
  /// It breaks the rules of the format.
  case damaged(String)
  /// It is well-formed, but asks for something that no model needs.
  case refused(String)

  /// It is intact, but of an unsupported kind.
  case unsupported(found: String, advice: String)
  /// The file's bytes cannot be read.
  case file(TensorFileError)

  /// Evaluates `read`, and wraps errors of the file in `.file`.
  static func wrapping<Value>(
    _ read: @autoclosure () throws(TensorFileError) -> Value
  ) throws(PickleError) -> Value {
    do throws(TensorFileError) { return try read() } catch { throw .file(error) }
  }

  /// The error with the file's path.
  func at(_ path: String) -> TensorFileError {
    switch self {
    case .damaged(let reason): .damaged(path: path, reason: reason)
    case .refused(let reason): .refused(path: path, reason: reason)
    case .unsupported(let found, let advice): .unsupported(path: path, found: found, advice: advice)
    case .file(let error): error
    }
  }
}
