/// One tensor of a model's files: its name and shape at once, its numbers when asked for.
public struct WeightTensor: Sendable {
  /// What the file calls the tensor.
  public let name: String
  /// Sizes in row-major order, the last varying fastest; empty for a single number.
  public let shape: [Int]
  /// What the file stores.
  public let elementType: SafetensorsElementType
  let file: MappedFile
  let byteRange: Range<Int>

  /// The number of elements, the product of `shape`.
  public var elementCount: Int { byteRange.count * 8 / elementType.bitCount }

  /// The path of the file that holds the tensor.
  public var path: String { file.path }

  /// The same numbers under another shape of the same size.
  func reshaped(_ shape: [Int]) -> WeightTensor {
    WeightTensor(name: name, shape: shape, elementType: elementType, file: file, byteRange: byteRange)
  }

  /// Converts all elements to Float32, exactly; `destination` has room for `elementCount` of them.
  ///
  /// Throws `WeightError.notFinite` at the first NaN or infinite weight, `.elementType` for anything but F32, F16 and
  /// BF16.
  public func read(into destination: UnsafeMutablePointer<Float>) throws(WeightError) {
    try read(elements: 0..<elementCount, into: destination)
  }

  /// Converts some elements, counted in row-major order, to Float32, exactly; `destination` has room for them.
  ///
  /// Throws as `read(into:)` does. Several threads may read different parts at once.
  public func read(elements: Range<Int>, into destination: UnsafeMutablePointer<Float>) throws(WeightError) {
    precondition(elements.lowerBound >= 0 && elements.upperBound <= elementCount, "elements outside the tensor")
    guard elementType.isReadable else {
      throw .elementType(path: path, name: name, found: elementType.rawValue)
    }
    guard let base = file.bytes.baseAddress else { return }
    let source = base + byteRange.lowerBound
    // Small enough that the check for finite numbers finds each block in the cache.
    let blockCount = 8192
    var start = elements.lowerBound
    while start < elements.upperBound {
      let count = min(blockCount, elements.upperBound - start)
      let block = destination + (start - elements.lowerBound)
      let position = source + start * elementType.bitCount / 8
      let isFinite =
        switch elementType {
        case .f16: Widening.float16(position, count: count, into: block)
        case .bf16: Widening.bfloat16(position, count: count, into: block)
        default: Widening.float32(position, count: count, into: block)
        }
      if !isFinite, let index = (0..<count).first(where: { !block[$0].isFinite }) {
        let value = block[index].isNaN ? "NaN" : block[index] > 0 ? "infinity" : "-infinity"
        throw .notFinite(path: path, name: name, index: start + index, value: value)
      }
      start += count
    }
  }

  /// All elements as Float32, in row-major order.
  ///
  /// Throws as `read(into:)` does.
  public func floats() throws(WeightError) -> [Float] {
    var failure: WeightError?
    let count = elementCount
    let floats = [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      guard let start = buffer.baseAddress else { return }
      do throws(WeightError) {
        try read(into: start)
        initialized = count
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return floats
  }

  /// Hands over the bytes as the file holds them: little-endian elements in row-major order, at any alignment.
  public func withRawBytes<Result, Failure>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try withExtendedLifetime(file) { () throws(Failure) -> Result in
      try body(UnsafeRawBufferPointer(rebasing: file.bytes[byteRange]))
    }
  }

  /// Tells the system that the tensor's bytes are not needed in memory for now; reading them again reads the file again.
  ///
  /// Call it when the weights have been packed elsewhere, so that they are not resident twice.
  public func releasePages() {
    file.releasePages(byteRange)
  }
}
