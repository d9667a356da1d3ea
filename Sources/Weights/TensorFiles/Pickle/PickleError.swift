/// Why a pickle is not read.
enum PickleError: Error {
  /// It breaks the rules of the format.
  case damaged(String)
  /// It is well-formed, and wants something that no model needs.
  case refused(String)

  func at(_ path: String) -> WeightError {
    switch self {
    case .damaged(let reason): .damaged(path: path, reason: reason)
    case .refused(let reason): .refused(path: path, reason: reason)
    }
  }
}
