/// A value of a pickle. What holds other values is a place in the pickle's lists, so that values are flat: neither depth
/// nor cycles can hurt.
enum PickleValue: Sendable {
  case none
  case bool(Bool)
  case integer(Int)
  /// An integer beyond 64 bits: its little-endian bytes.
  case long([UInt8])
  case float(Double)
  case string(String)
  /// Bytes of the file, which are not copied.
  case bytes(Range<Int>)
  /// A tuple, list or set: a place in `Pickle.sequences`.
  case sequence(Int)
  /// A dictionary: a place in `Pickle.dictionaries`.
  case dictionary(Int)
  /// A class or function by name: a place in `Pickle.globals`.
  case global(Int)
  /// Something made of an inert class: a place in `Pickle.objects`.
  case object(Int)
  /// A storage of numbers: a place in `Pickle.storages`.
  case storage(Int)
  /// A tensor: a place in `Pickle.tensors`.
  case tensor(Int)

  /// What the value is, for messages.
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

/// What a pickle describes, as flat lists of what its values refer to.
struct Pickle: Sendable {
  /// A class or function that was named.
  struct Global: Sendable {
    var module: String
    var name: String
    var meaning: PickleGlobal
  }

  /// Something made of an inert class.
  struct Object: Sendable {
    /// What it was filled with.
    var state: PickleValue?
  }

  /// A row of numbers in the file, as the pickle names it.
  struct Storage: Sendable {
    /// The storage's name: of an entry of the archive, or in the list of the legacy format.
    var key: String
    /// Nothing for bytes without a type.
    var elementType: WeightElementType?
    /// In elements; in bytes where there is no type.
    var count: Int
    /// Elements before the first, of a view into another storage of the legacy format.
    var viewOffset = 0
  }

  /// A view of a storage; not checked yet.
  struct Tensor: Sendable {
    /// A place in `storages`.
    var storage: Int
    /// Where it is not the storage's own.
    var elementType: WeightElementType?
    /// In elements from the storage's start.
    var offset: Int
    var shape: [Int]
    var strides: [Int]
  }

  var root = PickleValue.none
  /// How many bytes the pickle has.
  var byteCount = 0
  var sequences: [[PickleValue]] = []
  /// Keys and values in the order of writing; a later one of the same key counts.
  var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
  var globals: [Global] = []
  var objects: [Object] = []
  var storages: [Storage] = []
  var tensors: [Tensor] = []
}
