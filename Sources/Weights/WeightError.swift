/// Why a model cannot be used, in words for the person who named the file.
public enum WeightError: Error, Equatable, Sendable {
  /// The file or folder cannot be opened or read, or is of the wrong kind.
  case unreadable(path: String, reason: String)
  /// The file breaks the rules of its own format.
  case damaged(path: String, reason: String)
  /// The model is intact, and not one that this version runs.
  case unsupported(path: String, found: String, advice: String)
  /// A value of a configuration file, or of what the tensors' shapes tell, cannot be used.
  case configuration(path: String, key: String, found: String, expected: String)
  /// A tensor is not in the file; `name` is what the file would call it.
  case missing(path: String, name: String, shape: [Int])
  /// A tensor has another shape than the network needs.
  case misshapen(path: String, name: String, found: [Int], expected: [Int])
  /// A tensor that is needed as weights holds something else than F32, F16 or BF16.
  case elementType(path: String, name: String, found: String)
  /// A weight is NaN or infinite; `index` counts elements in row-major order.
  case notFinite(path: String, name: String, index: Int, value: String)
  /// The file was written to while it was in use.
  case changed(path: String)
  /// Everything that is wrong with the set of tensors of a model.
  case audit(WeightAudit)
}

extension WeightError: CustomStringConvertible {
  /// Where, what was found, what was expected, what to do.
  public var description: String {
    switch self {
    case .unreadable(let path, let reason):
      "\(path): \(reason)"
    case .damaged(let path, let reason):
      "\(path): the file is damaged: \(reason); fetch or write it again"
    case .unsupported(let path, let found, let advice):
      "\(path): this is \(found), which is not supported by this version; \(advice)"
    case .configuration(let path, let key, let found, let expected):
      "\(path): \(key) is \(found), expected \(expected)"
    case .missing(let path, let name, let shape):
      "\(path): the tensor \(name) \(shape) is missing"
    case .misshapen(let path, let name, let found, let expected):
      "\(path): the tensor \(name) has the shape \(found), expected \(expected)"
    case .elementType(let path, let name, let found):
      "\(path): the tensor \(name) holds \(found) values, expected F32, F16 or BF16 weights"
    case .notFinite(let path, let name, let index, let value):
      "\(path): the tensor \(name) holds \(value) at index \(index), expected finite weights; the file was saved from a"
        + " broken model"
    case .changed(let path):
      "\(path): the file was changed while it was in use; run again when it is whole"
    case .audit(let audit):
      audit.description
    }
  }
}
