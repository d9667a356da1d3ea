import TensorFiles

/// Why a model cannot be used, in words for the user who named the file.
public enum WeightError: Error, Equatable, Sendable {
  /// One of the model's files cannot be read.
  case file(TensorFileError)
  /// The model is intact, but this version does not run models of its kind.
  case unsupported(path: String, found: String, advice: String)
  /// A value of a configuration file, or one derived from the tensors' shapes, cannot be used.
  case configuration(path: String, key: String, found: String, expected: String)
  /// A tensor is not in the file; `name` is the name that it would have in the file.
  case missing(path: String, name: String, shape: [Int])
  /// A tensor does not have the shape that the network needs.
  case misshapen(path: String, name: String, found: [Int], expected: [Int])
  /// An adapter, such as a LoRA or an embedding, cannot be used, or not with this model.
  case adapter(path: String, reason: String)
  /// The set of a model's tensors is wrong in one or more ways.
  case audit(WeightAudit)

  /// Evaluates `read`, and wraps errors of the file in `.file`.
  package static func wrapping<Value>(
    _ read: @autoclosure () throws(TensorFileError) -> Value
  ) throws(WeightError) -> Value {
    do throws(TensorFileError) { return try read() } catch { throw .file(error) }
  }
}

extension WeightError: CustomStringConvertible {
  /// One message: where it is, what was found, what was expected, and what to do.
  public var description: String {
    switch self {
    case .file(let error):
      error.description
    case .unsupported(let path, let found, let advice):
      "\(path): this is \(found), which is not supported by this version; \(advice)"
    case .configuration(let path, let key, let found, let expected):
      "\(path): \(key) is \(found), expected \(expected)"
    case .missing(let path, let name, let shape):
      "\(path): the tensor \(name) \(shape) is missing"
    case .misshapen(let path, let name, let found, let expected):
      "\(path): the tensor \(name) has the shape \(found), expected \(expected)"
    case .adapter(let path, let reason):
      "\(path): \(reason)"
    case .audit(let audit):
      audit.description
    }
  }
}
