/// One tensor of a file: its name and shape are known at once, its numbers are read on demand.
public struct StoredTensor: Sendable {
  /// The tensor's name in the file.
  public let name: String
  /// Sizes in row-major order, the last varies fastest; empty for a single number.
  public let shape: [Int]
  /// The type of the stored elements.
  public let elementType: StoredElementType
  /// The file that holds the tensor.
  package let file: MappedFile
  /// The tensor's bytes in the file; with strides, those from its first element to its last.
  let byteRange: Range<Int>
  /// For each dimension, the distance in elements between neighbours in the file; nil if the elements are contiguous.
  let strides: [Int]?
  /// The factors of a scaled FP8 tensor; nil for other tensors.
  let scale: TensorScale?
  /// The number of elements, the product of `shape`.
  public let elementCount: Int

  /// A tensor whose elements are in `byteRange`; the sizes must agree.
  init(
    name: String, shape: [Int], elementType: StoredElementType, file: MappedFile, byteRange: Range<Int>,
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

  /// The path of the file that holds the tensor.
  public var path: String { file.path }

  /// The same numbers with another shape of the same size; with strides, the shapes may differ in dimensions of 1 only.
  package func reshaped(_ shape: [Int]) -> StoredTensor {
    var strides = strides
    if let own = strides, shape != self.shape {
      // The shapes differ in dimensions of 1 only, whose strides do not matter.
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

  /// The transposed matrix.
  package func transposed() -> StoredTensor {
    StoredTensor(
      name: name, shape: shape.reversed(), elementType: elementType, file: file, byteRange: byteRange,
      strides: strides?.reversed() ?? [1, shape[1]], scale: scale?.transposed)
  }

  /// Converts all elements to Float32, exactly; `destination` has room for `elementCount` of them.
  ///
  /// Quantised numbers are decoded with their scales. Throws `TensorFileError.notFinite` for the first number that is NaN or
  /// infinite, and `.elementType` for types that are not `isReadable`.
  public func read(into destination: UnsafeMutablePointer<Float>) throws(TensorFileError) {
    try read(elements: 0..<elementCount, into: destination)
  }

  /// Converts some elements, counted in row-major order, to Float32, exactly; `destination` has room for them.
  ///
  /// Throws as `read(into:)` does. Several threads may read different parts at once.
  public func read(elements: Range<Int>, into destination: UnsafeMutablePointer<Float>) throws(TensorFileError) {
    precondition(elements.lowerBound >= 0 && elements.upperBound <= elementCount, "elements outside the tensor")
    guard elementType.isReadable else {
      throw .elementType(path: path, name: name, found: elementType.rawValue)
    }
    guard let base = file.bytes.baseAddress, !elements.isEmpty else { return }
    let source = base + byteRange.lowerBound
    // Small enough to be in the cache still when it is checked for finite numbers, and a multiple of all block sizes.
    let partCount = 8192
    var start = elements.lowerBound
    while start < elements.upperBound {
      // Parts end at the ends of blocks, so that only the first and the last block may be decoded twice.
      let count = min(partCount - start % partCount, elements.upperBound - start)
      let part = destination + (start - elements.lowerBound)
      var isFinite: Bool
      if let dequantize = elementType.dequantize, let strides {
        isFinite = gather(start..<start + count, of: source, strides: strides, into: part, dequantize)
      } else if let dequantize = elementType.dequantize {
        isFinite = self.dequantize(start..<start + count, of: source, into: part, dequantize)
      } else if let strides {
        isFinite = gather(start..<start + count, of: source, strides: strides) { widen($0, count: count, into: part) }
      } else {
        isFinite = widen(source + start * elementType.block.bytes, count: count, into: part)
      }
      if let scale {
        scale.apply(to: part, elements: start..<start + count, shape: shape)
        isFinite = isFinite && (0..<count).allSatisfy { part[$0].isFinite }
      }
      if !isFinite, let index = (0..<count).first(where: { !part[$0].isFinite }) {
        let value = part[index].isNaN ? "NaN" : part[index] > 0 ? "infinity" : "-infinity"
        throw .notFinite(path: path, name: name, index: start + index, value: value)
      }
      start += count
    }
  }

  /// Converts contiguous numbers; returns whether all of them are finite.
  private func widen(_ source: UnsafeRawPointer, count: Int, into destination: UnsafeMutablePointer<Float>) -> Bool {
    switch elementType {
    case .f16: Widening.float16(source, count: count, into: destination)
    case .bf16: Widening.bfloat16(source, count: count, into: destination)
    case .f8E4M3: Widening.float8E4M3(source, count: count, into: destination)
    case .f8E5M2: Widening.float8E5M2(source, count: count, into: destination)
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

  /// Calls `body` with a contiguous copy of some elements of a tensor with strides, which are not in blocks.
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

  /// Calls `body` for some elements of a tensor with strides: `at` counts the calls, `offset` is the element's distance from
  /// the first element of the tensor.
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

  /// Calls `body` with the elements as the file has them: little-endian, in row-major order, at any alignment.
  ///
  /// For a tensor with strides the bytes are a copy. The scale that `read(into:)` applies is not applied here.
  public func withRawBytes<Result, Failure>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    if let strides, let base = file.bytes.baseAddress, elementCount > 0 {
      let count = elementCount * elementType.block.bytes
      let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
      defer { copy.deallocate() }
      gather(0..<elementCount, of: base + byteRange.lowerBound, strides: strides) {
        copy.copyMemory(from: UnsafeRawBufferPointer(start: $0, count: copy.count))
      }
      return try body(UnsafeRawBufferPointer(copy))
    }
    return try withExtendedLifetime(file) { () throws(Failure) -> Result in
      try body(UnsafeRawBufferPointer(rebasing: file.bytes[byteRange]))
    }
  }

  /// Lets the system drop the tensor's bytes from memory; reading them again reads the file again.
  ///
  /// Call it once the weights have been packed elsewhere, so that they are not in memory twice.
  public func releasePages() {
    file.releasePages(byteRange)
  }
}
