import CKernels

extension Compute {
  /// The tensor with another element type.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels]`.
  ///   - elementType: The element type of the result; by default that of this compute.
  ///   - border: The border of the result, 0 or 1.
  /// - Returns: `x` itself if nothing changes.
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
