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
}
