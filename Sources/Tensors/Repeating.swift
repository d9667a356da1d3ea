extension Compute {
  /// The same image several times, for what comes after work that all of a batch have in common.
  ///
  /// - Parameters:
  ///   - x: One image, or already `count` of them.
  ///   - count: Images of the result.
  /// - Returns: `[count, height, width, channels]`; `x` itself if it is so already.
  public func repeated(_ x: Tensor, _ count: Int) -> Tensor {
    if x.batch == count { return x }
    precondition(x.batch == 1 && x.border == 0, "only one image without a border can be repeated")
    let y = tensor(batch: count, height: x.height, width: x.width, channels: x.channels)
    let rowLength = x.width * x.channels
    pool.run(count * x.height) { row in
      y.pixel(row / x.height, row % x.height, 0).update(from: x.pixel(0, row % x.height, 0), count: rowLength)
    }
    return y
  }
  /// One image of a batch by itself.
  ///
  /// - Parameters:
  ///   - image: Which.
  ///   - x: `[batch, height, width, channels]` without a border.
  /// - Returns: `[1, height, width, channels]`.
  public func image(_ image: Int, of x: Tensor) -> Tensor {
    let y = tensor(batch: 1, height: x.height, width: x.width, channels: x.channels)
    let rowLength = x.width * x.channels
    pool.run(x.height) { row in y.pixel(0, row, 0).update(from: x.pixel(image, row, 0), count: rowLength) }
    return y
  }

  /// Single images of one size as a batch.
  ///
  /// - Parameter images: At least one, each `[1, height, width, channels]` without a border.
  /// - Returns: `[count, height, width, channels]`.
  public func stacked(_ images: [Tensor]) -> Tensor {
    let first = images[0]
    let y = tensor(batch: images.count, height: first.height, width: first.width, channels: first.channels)
    let rowLength = first.width * first.channels
    pool.run(images.count * first.height) { row in
      let (image, row) = (row / first.height, row % first.height)
      y.pixel(image, row, 0).update(from: images[image].pixel(0, row, 0), count: rowLength)
    }
    return y
  }
}
