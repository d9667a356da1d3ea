import JSON
import Text

/// The table of contents of a safetensors file.
struct SafetensorsHeader {
  struct Entry {
    var elementType: StoredElementType
    var shape: [Int]
    /// The range of bytes, counted from the start of the data after the header.
    var dataRange: Range<Int>
  }

  var tensors: [String: Entry] = [:]
  var metadata: [String: String] = [:]

  /// The limit of tensors, and of values of metadata; more than any model has. Each takes memory.
  private static let entryLimit = 100_000
  /// The limit of keys in an entry; three are known.
  private static let keyLimit = 16

  /// Reads the header's JSON. Checks that the tensors cover the `dataCount` bytes after the header exactly once.
  ///
  /// Source: the format section of the safetensors README, and the checks that its Rust reader makes.
  init(json: UnsafeRawBufferPointer, dataCount: Int) throws(JSONError) {
    var cursor = JSONCursor(json)
    var tensors: [String: Entry] = [:]
    var metadata: [String: String] = [:]
    try cursor.object { cursor, name throws(JSONError) in
      if name == "__metadata__" {
        // The format's own reader treats null as missing.
        metadata = try cursor.skipNull() ? [:] : Self.metadata(&cursor)
      } else {
        tensors[name] = try Self.entry(&cursor, name: name)
        guard tensors.count <= Self.entryLimit else {
          throw JSONError(offset: cursor.offset, reason: "more than \(Self.entryLimit) tensors are listed")
        }
      }
    }
    try cursor.end()
    self.tensors = tensors
    self.metadata = metadata
    try checkCoverage(dataCount: dataCount)
  }

  private static func metadata(_ cursor: inout JSONCursor) throws(JSONError) -> [String: String] {
    var metadata: [String: String] = [:]
    try cursor.object { cursor, key throws(JSONError) in
      metadata[key] = try cursor.string()
      guard metadata.count <= Self.entryLimit else {
        throw JSONError(offset: cursor.offset, reason: "the metadata has more than \(Self.entryLimit) values")
      }
    }
    return metadata
  }

  private static func entry(_ cursor: inout JSONCursor, name: String) throws(JSONError) -> Entry {
    var type: String?
    var shape: [Int]?
    var offsets: [Int]?
    var start = 0
    var keyCount = 0
    try cursor.object { cursor, key throws(JSONError) in
      keyCount += 1
      guard keyCount <= Self.keyLimit else {
        throw JSONError(
          offset: cursor.offset, reason: "the tensor '\(name.abridged)' has more than \(Self.keyLimit) keys")
      }
      switch key {
      case "dtype": type = try cursor.string()
      case "shape": shape = try Self.integers(&cursor, atMost: 64)
      case "data_offsets": offsets = try Self.integers(&cursor, atMost: 2)
      default: try cursor.skip()
      }
      start = cursor.offset
    }
    func broken(_ reason: String) -> JSONError {
      JSONError(offset: start, reason: "the tensor '\(name.abridged)' \(reason)")
    }
    guard let type, let shape, let offsets, offsets.count == 2 else {
      throw broken("lacks dtype, shape or two data_offsets")
    }
    guard let elementType = StoredElementType(rawValue: type), elementType.isSafetensors else {
      throw broken("has the unknown dtype '\(type.abridged)'")
    }
    guard shape.allSatisfy({ $0 >= 0 }) else { throw broken("has the negative shape \(shape)") }
    guard offsets[0] >= 0, offsets[1] >= offsets[0] else { throw broken("has the data_offsets \(offsets)") }
    // Multiply in the order of the format's own reader, so that a later zero cannot hide an overflow.
    let block = elementType.block
    var bits = block.bytes * 8 / block.elements
    for factor in shape {
      let (product, overflow) = bits.multipliedReportingOverflow(by: factor)
      if overflow { throw broken("has the shape \(shape), which is too large") }
      bits = product
    }
    guard bits % 8 == 0, bits / 8 == offsets[1] - offsets[0] else {
      throw broken("takes \(offsets[1] - offsets[0]) bytes, expected \((bits + 7) / 8) for \(shape) of \(type)")
    }
    return Entry(elementType: elementType, shape: shape, dataRange: offsets[0]..<offsets[1])
  }

  private static func integers(_ cursor: inout JSONCursor, atMost limit: Int) throws(JSONError) -> [Int] {
    var integers: [Int] = []
    try cursor.array { cursor throws(JSONError) in
      guard integers.count < limit else {
        throw JSONError(offset: cursor.offset, reason: "a list of at most \(limit) numbers is expected")
      }
      integers.append(try cursor.integer())
    }
    return integers
  }

  /// Checks that the tensors cover the data without holes, overlaps or leftover bytes.
  private func checkCoverage(dataCount: Int) throws(JSONError) {
    var covered = 0
    let inOrder = tensors.sorted {
      ($0.value.dataRange.lowerBound, $0.value.dataRange.upperBound)
        < ($1.value.dataRange.lowerBound, $1.value.dataRange.upperBound)
    }
    for (name, entry) in inOrder {
      let end = entry.dataRange.upperBound
      guard end <= dataCount else {
        throw JSONError(
          reason: "the tensor '\(name.abridged)' ends at byte \(end) of the data, of which there are \(dataCount) bytes"
        )
      }
      guard entry.dataRange.lowerBound == covered else {
        let fault = entry.dataRange.lowerBound < covered ? "overlaps another" : "leaves a hole before it"
        throw JSONError(reason: "the tensor '\(name.abridged)' \(fault)")
      }
      covered = end
    }
    guard covered == dataCount else {
      throw JSONError(reason: "\(dataCount - covered) bytes of data belong to no tensor")
    }
  }
}
