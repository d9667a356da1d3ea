import Text

/// A GGUF file, versions 2 and 3, as stable-diffusion.cpp and the Python package `gguf` write it.
///
/// Source: `docs/gguf.md` of ggml.
struct GGUFFile {
  /// The tensors by name, their sizes in row-major order.
  private(set) var tensors: [String: StoredTensor] = [:]
  /// The scalar values and texts of the file's metadata, and the lengths of its lists.
  private(set) var metadata: [String: String] = [:]

  private static let nameLimit = 1024
  private static let dimensionLimit = 8
  private static let defaultAlignment = 32

  /// Whether a file that starts like this is a GGUF file.
  static func isLikely(_ bytes: [UInt8]) -> Bool { bytes.starts(with: "GGUF".utf8) }

  /// Reads the header of a file. Checks that every tensor is inside the file and that none overlap.
  ///
  /// Throws `TensorFileError.damaged`.
  init(_ file: ByteFile) throws(TensorFileError) {
    do throws(GGUFError) {
      try read(file)
    } catch {
      throw error.at(file.path)
    }
  }

  /// The header's description of a tensor.
  private struct Entry {
    var name: String
    var shape: [Int]
    var elementType: StoredElementType
    var offset: Int
    var byteCount: Int
  }

  private mutating func read(_ file: ByteFile) throws(GGUFError) {
    var cursor = GGUFCursor(file)
    cursor.skipMagic()
    let version = try cursor.number(UInt32.self)
    guard version.byteSwapped != 2, version.byteSwapped != 3 else {
      throw GGUFError("it was written on a big-endian machine, which is not supported")
    }
    guard version == 2 || version == 3 else {
      throw GGUFError("it has the version \(version) of GGUF, expected 2 or 3")
    }
    // A tensor has at least a name's length, dimensions, a type and an offset; a value has a name's length, a type and a byte.
    let tensorCount = try cursor.count(ofAtLeast: 24, "tensors")
    let valueCount = try cursor.count(ofAtLeast: 13, "values")

    var alignment = Self.defaultAlignment
    var keys = Set<String>()
    for _ in 0..<valueCount {
      let key = try cursor.string(limit: 1 << 16)
      guard keys.insert(key).inserted else { throw GGUFError("it has the value '\(key.abridged)' twice") }
      let value = try cursor.value(key)
      if key == "general.alignment" {
        guard case .unsigned(let number) = value, number > 0, number <= 1 << 24, number.nonzeroBitCount == 1 else {
          throw GGUFError("general.alignment is \(value), expected a power of two")
        }
        alignment = Int(number)
      }
      metadata[key] = value.description
    }

    var entries: [Entry] = []
    for _ in 0..<tensorCount { entries.append(try Self.entry(&cursor)) }
    // The data start at the next multiple of the alignment; a file without tensors may end before it.
    let dataStart = (cursor.at + alignment - 1) / alignment * alignment
    var covered = 0
    for entry in entries.sorted(by: { ($0.offset, $0.byteCount) < ($1.offset, $1.byteCount) }) {
      func broken(_ reason: String) -> GGUFError { GGUFError("the tensor '\(entry.name.abridged)' \(reason)") }
      guard entry.offset.isMultiple(of: alignment) else {
        throw broken("begins at byte \(entry.offset) of the data, expected a multiple of \(alignment)")
      }
      guard entry.offset >= covered else { throw broken("overlaps another") }
      let size = file.count - dataStart
      guard entry.offset <= size, entry.byteCount <= size - entry.offset else {
        throw broken("of \(entry.byteCount) bytes from \(entry.offset) ends beyond the \(max(size, 0)) bytes of data")
      }
      covered = entry.offset + entry.byteCount
      let start = dataStart + entry.offset
      let tensor = StoredTensor(
        name: entry.name, shape: entry.shape, elementType: entry.elementType, file: file,
        byteRange: start..<start + entry.byteCount)
      guard tensors.updateValue(tensor, forKey: entry.name) == nil else {
        throw GGUFError("it has the tensor '\(entry.name.abridged)' twice")
      }
    }
  }

  private static func entry(_ cursor: inout GGUFCursor) throws(GGUFError) -> Entry {
    let name = try cursor.string(limit: nameLimit)
    func broken(_ reason: String) -> GGUFError { GGUFError("the tensor '\(name.abridged)' \(reason)") }
    let dimensions = try cursor.number(UInt32.self)
    guard dimensions <= dimensionLimit else { throw broken("has \(dimensions) dimensions, expected at most 4") }
    // The first size varies fastest. Zeros count as 1 here, so that they cannot hide an overflow of the other sizes.
    var shape: [Int] = []
    var product = 1
    for _ in 0..<dimensions {
      let size = try cursor.number(UInt64.self)
      guard let size = Int(exactly: size) else { throw broken("has a size of \(size)") }
      let (larger, overflow) = product.multipliedReportingOverflow(by: max(size, 1))
      guard !overflow else { throw broken("is too large") }
      product = larger
      shape.insert(size, at: 0)
    }
    let count = shape.contains(0) ? 0 : product
    let code = try cursor.number(UInt32.self)
    let offset = try cursor.number(UInt64.self)
    guard let elementType = StoredElementType(ggml: code) else {
      throw broken("has elements of the unknown type \(code)")
    }
    guard (shape.last ?? 1).isMultiple(of: elementType.block.elements), let byteCount = elementType.byteCount(of: count)
    else {
      throw broken("of the shape \(shape) has rows that are not whole blocks of \(elementType.rawValue)")
    }
    guard let offset = Int(exactly: offset) else { throw broken("begins at byte \(offset) of the data") }
    return Entry(name: name, shape: shape, elementType: elementType, offset: offset, byteCount: byteCount)
  }
}

/// Why a GGUF file cannot be read.
enum GGUFError: Error {
  /// It breaks the rules of the format.
  case damaged(String)
  /// Its bytes cannot be read.
  case file(TensorFileError)

  init(_ reason: String) { self = .damaged(reason) }

  /// The error with the file's path.
  func at(_ path: String) -> TensorFileError {
    switch self {
    case .damaged(let reason): .damaged(path: path, reason: reason)
    case .file(let error): error
    }
  }
}

extension StoredElementType {
  /// The type with this number in ggml (`enum ggml_type`); nil for unknown numbers.
  init?(ggml code: UInt32) {
    let types: [UInt32: StoredElementType] = [
      0: .f32, 1: .f16, 2: .q4_0, 3: .q4_1, 6: .q5_0, 7: .q5_1, 8: .q8_0, 9: .q8_1, 10: .q2_K, 11: .q3_K, 12: .q4_K,
      13: .q5_K, 14: .q6_K, 15: .q8_K, 16: .iq2_XXS, 17: .iq2_XS, 18: .iq3_XXS, 19: .iq1_S, 20: .iq4_NL, 21: .iq3_S,
      22: .iq2_S, 23: .iq4_XS, 24: .i8, 25: .i16, 26: .i32, 27: .i64, 28: .f64, 29: .iq1_M, 30: .bf16, 34: .tq1_0,
      35: .tq2_0, 39: .mxfp4,
    ]
    guard let type = types[code] else { return nil }
    self = type
  }
}
