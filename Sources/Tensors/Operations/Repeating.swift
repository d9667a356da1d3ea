extension Compute {
  /// A batch of copies of one image, for the point where images that started equal become different.
  ///
  /// - Parameters:
  ///   - x: One image, or already `count` of them.
  ///   - count: The number of images in the result.
  /// - Returns: `[count, height, width, channels]`; `x` itself if it has `count` images.
  public func repeated(_ x: Tensor, _ count: Int) -> Tensor {
    if x.batch == count { return x }
    precondition(x.batch == 1 && x.border == 0, "only one image without a border can be repeated")
    return joined(count, like: x) { _ in x }
  }

  /// A copy of one image of a batch.
  ///
  /// - Parameters:
  ///   - image: The index of the image.
  ///   - x: `[batch, height, width, channels]` without a border.
  /// - Returns: `[1, height, width, channels]`.
  public func image(_ image: Int, of x: Tensor) -> Tensor {
    joined(1, like: x, firstImage: image) { _ in x }
  }

  /// A batch of single images of the same size.
  ///
  /// - Parameter images: At least one, each `[1, height, width, channels]` without a border.
  /// - Returns: `[count, height, width, channels]`.
  public func stacked(_ images: [Tensor]) -> Tensor {
    joined(images.count, like: images[0]) { images[$0] }
  }

  private func joined(_ count: Int, like x: Tensor, firstImage: Int = 0, _ source: (Int) -> Tensor) -> Tensor {
    let y = tensor(
      batch: count, height: x.height, width: x.width, channels: x.channels, elementType: x.elementType)
    let rowBytes = x.width * x.channels * x.elementType.size
    pool.run(count * x.height) { part in
      let (image, row) = (part / x.height, part % x.height)
      y.pixelBytes(image, row, 0).copyMemory(from: source(image).pixelBytes(firstImage, row, 0), byteCount: rowBytes)
    }
    return y
  }
}
