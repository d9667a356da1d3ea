import Text

/// A value of a GGUF file's metadata.
enum GGUFValue {
  case unsigned(UInt64)
  case signed(Int64)
  case float(Double)
  case bool(Bool)
  case string(String)
  /// A list; only its length is kept.
  case array(count: Int)
}

/// A list of a GGUF file's metadata.
enum GGUFList {
  case texts([String])
  case numbers([Int])
}

extension GGUFValue: CustomStringConvertible {
  /// The value as text.
  var description: String {
    switch self {
    case .unsigned(let value): "\(value)"
    case .signed(let value): "\(value)"
    case .float(let value): "\(value)"
    case .bool(let value): "\(value)"
    case .string(let value): value
    case .array(let count): "\(count) values"
    }
  }
}

/// Reads a GGUF file's header from front to back. Every length is checked against the remaining bytes.
struct GGUFCursor {
  private let file: ByteFile
  /// A part of the file, which starts at `windowStart`.
  private var window: [UInt8] = []
  private var windowStart = 0
  /// Bytes read so far.
  private(set) var at = 0
  private var elementCount = 0

  /// The limit of elements in all lists of the metadata together; language models have about half a million.
  private static let elementLimit = 4_000_000
  private static let depthLimit = 8
  private static let textLimit = 1 << 20
  private static let windowSize = 1 << 16

  init(_ file: ByteFile) {
    self.file = file
  }

  /// Calls `body` with the next `count` bytes; the file must have them.
  private mutating func withBytes<Result>(
    _ count: Int, _ body: (UnsafeRawBufferPointer) -> Result
  ) throws(GGUFError) -> Result {
    if at < windowStart || at + count > windowStart + window.count {
      let end = min(at + max(count, Self.windowSize), file.count)
      do { window = try file.bytes(at..<end) } catch { throw .file(error) }
      windowStart = at
    }
    let start = at - windowStart
    return window.withUnsafeBufferPointer { bytes in
      body(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[start..<start + count])))
    }
  }

  mutating func skipMagic() { at += 4 }

  mutating func number<Number: FixedWidthInteger>(_: Number.Type) throws(GGUFError) -> Number {
    let size = MemoryLayout<Number>.size
    guard file.count - at >= size else { throw GGUFError("it ends inside its header, after \(file.count) bytes") }
    let number = try withBytes(size) { $0.loadUnaligned(as: Number.self) }
    at += size
    return Number(littleEndian: number)
  }

  /// Reads a number of items, each of at least `size` bytes; the file must have room for them.
  mutating func count(ofAtLeast size: Int, _ items: String) throws(GGUFError) -> Int {
    let number = try number(UInt64.self)
    guard let count = Int(exactly: number), count <= (file.count - at) / size else {
      throw GGUFError("it announces \(number) \(items), more than it has room for")
    }
    return count
  }

  /// Reads a text of at most `limit` bytes.
  mutating func string(limit: Int) throws(GGUFError) -> String {
    let number = try number(UInt64.self)
    guard number <= UInt64(file.count - at) else {
      throw GGUFError("it has a text of \(number) bytes at byte \(at), but ends before that")
    }
    guard number <= UInt64(limit) else {
      throw GGUFError("it has a text of \(number) bytes at byte \(at), expected at most \(limit)")
    }
    let end = at + Int(number)
    guard let text = try withBytes(Int(number), { String(validating: $0, as: UTF8.self) }) else {
      throw GGUFError("it has a text that is not valid UTF-8 at byte \(at)")
    }
    at = end
    return text
  }

  /// Reads the type and the value of `key`.
  mutating func value(_ key: String) throws(GGUFError) -> GGUFValue {
    try value(type: try number(UInt32.self), key: key, depth: 0)
  }

  private mutating func value(type: UInt32, key: String, depth: Int) throws(GGUFError) -> GGUFValue {
    switch type {
    case 0: return .unsigned(UInt64(try number(UInt8.self)))
    case 1: return .signed(Int64(try number(Int8.self)))
    case 2: return .unsigned(UInt64(try number(UInt16.self)))
    case 3: return .signed(Int64(try number(Int16.self)))
    case 4: return .unsigned(UInt64(try number(UInt32.self)))
    case 5: return .signed(Int64(try number(Int32.self)))
    case 6: return .float(Double(Float(bitPattern: try number(UInt32.self))))
    case 7: return .bool(try number(UInt8.self) != 0)
    case 8: return .string(try string(limit: Self.textLimit))
    case 9: return try array(key: key, depth: depth)
    case 10: return .unsigned(try number(UInt64.self))
    case 11: return .signed(try number(Int64.self))
    case 12: return .float(Double(bitPattern: try number(UInt64.self)))
    default: throw GGUFError("its metadata key '\(key.abridged)' has the unknown type \(type)")
    }
  }

  /// Reads a list of texts or whole numbers; skips other values and returns nil.
  mutating func list(_ key: String) throws(GGUFError) -> GGUFList? {
    let type = try number(UInt32.self)
    guard type == 9 else {
      _ = try value(type: type, key: key, depth: 0)
      return nil
    }
    let start = at
    let elementType = try number(UInt32.self)
    let size = [0: 1, 4: 4, 5: 4, 8: 8][elementType]
    guard let size else {
      at = start
      _ = try array(key: key, depth: 0)
      return nil
    }
    let count = try count(ofAtLeast: size, "elements of '\(key.abridged)'")
    elementCount += count
    guard elementCount <= Self.elementLimit else {
      throw GGUFError("its lists have more than \(Self.elementLimit) elements in total")
    }
    if elementType == 8 {
      var texts: [String] = []
      texts.reserveCapacity(count)
      for _ in 0..<count { texts.append(try string(limit: Self.textLimit)) }
      return .texts(texts)
    }
    var numbers: [Int] = []
    numbers.reserveCapacity(count)
    for _ in 0..<count {
      switch elementType {
      case 0: numbers.append(Int(try number(UInt8.self)))
      case 4: numbers.append(Int(try number(UInt32.self)))
      default: numbers.append(Int(try number(Int32.self)))
      }
    }
    return .numbers(numbers)
  }

  private mutating func array(key: String, depth: Int) throws(GGUFError) -> GGUFValue {
    guard depth < Self.depthLimit else {
      throw GGUFError("its value '\(key.abridged)' has lists nested more than \(Self.depthLimit) deep")
    }
    let type = try number(UInt32.self)
    let sizes: [UInt32: Int] = [0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8]
    if let size = sizes[type] {
      let count = try count(ofAtLeast: size, "elements of '\(key.abridged)'")
      at += count * size
      return .array(count: count)
    }
    // A text starts with its length, a list with its type and length.
    let count = try count(ofAtLeast: type == 8 ? 8 : 12, "elements of '\(key.abridged)'")
    elementCount += count
    guard elementCount <= Self.elementLimit else {
      throw GGUFError("its lists have more than \(Self.elementLimit) elements in total")
    }
    for _ in 0..<count {
      if type == 8 {
        // Skip the text without decoding it.
        let length = try self.count(ofAtLeast: 1, "bytes of a text in '\(key.abridged)'")
        at += length
      } else {
        _ = try value(type: type, key: key, depth: depth + 1)
      }
    }
    return .array(count: count)
  }
}
