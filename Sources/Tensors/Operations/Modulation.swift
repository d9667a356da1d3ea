/// Scales, shifts and activations around convolutions, for face restoration. Only in float32.
extension Compute {
  /// x if x > 0, otherwise slope · x; the result may have a border for the next convolution.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels]` without a border.
  ///   - slope: 0 for ReLU.
  ///   - border: The border of the result, 0 or 1.
  /// - Returns: A tensor of `x`'s shape; without a border it is `x` itself, changed in place.
  public func leakyReLU(_ x: Tensor, slope: Float, border: Int = 0) -> Tensor {
    let y =
      border == 0
      ? x
      : tensor(
        batch: x.batch, height: x.height, width: x.width, channels: x.channels, border: border, elementType: .fp32)
    let count = x.width * x.channels
    pool.run(x.batch * x.height) { row in
      let (image, line) = (row / x.height, row % x.height)
      let (source, destination) = (x.pixel(image, line, 0), y.pixel(image, line, 0))
      for i in 0..<count {
        let value = source[i]
        destination[i] = value > 0 ? value : slope * value
      }
    }
    return y
  }

  /// Multiplies each channel by its factor.
  ///
  /// - Parameters:
  ///   - x: `[1, height, width, channels]` without a border.
  ///   - factors: One for each channel.
  ///   - border: The border of the result, 0 or 1.
  /// - Returns: A tensor of `x`'s shape.
  public func scaled(_ x: Tensor, by factors: [Float], border: Int = 0) -> Tensor {
    precondition(factors.count == x.channels, "there is one factor for each channel")
    let y = tensor(
      batch: x.batch, height: x.height, width: x.width, channels: x.channels, border: border, elementType: .fp32)
    factors.withUnsafeBufferPointer { factors in
      guard let factors = factors.baseAddress else { return }
      pool.run(x.batch * x.height) { row in
        let (image, line) = (row / x.height, row % x.height)
        var (source, destination) = (x.pixel(image, line, 0), y.pixel(image, line, 0))
        for _ in 0..<x.width {
          for c in 0..<x.channels { destination[c] = source[c] * factors[c] }
          source += x.channels
          destination += x.channels
        }
      }
    }
    return y
  }

  /// factor · x + strength · noise + shift for each channel, then LeakyReLU, in place. This follows the convolutions of
  /// StyleGAN2 (Karras et al. 2020, arXiv:1912.04958).
  ///
  /// - Parameters:
  ///   - x: `[1, height, width, channels]` without a border.
  ///   - factors: One for each channel.
  ///   - shifts: One for each channel.
  ///   - noise: One number for each pixel, row by row.
  ///   - strength: The factor of the noise.
  ///   - slope: The slope for numbers below zero.
  public func applyStyle(
    _ x: Tensor, factors: [Float], shifts: [Float], noise: [Float], strength: Float, slope: Float
  ) {
    precondition(
      factors.count == x.channels && shifts.count == x.channels && noise.count == x.pixels,
      "there is one factor for each channel, and one noise for each pixel")
    factors.withUnsafeBufferPointer { factors in
      shifts.withUnsafeBufferPointer { shifts in
        guard let factors = factors.baseAddress, let shifts = shifts.baseAddress else { return }
        pool.run(x.batch * x.height) { row in
          var values = x.base + row * x.width * x.channels
          for column in 0..<x.width {
            let added = strength * noise[row * x.width + column]
            for c in 0..<x.channels {
              let value = values[c] * factors[c] + added + shifts[c]
              values[c] = value > 0 ? value : slope * value
            }
            values += x.channels
          }
        }
      }
    }
  }

  /// x · scale + shift for the last channels of each pixel, in place: spatial feature transform, Wang et al. 2018,
  /// arXiv:1804.02815.
  ///
  /// - Parameters:
  ///   - x: `[1, height, width, channels]` without a border.
  ///   - scale: `[1, height, width, n]`, for the last n channels.
  ///   - shift: A tensor of `scale`'s shape.
  public func modulateLastChannels(_ x: Tensor, scale: Tensor, shift: Tensor) {
    let first = x.channels - scale.channels
    precondition(first >= 0 && scale.count == shift.count && scale.pixels == x.pixels, "the shapes do not match")
    forEachRowBlock(x.pixels) { start, rows in
      for pixel in start..<start + rows {
        let values = x.base + pixel * x.channels + first
        let (a, b) = (scale.base + pixel * scale.channels, shift.base + pixel * scale.channels)
        for c in 0..<scale.channels { values[c] = values[c] * a[c] + b[c] }
      }
    }
  }

  /// x + weight · (x · scale + shift), in place.
  ///
  /// - Parameters:
  ///   - x: `[1, height, width, channels]` without a border.
  ///   - scale: A tensor of `x`'s shape.
  ///   - shift: A tensor of `x`'s shape.
  ///   - weight: How much of the change is added.
  public func addModulated(_ x: Tensor, scale: Tensor, shift: Tensor, weight: Float) {
    precondition(x.count == scale.count && x.count == shift.count, "the shapes do not match")
    forEachRowBlock(x.pixels) { first, rows in
      for i in first * x.channels..<(first + rows) * x.channels {
        x.base[i] += weight * (x.base[i] * scale.base[i] + shift.base[i])
      }
    }
  }

  /// Gives each channel the mean and deviation that it has in another image, in place: Huang & Belongie 2017, arXiv:1703.06868.
  /// The variance is that of a sample, plus 1e-5.
  ///
  /// - Parameters:
  ///   - x: `[1, height, width, channels]` without a border.
  ///   - style: The other image, a tensor of `x`'s shape.
  public func adoptMoments(_ x: Tensor, of style: Tensor) {
    precondition(x.count == style.count && x.pixels > 1, "the shapes do not match")
    func moments(_ x: Tensor, _ channel: Int) -> (mean: Double, deviation: Double) {
      var sum = 0.0
      for pixel in 0..<x.pixels { sum += Double(x.base[pixel * x.channels + channel]) }
      let mean = sum / Double(x.pixels)
      var squares = 0.0
      for pixel in 0..<x.pixels {
        let difference = Double(x.base[pixel * x.channels + channel]) - mean
        squares += difference * difference
      }
      return (mean, (squares / Double(x.pixels - 1) + 1e-5).squareRoot())
    }
    pool.run(x.channels) { channel in
      let (own, other) = (moments(x, channel), moments(style, channel))
      for pixel in 0..<x.pixels {
        let value = Double(x.base[pixel * x.channels + channel])
        x.base[pixel * x.channels + channel] = Float((value - own.mean) / own.deviation * other.deviation + other.mean)
      }
    }
  }
}
