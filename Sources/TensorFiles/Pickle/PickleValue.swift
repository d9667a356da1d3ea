/// A value of a pickle. A value that contains other values is an index into one of the pickle's lists. So values are flat, and
/// deep nesting and cycles are harmless.
enum PickleValue: Sendable {
  case none
  case bool(Bool)
  case integer(Int)
  /// An integer beyond 64 bits: its little-endian bytes.
  case long([UInt8])
  case float(Double)
  case string(String)
  /// A range of bytes in the file.
  case bytes(Range<Int>)
  /// A tuple, list or set: an index into `Pickle.sequences`.
  case sequence(Int)
  /// A dictionary: an index into `Pickle.dictionaries`.
  case dictionary(Int)
  /// A class or function by name: an index into `Pickle.globals`.
  case global(Int)
  /// An instance of an inert class: an index into `Pickle.objects`.
  case object(Int)
  /// A storage of numbers: an index into `Pickle.storages`.
  case storage(Int)
  /// A tensor: an index into `Pickle.tensors`.
  case tensor(Int)

  /// The kind of value, for messages.
  var kind: String {
    switch self {
    case .none: "None"
    case .bool: "a truth value"
    case .integer, .long: "an integer"
    case .float: "a number"
    case .string: "a text"
    case .bytes: "bytes"
    case .sequence: "a list"
    case .dictionary: "a dictionary"
    case .global: "a class or function"
    case .object: "an object"
    case .storage: "a storage"
    case .tensor: "a tensor"
    }
  }
}

/// The content of a pickle: its root value, and flat lists of the values that are referred to.
struct Pickle: Sendable {
  /// A class or function that was named.
  struct Global: Sendable {
    var module: String
    var name: String
    var meaning: PickleGlobal
  }

  /// An object of an inert class.
  struct Object: Sendable {
    /// The state that was set for it.
    var state: PickleValue?
  }

  /// An array of numbers in the file, as the pickle describes it.
  struct Storage: Sendable {
    /// The storage's name: an entry of the archive, or an item of the list in the legacy format.
    var key: String
    /// nil for untyped bytes.
    var elementType: StoredElementType?
    /// The number of elements; without a type, the number of bytes.
    var count: Int
    /// For a view into another storage in the legacy format: the number of elements before its first one.
    var viewOffset = 0
  }

  /// A view of a storage, not checked yet.
  struct Tensor: Sendable {
    /// An index into `storages`.
    var storage: Int
    /// nil for the storage's type.
    var elementType: StoredElementType?
    /// The number of elements in the storage before the first one.
    var offset: Int
    var shape: [Int]
    var strides: [Int]
  }

  var root = PickleValue.none
  /// The length of the pickle in bytes.
  var byteCount = 0
  var sequences: [[PickleValue]] = []
  /// Keys and values in the order of the file; if a key is repeated, its last value counts.
  var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
  var globals: [Global] = []
  var objects: [Object] = []
  var storages: [Storage] = []
  var tensors: [Tensor] = []
}
