/// One tensor of a file: its name and shape are known when the file is open, its numbers are read on demand.
public struct StoredTensor: Sendable {
  /// The tensor's name in the file.
  public let name: String
  /// The sizes in row-major order: the last one varies fastest. Empty for a single number.
  public let shape: [Int]
  /// The type of the stored elements.
  public let elementType: StoredElementType
  /// The file that holds the tensor.
  package let file: ByteFile
  /// The tensor's bytes in the file; with strides, those from its first to its last element.
  let byteRange: Range<Int>
  /// For each dimension, the distance in elements between neighbours in the file; nil if the elements are contiguous.
  let strides: [Int]?
  /// The factors of a scaled FP8 tensor; nil for other tensors.
  let scale: TensorScale?
  /// The number of elements, the product of `shape`.
  public let elementCount: Int

  /// Creates a tensor whose elements are in `byteRange`; the sizes must agree.
  init(
    name: String, shape: [Int], elementType: StoredElementType, file: ByteFile, byteRange: Range<Int>,
    strides: [Int]? = nil, scale: TensorScale? = nil
  ) {
    self.name = name
    self.shape = shape
    self.elementType = elementType
    self.file = file
    self.byteRange = byteRange
    self.strides = strides
    self.scale = scale
    elementCount = shape.reduce(1, *)
  }

  /// The number of bytes of the tensor in the file.
  public var byteCount: Int { byteRange.count }

  /// The path of the file that holds the tensor.
  public var path: String { file.path }

  /// The same numbers with another shape of the same size. With strides, the shapes may only differ in dimensions of 1.
  package func reshaped(_ shape: [Int]) -> StoredTensor {
    var strides = strides
    if let own = strides, shape != self.shape {
      // The shapes differ only in dimensions of 1, whose strides do not matter.
      var rest = zip(self.shape, own).filter { $0.0 != 1 }.map(\.1)[...]
      strides = shape.map { $0 == 1 ? 0 : rest.popFirst() ?? 0 }
    }
    return StoredTensor(
      name: name, shape: shape, elementType: elementType, file: file, byteRange: byteRange, strides: strides,
      scale: scale)
  }

  /// The same tensor with another name.
  func renamed(_ name: String) -> StoredTensor {
    StoredTensor(
      name: name, shape: shape, elementType: elementType, file: file, byteRange: byteRange, strides: strides,
      scale: scale)
  }

  /// The same tensor with its numbers multiplied by a scale.
  func scaled(by scale: TensorScale) -> StoredTensor {
    StoredTensor(
      name: name, shape: shape, elementType: elementType, file: file, byteRange: byteRange, strides: strides,
      scale: scale)
  }

  /// One of `count` equal parts of the rows.
  package func part(_ index: Int, of count: Int, shape: [Int]) -> StoredTensor {
    var range = byteRange
    if let strides {
      let start = range.lowerBound + index * (self.shape[0] / count) * strides[0] * elementType.block.bytes
      range = start..<max(range.upperBound, start)
    } else {
      let start = range.lowerBound + index * (range.count / count)
      range = start..<start + range.count / count
    }
    return StoredTensor(
      name: name, shape: shape, elementType: elementType, file: file, byteRange: range, strides: strides,
      scale: scale?.part(index, of: count))
  }

