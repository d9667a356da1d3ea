/// A value of a pickle. A value that holds other values is an index in one of the pickle's lists. So values are flat, and
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
  /// A tuple, list or set: an index in `Pickle.sequences`.
  case sequence(Int)
  /// A dictionary: an index in `Pickle.dictionaries`.
  case dictionary(Int)
  /// A class or function by name: an index in `Pickle.globals`.
  case global(Int)
  /// Something made of an inert class: an index in `Pickle.objects`.
  case object(Int)
  /// A storage of numbers: an index in `Pickle.storages`.
  case storage(Int)
  /// A tensor: an index in `Pickle.tensors`.
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

/// The content of a pickle: its root value, and flat lists of the values that others refer to.
struct Pickle: Sendable {
  /// A class or function that was named.
  struct Global: Sendable {
    var module: String
    var name: String
    var meaning: PickleGlobal
  }

  /// An object of an inert class.
  struct Object: Sendable {
    /// The state that it was given.
    var state: PickleValue?
  }

  /// An array of numbers in the file, as the pickle describes it.
  struct Storage: Sendable {
    /// The storage's name: the name of an entry of the archive, or one in the list of the legacy format.
    var key: String
    /// Nil for untyped bytes.
    var elementType: StoredElementType?
    /// The number of elements, or of bytes if there is no type.
    var count: Int
    /// The elements before the first one, for a view into another storage in the legacy format.
    var viewOffset = 0
  }

  /// A view of a storage, which is not checked yet.
  struct Tensor: Sendable {
    /// An index in `storages`.
    var storage: Int
    /// Nil if it is the storage's.
    var elementType: StoredElementType?
    /// The elements before the first one in the storage.
    var offset: Int
    var shape: [Int]
    var strides: [Int]
  }

  var root = PickleValue.none
  /// The length of the pickle in bytes.
  var byteCount = 0
  var sequences: [[PickleValue]] = []
  /// Keys and values in the order of writing; if a key is repeated, its last value counts.
  var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
  var globals: [Global] = []
  var objects: [Object] = []
  var storages: [Storage] = []
  var tensors: [Tensor] = []
}
