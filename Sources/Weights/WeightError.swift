/// Why a model cannot be used, in words for the person who named the file.
public enum WeightError: Error, Equatable, Sendable {
  /// The file or folder cannot be opened or read, or is of the wrong kind.
  case unreadable(path: String, reason: String)
  /// The file breaks the rules of its own format.
  case damaged(path: String, reason: String)
  /// The file asks for what no model needs: it may be made to harm. Nothing of it was run.
  case refused(path: String, reason: String)
  /// The model is intact, and not one that this version runs.
  case unsupported(path: String, found: String, advice: String)
  /// A value of a configuration file, or of what the tensors' shapes tell, cannot be used.
  case configuration(path: String, key: String, found: String, expected: String)
  /// A tensor is not in the file; `name` is what the file would call it.
  case missing(path: String, name: String, shape: [Int])
  /// A tensor has another shape than the network needs.
  case misshapen(path: String, name: String, found: [Int], expected: [Int])
  /// A tensor that is needed as weights holds something that this version does not read as weights.
  case elementType(path: String, name: String, found: String)
  /// A weight is NaN or infinite; `index` counts elements in row-major order.
  case notFinite(path: String, name: String, index: Int, value: String)
  /// The file was written to while it was in use.
  case changed(path: String)
  /// An adapter, such as a LoRA or an embedding, that cannot be used, or not with this model.
  case adapter(path: String, reason: String)
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
    case .refused(let path, let reason):
      "\(path): refused: \(reason); nothing in the file was run, do not use it elsewhere before you know why; get the model as"
        + " .safetensors"
    case .unsupported(let path, let found, let advice):
      "\(path): this is \(found), which is not supported by this version; \(advice)"
    case .configuration(let path, let key, let found, let expected):
      "\(path): \(key) is \(found), expected \(expected)"
    case .missing(let path, let name, let shape):
      "\(path): the tensor \(name) \(shape) is missing"
    case .misshapen(let path, let name, let found, let expected):
      "\(path): the tensor \(name) has the shape \(found), expected \(expected)"
    case .elementType(let path, let name, let found):
      "\(path): the tensor \(name) holds \(found) values, expected weights: F32, F16, BF16, FP8 (F8_E4M3, F8_E5M2), or"
        + " Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K to Q6_K"
    case .notFinite(let path, let name, let index, let value):
      "\(path): the tensor \(name) holds \(value) at index \(index), expected finite weights; the file was saved from a"
        + " broken model"
    case .changed(let path):
      "\(path): the file was changed while it was in use; run again when it is whole"
    case .adapter(let path, let reason):
      "\(path): \(reason)"
    case .audit(let audit):
      audit.description
    }
  }
}