  /// Some of the rows.
  package func rows(_ rows: Range<Int>, shape: [Int]) -> StoredTensor {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= self.shape[0], "rows outside the tensor")
    var range = byteRange
    if let strides {
      range = range.lowerBound + rows.lowerBound * strides[0] * elementType.block.bytes..<range.upperBound
    } else {
      let rowBytes = range.count / self.shape[0]
      let start = range.lowerBound + rows.lowerBound * rowBytes
      range = start..<start + rows.count * rowBytes
    }
    return StoredTensor(
      name: name, shape: shape, elementType: elementType, file: file, byteRange: range, strides: strides,
      scale: scale?.rows(rows))
  }

  /// The transposed matrix; tensors that are not matrices stay as they are.
  package func transposed() -> StoredTensor {
    guard shape.count == 2 else { return self }
    return StoredTensor(
      name: name, shape: shape.reversed(), elementType: elementType, file: file, byteRange: byteRange,
      strides: strides?.reversed() ?? [1, shape[1]], scale: scale?.transposed)
  }

  /// Converts all elements to Float32; `destination` must have room for `elementCount` numbers.
  ///
  /// F64 is rounded to the nearest number; all other types are exact. Quantised numbers are decoded with their scales. Throws
  /// `TensorFileError.notFinite` for the first number that is NaN or infinite, and `.elementType` for types that are not
  /// `isReadable`.
  public func read(into destination: UnsafeMutablePointer<Float>) throws(TensorFileError) {
    try read(elements: 0..<elementCount, into: destination)
  }

  /// Converts a range of elements, counted in row-major order, to Float32; `destination` must have room for them.
  ///
  /// Throws as `read(into:)` does. Several threads may read different parts at the same time.
  public func read(elements: Range<Int>, into destination: UnsafeMutablePointer<Float>) throws(TensorFileError) {
    precondition(elements.lowerBound >= 0 && elements.upperBound <= elementCount, "elements outside the tensor")
    guard elementType.isReadable else {
      throw .elementType(path: path, name: name, found: elementType.rawValue)
    }
    guard !elements.isEmpty else { return }
    if elementType == .f32, strides == nil, scale == nil {
      // Without a copy: numbers are widened in place.
      let start = byteRange.lowerBound
      try file.read(start + elements.lowerBound * 4..<start + elements.upperBound * 4, into: destination)
      if !Widening.float32(destination, count: elements.count, into: destination) {
        try requireFinite(destination, elements)
      }
      return
    }
    // Small enough to be still in the cache when it is decoded, and a multiple of all block sizes.
    let partCount = 32768
    var start = elements.lowerBound
    while start < elements.upperBound {
      // Parts end where blocks end, so at most the first and the last block are decoded twice.
      let part = start..<min(start + partCount - start % partCount, elements.upperBound)
      try read(part: part, into: destination + (start - elements.lowerBound))
      start = part.upperBound
    }
  }

  /// Whether the rows of this matrix are contiguous in the file, so that ``readBytes(rows:into:)`` can copy them.
  package var hasWholeRows: Bool { strides == nil && shape.count >= 1 }

  /// The factors of each row of a scaled matrix, and how many columns share a factor. Both are nil without a scale. The result
  /// is nil if the factors belong to columns.
  package var rowFactors: (factors: [Float]?, columnsOfFactor: Int)? {
    guard let scale else { return (nil, 0) }
    guard let rows = shape.first, rows > 0 else { return nil }
    return scale.byRows(rows, columns: elementCount / rows).map { ($0.factors, $0.columnsOfFactor) }
  }

  /// Copies the bytes of some rows as they are in the file. The tensor must have whole rows that consist of whole blocks.
  ///
  /// Throws `TensorFileError.changed` or `.unreadable`. Several threads may read different rows at the same time.
  package func readBytes(rows: Range<Int>, into destination: UnsafeMutableRawPointer) throws(TensorFileError) {
    let rowBytes = byteRange.count / max(shape.first ?? 1, 1)
    let start = byteRange.lowerBound
    try file.read(start + rows.lowerBound * rowBytes..<start + rows.upperBound * rowBytes, into: destination)
  }

  /// Converts a range of elements: reads their bytes, then decodes, scales and checks them.
  private func read(part elements: Range<Int>, into destination: UnsafeMutablePointer<Float>) throws(TensorFileError) {
    let count = elements.count
    let span = span(of: elements)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: span.bytes.count, alignment: 16)
    defer { buffer.deallocate() }
    guard let base = buffer.baseAddress else { return }
    try file.read(span.bytes, into: base)
    // Report the index within the whole tensor.
    let source = UnsafeRawPointer(base) - span.offset
    var isFinite: Bool
    if let dequantize = elementType.dequantize, let strides {
      isFinite = gather(elements, of: source, strides: strides, into: destination, dequantize)
    } else if let dequantize = elementType.dequantize {
      isFinite = self.dequantize(elements, of: source, into: destination, dequantize)
    } else if let strides {
      isFinite = gather(elements, of: source, strides: strides) { widen($0, count: count, into: destination) }
    } else {
      isFinite = widen(source + elements.lowerBound * elementType.block.bytes, count: count, into: destination)
    }
    if let scale {
      scale.apply(to: destination, elements: elements, shape: shape)
      isFinite = isFinite && (0..<count).allSatisfy { destination[$0].isFinite }
    }
    if !isFinite { try requireFinite(destination, elements) }
  }

  /// Throws `TensorFileError.notFinite` for the first of these numbers that is NaN or infinite.
  private func requireFinite(
    _ numbers: UnsafePointer<Float>, _ elements: Range<Int>
  ) throws(TensorFileError) {
    guard let index = (0..<elements.count).first(where: { !numbers[$0].isFinite }) else { return }
    let value = numbers[index].isNaN ? "NaN" : numbers[index] > 0 ? "infinity" : "-infinity"
    throw .notFinite(path: path, name: name, index: elements.lowerBound + index, value: value)
  }

  /// The bytes of the file that contain some elements, and their distance from the tensor's first byte.
  private func span(of elements: Range<Int>) -> (bytes: Range<Int>, offset: Int) {
    let block = elementType.block
    var first = elements.lowerBound
    var last = elements.upperBound - 1
    if let strides, let row = shape.first {
      // From the first element of the first row to the last element of the last row; strides are not negative.
      let rowSize = max(elementCount / max(row, 1), 1)
      let within = zip(shape, strides).dropFirst().reduce(0) { $0 + max($1.0 - 1, 0) * $1.1 }
      first = first / rowSize * strides[0]
      last = last / rowSize * strides[0] + within
    }
    let offset = first / block.elements * block.bytes
    let end = (last / block.elements + 1) * block.bytes
    return (byteRange.lowerBound + offset..<byteRange.lowerBound + end, offset)
  }

  /// Converts contiguous numbers; returns whether all of them are finite.
  private func widen(_ source: UnsafeRawPointer, count: Int, into destination: UnsafeMutablePointer<Float>) -> Bool {
    switch elementType {
    case .f16: Widening.float16(source, count: count, into: destination)
    case .bf16: Widening.bfloat16(source, count: count, into: destination)
    case .f8E4M3: Widening.float8E4M3(source, count: count, into: destination)
    case .f8E5M2: Widening.float8E5M2(source, count: count, into: destination)
    case .f64: Widening.float64(source, count: count, into: destination)
    default: Widening.float32(source, count: count, into: destination)
    }
  }

  /// Decodes the blocks that contain `elements`; returns whether all numbers are finite.
  private func dequantize(
    _ elements: Range<Int>, of source: UnsafeRawPointer, into destination: UnsafeMutablePointer<Float>,
    _ decode: Dequantization.Block
  ) -> Bool {
    let block = elementType.block
    withUnsafeTemporaryAllocation(of: Float.self, capacity: block.elements) { numbers in
      guard let first = numbers.baseAddress else { return }
      var at = elements.lowerBound
      while at < elements.upperBound {
        let encoded = source + at / block.elements * block.bytes
        let offset = at % block.elements
        let count = min(block.elements - offset, elements.upperBound - at)
        let part = destination + (at - elements.lowerBound)
        if count == block.elements {
          decode(encoded, part)
        } else {
          decode(encoded, first)
          part.update(from: first + offset, count: count)
        }
        at += count
      }
    }
    return (0..<elements.count).allSatisfy { destination[$0].isFinite }
  }

  /// Decodes some elements of a tensor with strides, each from its block; returns whether all numbers are finite.
  private func gather(
    _ elements: Range<Int>, of source: UnsafeRawPointer, strides: [Int], into destination: UnsafeMutablePointer<Float>,
    _ decode: Dequantization.Block
  ) -> Bool {
    let block = elementType.block
    withUnsafeTemporaryAllocation(of: Float.self, capacity: block.elements) { numbers in
      guard let first = numbers.baseAddress else { return }
      var decoded = -1
      forEachOffset(elements, strides: strides) { at, offset in
        if offset / block.elements != decoded {
          decoded = offset / block.elements
          decode(source + decoded * block.bytes, first)
        }
        destination[at] = first[offset % block.elements]
      }
    }
    return (0..<elements.count).allSatisfy { destination[$0].isFinite }
  }

  /// Calls `body` with a contiguous copy of some elements of a tensor with strides; the elements must not be in blocks.
  private func gather<Result>(
    _ elements: Range<Int>, of source: UnsafeRawPointer, strides: [Int], _ body: (UnsafeRawPointer) -> Result
  ) -> Result {
    let size = elementType.block.bytes
    return withUnsafeTemporaryAllocation(byteCount: elements.count * size, alignment: 16) { buffer in
      forEachOffset(elements, strides: strides) { at, offset in
        for byte in 0..<size {
          buffer[at * size + byte] = source.load(fromByteOffset: offset * size + byte, as: UInt8.self)
        }
      }
      return body(UnsafeRawPointer(buffer.baseAddress ?? UnsafeMutableRawPointer(mutating: source)))
    }
  }

  /// Calls `body` for some elements of a tensor with strides. `at` counts the calls; `offset` is the element's distance from
  /// the tensor's first element.
  private func forEachOffset(_ elements: Range<Int>, strides: [Int], _ body: (_ at: Int, _ offset: Int) -> Void) {
    var position = elements.lowerBound
    var index = shape
    for dimension in shape.indices.reversed() {
      index[dimension] = position % shape[dimension]
      position /= shape[dimension]
    }
    var offset = zip(index, strides).reduce(0) { $0 + $1.0 * $1.1 }
    for at in 0..<elements.count {
      body(at, offset)
      var dimension = shape.count - 1
      while dimension >= 0 {
        index[dimension] += 1
        offset += strides[dimension]
        if index[dimension] < shape[dimension] { break }
        offset -= strides[dimension] * shape[dimension]
        index[dimension] = 0
        dimension -= 1
      }
    }
  }

  /// All elements as Float32, in row-major order.
  ///
  /// Throws as `read(into:)` does.
  public func floats() throws(TensorFileError) -> [Float] {
    var failure: TensorFileError?
    let count = elementCount
    let floats = [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      guard let start = buffer.baseAddress else { return }
      do throws(TensorFileError) {
        try read(into: start)
        initialized = count
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return floats
  }

  /// Calls `body` with the elements as they are in the file: little-endian, in row-major order, with any alignment.
  ///
  /// The bytes are a copy. The scale that `read(into:)` applies is not applied here. Throws the errors of reading the file.
  public func withRawBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) throws(TensorFileError) -> Result {
    guard let strides, elementCount > 0 else {
      return try file.bytes(byteRange).withUnsafeBufferPointer { body(UnsafeRawBufferPointer($0)) }
    }
    let span = span(of: 0..<elementCount)
    let bytes = try file.bytes(span.bytes)
    return bytes.withUnsafeBufferPointer { bytes in
      guard let base = bytes.baseAddress else { return body(UnsafeRawBufferPointer(start: nil, count: 0)) }
      return gather(0..<elementCount, of: UnsafeRawPointer(base) - span.offset, strides: strides) {
        body(UnsafeRawBufferPointer(start: $0, count: elementCount * elementType.block.bytes))
      }
    }
  }

  /// All elements as integers, in row-major order; fractions are dropped, as in PyTorch.
  ///
  /// Throws as `read(into:)` does, and `.notFinite` for numbers that need more than 64 bits.
  public func integers() throws(TensorFileError) -> [Int] {
    func read<Number: FixedWidthInteger>(_: Number.Type) throws(TensorFileError) -> [Int] {
      try withRawBytes { bytes in
        (0..<elementCount).map { index in
          let number = bytes.loadUnaligned(fromByteOffset: index * MemoryLayout<Number>.size, as: Number.self)
          return Int(clamping: Number(littleEndian: number))
        }
      }
    }
    switch elementType {
    case .i64: return try read(Int64.self)
    case .i32: return try read(Int32.self)
    case .i16: return try read(Int16.self)
    case .i8: return try read(Int8.self)
    case .u64: return try read(UInt64.self)
    case .u32: return try read(UInt32.self)
    case .u16: return try read(UInt16.self)
    case .u8, .bool: return try read(UInt8.self)
    default: break
    }
    var integers: [Int] = []
    for (index, number) in try floats().enumerated() {
      guard let integer = Int(exactly: number.rounded(.towardZero)) else {
        throw .notFinite(path: path, name: name, index: index, value: "\(number)")
      }
      integers.append(integer)
    }
    return integers
  }
}
