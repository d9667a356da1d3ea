import CKernels

extension Compute {
  /// The tensor in numbers of another type: this compute's, where nothing else is said.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels]`.
  ///   - elementType: What a number of the result is.
  ///   - border: Of the result.
  /// - Returns: `x` itself where nothing would change.
  public func converted(_ x: Tensor, to elementType: ElementType? = nil, border: Int = 0) -> Tensor {
    let wanted = elementType ?? self.elementType
    if x.elementType == wanted, x.border == border { return x }
    let y = tensor(
      batch: x.batch, height: x.height, width: x.width, channels: x.channels, border: border, elementType: wanted)
    let count = x.width * x.channels
    pool.run(x.batch * x.height) { row in
      let (image, line) = (row / x.height, row % x.height)
      switch (x.elementType, wanted) {
      case (.fp32, .bf16): kernels.table.pointee.narrow(x.pixel(image, line, 0), count, y.pixel16(image, line, 0))
      case (.bf16, .fp32): kernels.table.pointee.widen(x.pixel16(image, line, 0), count, y.pixel(image, line, 0))
      case (.fp32, .fp32), (.bf16, .bf16):
        y.pixelBytes(image, line, 0).copyMemory(from: x.pixelBytes(image, line, 0), byteCount: count * wanted.size)
      }
    }
    return y
  }
}
