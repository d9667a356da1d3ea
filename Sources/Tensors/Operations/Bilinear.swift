/// Doubling and halving by bilinear interpolation, as in PyTorch without aligned corners. Only in float32.
extension Compute {
  /// Doubles the size; pixels beyond the edges have the value at the edge.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels]` without a border.
  ///   - factors: A factor for each channel; nil for 1.
  ///   - border: The border of the result, 0 or 1.
  /// - Returns: `[batch, 2 * height, 2 * width, channels]`.
  public func doubled(_ x: Tensor, factors: [Float]? = nil, border: Int = 0) -> Tensor {
    precondition(factors?.count ?? x.channels == x.channels, "there is one factor for each channel")
    let y = tensor(
      batch: x.batch, height: 2 * x.height, width: 2 * x.width, channels: x.channels, border: border, elementType: .fp32
    )
    let (channels, width) = (x.channels, x.width)
    let factors = factors ?? Array(repeating: 1, count: channels)
    factors.withUnsafeBufferPointer { factors in
      guard let factors = factors.baseAddress else { return }
      pool.run(y.batch * y.height) { row in
        let (image, line) = (row / y.height, row % y.height)
        // The nearer row has a weight of three quarters, and the row on the other side one quarter.
        let near = line / 2
        let far = min(max(line % 2 == 0 ? near - 1 : near + 1, 0), x.height - 1)
        let (a, b) = (x.pixel(image, near, 0), x.pixel(image, far, 0))
        withUnsafeTemporaryAllocation(of: Float.self, capacity: width * channels) { memory in
          guard let blended = memory.baseAddress else { return }
          for column in 0..<width {
            let start = column * channels
            for c in 0..<channels { blended[start + c] = (0.75 * a[start + c] + 0.25 * b[start + c]) * factors[c] }
          }
          for column in 0..<2 * width {
            let middle = column / 2
            let side = min(max(column % 2 == 0 ? middle - 1 : middle + 1, 0), width - 1)
            let (p, q) = (blended + middle * channels, blended + side * channels)
            let destination = y.pixel(image, line, column)
            for c in 0..<channels { destination[c] = 0.75 * p[c] + 0.25 * q[c] }
          }
        }
      }
    }
    return y
  }

  /// Halves the size: each pixel is the mean of four.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels]` without a border; the sides are even.
  ///   - border: The border of the result, 0 or 1.
  /// - Returns: `[batch, height / 2, width / 2, channels]`.
  public func halved(_ x: Tensor, border: Int = 0) -> Tensor {
    let y = tensor(
      batch: x.batch, height: x.height / 2, width: x.width / 2, channels: x.channels, border: border, elementType: .fp32
    )
    pool.run(y.batch * y.height) { row in
      let (image, line) = (row / y.height, row % y.height)
      for column in 0..<y.width {
        let (a, b) = (x.pixel(image, 2 * line, 2 * column), x.pixel(image, 2 * line + 1, 2 * column))
        let destination = y.pixel(image, line, column)
        for c in 0..<x.channels {
          destination[c] = 0.25 * (a[c] + a[x.channels + c] + b[c] + b[x.channels + c])
        }
      }
    }
    return y
  }
}
