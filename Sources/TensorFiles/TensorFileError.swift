/// Why a file of tensors cannot be read, in words for the user who named it.
public enum TensorFileError: Error, Equatable, Sendable {
  /// The path cannot be opened or read, or is not a regular file.
  case unreadable(path: String, reason: String)
  /// The file breaks the rules of its own format.
  case damaged(path: String, reason: String)
  /// The file asks for something that no model needs, so it may be malicious. Nothing in it was run.
  case refused(path: String, reason: String)
  /// The file is in a format that this version does not read.
  case unsupported(path: String, found: String, advice: String)
  /// A tensor whose numbers are needed has an element type that this version does not read as weights.
  case elementType(path: String, name: String, found: String)
  /// A number of a tensor is NaN or infinite; `index` counts elements in row-major order.
  case notFinite(path: String, name: String, index: Int, value: String)
  /// The file was written to while it was in use.
  case changed(path: String)
}

extension TensorFileError: CustomStringConvertible {
  /// One message: where it is, what was found, what was expected, and what to do.
  public var description: String {
    switch self {
    case .unreadable(let path, let reason):
      "\(path): \(reason)"
    case .damaged(let path, let reason):
      "\(path): the file is damaged: \(reason); fetch or write it again"
    case .refused(let path, let reason):
      "\(path): refused: \(reason); nothing in it was run; do not use it elsewhere before you know why; get the model as"
        + " .safetensors"
    case .unsupported(let path, let found, let advice):
      "\(path): this is \(found), which is not supported by this version; \(advice)"
    case .elementType(let path, let name, let found):
      "\(path): the tensor \(name) has \(found) values, expected weights: F64, F32, F16, BF16, FP8 (F8_E4M3, F8_E5M2), or"
        + " Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K to Q6_K"
    case .notFinite(let path, let name, let index, let value):
      "\(path): the tensor \(name) has \(value) at index \(index), expected finite weights; the file was saved from a"
        + " broken model"
    case .changed(let path):
      "\(path): the file was changed while it was in use; run again when it is complete"
    }
  }
}
