/// Operations of upscaling networks besides convolutions. Only in float32.
extension Compute {
  /// x if x > 0, otherwise slope · x, in place: He et al. 2015, arXiv:1502.01852.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels]` without a border.
  ///   - slopes: One for each channel, or one for all channels.
  public func applyLeakyReLU(_ x: Tensor, slopes: [Float]) {
    precondition(
      x.elementType == .fp32 && (slopes.count == 1 || slopes.count == x.channels),
      "there is one slope for each channel, or one for all")
    let slopes = slopes.count == 1 ? Array(repeating: slopes[0], count: x.channels) : slopes
    slopes.withUnsafeBufferPointer { slopes in
      forEachRowBlock(x.pixels) { first, rows in
        for pixel in first..<first + rows {
          let values = x.base + pixel * x.channels
          for c in 0..<x.channels { values[c] = max(values[c], 0) + slopes[c] * min(values[c], 0) }
        }
      }
    }
  }

  /// factor · a + b.
  ///
  /// - Returns: A tensor of `a`'s shape, without a border.
  public func add(_ a: Tensor, scaledBy factor: Float, _ b: Tensor) -> Tensor {
    precondition(
      a.elementType == .fp32 && b.elementType == .fp32 && a.count == b.count,
      "the tensors have the same shape, in floats")
    let y = tensor(like: a)
    forEachRowBlock(a.pixels) { first, rows in
      let (start, end) = (first * a.channels, (first + rows) * a.channels)
      for i in start..<end { y.base[i] = factor * a.base[i] + b.base[i] }
    }
    return y
  }

  /// Turns every `factor`² channels into a square of pixels: Shi et al. 2016, "Real-Time Single Image and Video
  /// Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural Network", arXiv:1609.05158.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels * factor²]` without a border.
  ///   - factor: The side of a square.
  /// - Returns: `[batch, height * factor, width * factor, channels]`.
  public func pixelShuffled(_ x: Tensor, factor: Int) -> Tensor {
    let y = tensor(
      batch: x.batch, height: x.height * factor, width: x.width * factor, channels: x.channels / (factor * factor),
      elementType: .fp32)
    pool.run(y.batch * y.height) { row in
      let (image, line) = (row / y.height, row % y.height)
      for column in 0..<y.width {
        let source = x.pixel(image, line / factor, column / factor) + (line % factor) * factor + column % factor
        let destination = y.pixel(image, line, column)
        for c in 0..<y.channels { destination[c] = source[c * factor * factor] }
      }
    }
    return y
  }

  /// The inverse of `pixelShuffled`: squares of pixels become channels.
  ///
  /// - Parameters:
  ///   - x: `[batch, height * factor, width * factor, channels]` without a border.
  ///   - factor: The side of a square.
  /// - Returns: `[batch, height, width, channels * factor²]`.
  public func pixelUnshuffled(_ x: Tensor, factor: Int) -> Tensor {
    let y = tensor(
      batch: x.batch, height: x.height / factor, width: x.width / factor, channels: x.channels * factor * factor,
      elementType: .fp32)
    pool.run(y.batch * y.height) { row in
      let (image, line) = (row / y.height, row % y.height)
      for column in 0..<y.width {
        let destination = y.pixel(image, line, column)
        for part in 0..<factor * factor {
          let source = x.pixel(image, line * factor + part / factor, column * factor + part % factor)
          for c in 0..<x.channels { destination[c * factor * factor + part] = source[c] }
        }
      }
    }
    return y
  }
}
