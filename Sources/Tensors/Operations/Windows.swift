/// Windows of pixels around pixels, for convolutions that are not 3x3 and for pooling. Only in float32.
extension Compute {
  /// For every other pixel of every other row, the square of pixels around it, one after the other. A product over its channels
  /// is then a convolution with a step of 2. Pixels beyond the edges are zero.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels]` without a border.
  ///   - side: The side of a square, an odd number.
  /// - Returns: `[batch, ceil(height / 2), ceil(width / 2), side * side * channels]`: rows of the square, columns, channels.
  public func windows(_ x: Tensor, side: Int) -> Tensor {
    let y = tensor(
      batch: x.batch, height: (x.height + 1) / 2, width: (x.width + 1) / 2, channels: side * side * x.channels,
      elementType: .fp32)
    pool.run(y.batch * y.height) { row in
      let (image, line) = (row / y.height, row % y.height)
      for column in 0..<y.width {
        var destination = y.pixel(image, line, column)
        let left = 2 * column - side / 2
        // The part of each row that is in the image.
        let (from, to) = (max(left, 0), min(left + side, x.width))
        for top in (2 * line - side / 2)..<(2 * line - side / 2 + side) {
          destination.update(repeating: 0, count: side * x.channels)
          if (0..<x.height).contains(top), from < to {
            (destination + (from - left) * x.channels).update(
              from: x.pixel(image, top, from), count: (to - from) * x.channels)
          }
          destination += side * x.channels
        }
      }
    }
    return y
  }

  /// For every other pixel of every other row, the largest values of the 3x3 pixels around it.
  ///
  /// - Parameter x: `[batch, height, width, channels]` without a border.
  /// - Returns: `[batch, ceil(height / 2), ceil(width / 2), channels]`.
  public func maxPooled(_ x: Tensor) -> Tensor {
    let y = tensor(
      batch: x.batch, height: (x.height + 1) / 2, width: (x.width + 1) / 2, channels: x.channels, elementType: .fp32)
    pool.run(y.batch * y.height) { row in
      let (image, line) = (row / y.height, row % y.height)
      for column in 0..<y.width {
        let destination = y.pixel(image, line, column)
        destination.update(from: x.pixel(image, 2 * line, 2 * column), count: x.channels)
        for top in max(2 * line - 1, 0)...min(2 * line + 1, x.height - 1) {
          for left in max(2 * column - 1, 0)...min(2 * column + 1, x.width - 1) {
            let source = x.pixel(image, top, left)
            for c in 0..<x.channels { destination[c] = source[c] > destination[c] ? source[c] : destination[c] }
          }
        }
      }
    }
    return y
  }

  /// Every other pixel of every other row, starting with the first.
  ///
  /// - Parameter x: `[batch, height, width, channels]` without a border.
  /// - Returns: `[batch, ceil(height / 2), ceil(width / 2), channels]`.
  public func everySecondPixel(_ x: Tensor) -> Tensor {
    let y = tensor(
      batch: x.batch, height: (x.height + 1) / 2, width: (x.width + 1) / 2, channels: x.channels, elementType: .fp32)
    pool.run(y.batch * y.height) { row in
      let (image, line) = (row / y.height, row % y.height)
      for column in 0..<y.width {
        y.pixel(image, line, column).update(from: x.pixel(image, 2 * line, 2 * column), count: x.channels)
      }
    }
    return y
  }
}
