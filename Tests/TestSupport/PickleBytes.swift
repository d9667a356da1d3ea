/// Builds pickles of protocol 2, valid or not, one instruction at a time.
package struct PickleBytes {
  package private(set) var bytes: [UInt8]

  package init(protocol version: UInt8 = 2) {
    bytes = [0x80, version]
  }

  /// Appends instructions and arguments unchanged.
  package mutating func raw(_ more: [UInt8]) { bytes += more }

  package mutating func raw(_ text: String) { bytes += Array(text.utf8) }

  package mutating func global(_ module: String, _ name: String) { raw("c\(module)\n\(name)\n") }

  package mutating func string(_ text: String) {
    bytes += [UInt8(ascii: "X")] + Self.littleEndian(UInt32(text.utf8.count)) + Array(text.utf8)
  }

  package mutating func integer(_ number: Int) {
    if number >= 0, number < 1 << 31 {
      bytes += [UInt8(ascii: "J")] + Self.littleEndian(UInt32(number))
    } else {
      bytes += [0x8A, 8] + Self.littleEndian(UInt64(bitPattern: Int64(number)))
    }
  }

  package mutating func integers(_ numbers: [Int]) {
    raw("(")
    numbers.forEach { integer($0) }
    raw("t")
  }

  /// Appends a tensor as `torch.save` writes it.
  package mutating func tensor(
    storage: String, key: String, count: Int, offset: Int = 0, shape: [Int], strides: [Int]
  ) {
    global("torch._utils", "_rebuild_tensor_v2")
    raw("((")
    string("storage")
    global("torch", storage)
    string(key)
    string("cpu")
    integer(count)
    raw("tQ")
    integer(offset)
    integers(shape)
    integers(strides)
    raw([0x89])
    global("collections", "OrderedDict")
    raw(")RtR")
  }

  package static func littleEndian<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian, Array.init)
  }
}

/// Builds zip archives of uncompressed entries, valid or not.
package struct ZipBytes {
  package struct Entry {
    package var name: String
    package var bytes: [UInt8]
    /// The size in the local header and the directory.
    package var size: UInt32
    package var method: UInt16 = 0
    /// The offset of the local header that the directory gives; nil for the true one.
    package var offset: UInt32?

    package init(_ name: String, _ bytes: [UInt8]) {
      self.name = name
      self.bytes = bytes
      size = UInt32(bytes.count)
    }
  }

  package var entries: [Entry]
  /// The number of entries in the end record; nil for the true one.
  package var announced: UInt16?
  package var directoryOffset: UInt32?

  package init(_ entries: [Entry]) {
    self.entries = entries
  }

  package var bytes: [UInt8] {
    var bytes: [UInt8] = []
    var directory: [UInt8] = []
    for entry in entries {
      let offset = entry.offset ?? UInt32(bytes.count)
      func number<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] { PickleBytes.littleEndian(number) }
      let name = Array(entry.name.utf8)
      let middle =
        number(UInt16(0)) + number(entry.method) + number(UInt32(0)) + number(UInt32(0)) + number(entry.size)
        + number(entry.size) + number(UInt16(name.count))
      bytes += number(UInt32(0x0403_4B50)) + number(UInt16(20)) + middle + number(UInt16(0)) + name + entry.bytes
      directory += number(UInt32(0x0201_4B50)) + number(UInt16(20)) + number(UInt16(20)) + middle
      directory += number(UInt16(0)) + number(UInt16(0)) + number(UInt16(0)) + number(UInt16(0)) + number(UInt32(0))
      directory += number(offset) + name
    }
    let count = PickleBytes.littleEndian(announced ?? UInt16(entries.count))
    let start = directoryOffset ?? UInt32(bytes.count)
    bytes += directory + PickleBytes.littleEndian(UInt32(0x0605_4B50)) + [0, 0, 0, 0] + count + count
    bytes += PickleBytes.littleEndian(UInt32(directory.count)) + PickleBytes.littleEndian(start) + [0, 0]
    return bytes
  }
}

/// Builds GGUF files, valid or not.
package struct GGUFBytes {
  package private(set) var values: [UInt8] = []
  package private(set) var infos: [UInt8] = []
  package var valueCount: UInt64 = 0
  package var tensorCount: UInt64 = 0
  package var version: UInt32 = 3
  package var data: [UInt8] = []
  package var alignment = 32

  package init() {}

  package static func string(_ text: String) -> [UInt8] {
    PickleBytes.littleEndian(UInt64(text.utf8.count)) + Array(text.utf8)
  }

  /// Appends a metadata value: its type and its bytes, unchanged.
  package mutating func value(_ key: String, type: UInt32, _ bytes: [UInt8]) {
    values += Self.string(key) + PickleBytes.littleEndian(type) + bytes
    valueCount += 1
  }

  /// Appends a tensor's entry in the header; `shape` is in row-major order.
  package mutating func tensor(_ name: String, type: UInt32, shape: [UInt64], offset: UInt64) {
    infos += Self.string(name) + PickleBytes.littleEndian(UInt32(shape.count))
    infos += shape.reversed().flatMap { PickleBytes.littleEndian($0) }
    infos += PickleBytes.littleEndian(type) + PickleBytes.littleEndian(offset)
    tensorCount += 1
  }

  package var bytes: [UInt8] {
    var bytes = Array("GGUF".utf8) + PickleBytes.littleEndian(version)
    bytes += PickleBytes.littleEndian(tensorCount) + PickleBytes.littleEndian(valueCount) + values + infos
    bytes += Array(repeating: 0, count: (alignment - bytes.count % alignment) % alignment) + data
    return bytes
  }
}
