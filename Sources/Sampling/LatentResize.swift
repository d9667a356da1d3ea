import Settings

extension Latent {
  /// The latent at another size, as PyTorch's `interpolate` computes it with `align_corners=False`.
  ///
  /// Rows are resized first, then columns. Weights are in single precision as in PyTorch, because their rounding decides which
  /// pixel is nearest. Cubic weights have a = −0.75, antialiased ones a = −0.5: Keys 1981, "Cubic Convolution Interpolation for
  /// Digital Image Processing".
  ///
  /// - Parameters:
  ///   - height: In latent pixels, at least 1.
  ///   - width: In latent pixels, at least 1.
  ///   - filter: The filter.
  /// - Returns: `[channels, height, width]`.
  public func resized(height: Int, width: Int, filter: LatentFilter) -> Latent {
    let across = ResizeTap.line(old: shape.width, new: width, filter)
    let down = ResizeTap.line(old: shape.height, new: height, filter)
    let (oldHeight, oldWidth) = (shape.height, shape.width)
    var rows = [Float](repeating: 0, count: shape.channels * oldHeight * width)
    values.withUnsafeBufferPointer { source in
      for row in 0..<shape.channels * oldHeight {
        for (x, tap) in across.enumerated() {
          var sum: Float = 0
          for (index, weight) in tap { sum += weight * source[row * oldWidth + index] }
          rows[row * width + x] = sum
        }
      }
    }
    let newShape = LatentShape(channels: shape.channels, height: height, width: width)
    var result = [Float](repeating: 0, count: newShape.count)
    rows.withUnsafeBufferPointer { source in
      for c in 0..<shape.channels {
        for (y, tap) in down.enumerated() {
          let start = (c * height + y) * width
          for (index, weight) in tap {
            let row = (c * oldHeight + index) * width
            for x in 0..<width { result[start + x] += weight * source[row + x] }
          }
        }
      }
    }
    return Latent(shape: newShape, values: result)
  }

  /// A part of the latent.
  ///
  /// - Parameters:
  ///   - rows: Latent rows to keep.
  ///   - columns: Latent columns to keep.
  /// - Returns: `[channels, rows, columns]`.
  public func cropped(rows: Range<Int>, columns: Range<Int>) -> Latent {
    var kept: [Float] = []
    kept.reserveCapacity(shape.channels * rows.count * columns.count)
    for c in 0..<shape.channels {
      for y in rows {
        let start = (c * shape.height + y) * shape.width
        kept += values[start + columns.lowerBound..<start + columns.upperBound]
      }
    }
    return Latent(
      shape: LatentShape(channels: shape.channels, height: rows.count, width: columns.count), values: kept)
  }
}

/// The old pixels along one side that a new pixel depends on, and their weights.
private enum ResizeTap {
  typealias Tap = [(index: Int, weight: Float)]

  static func line(old: Int, new: Int, _ filter: LatentFilter) -> [Tap] {
    let scale = Float(old) / Float(new)
    return (0..<new).map { i in
      switch filter {
      case .nearest: [(min(Int(Float(i) * scale), old - 1), 1)]
      case .nearestExact: [(min(Int((Float(i) + 0.5) * scale), old - 1), 1)]
      case .bilinear: bilinear(i, scale, old)
      case .bicubic: bicubic(i, scale, old)
      case .antialiasedBilinear: antialiased(i, scale, old, reach: 1) { max(0, 1 - $0.magnitude) }
      case .antialiasedBicubic: antialiased(i, scale, old, reach: 2) { cubic($0, a: -0.5) }
      }
    }
  }

  private static func bilinear(_ i: Int, _ scale: Float, _ old: Int) -> Tap {
    let source = max(scale * (Float(i) + 0.5) - 0.5, 0)
    let first = min(Int(source), old - 1)
    let part = source - Float(first)
    return [(first, 1 - part), (min(first + 1, old - 1), part)]
  }

  /// Pixels beyond an edge have the value at the edge.
  private static func bicubic(_ i: Int, _ scale: Float, _ old: Int) -> Tap {
    let source = scale * (Float(i) + 0.5) - 0.5
    let first = source.rounded(.down)
    return (-1...2).map { offset in
      (min(max(Int(first) + offset, 0), old - 1), cubic(source - first - Float(offset), a: -0.75))
    }
  }

  /// Averages all old pixels that a new one covers; the weights sum to one.
  private static func antialiased(
    _ i: Int, _ scale: Float, _ old: Int, reach: Float, _ filter: (Float) -> Float
  ) -> Tap {
    let filterScale = max(scale, 1)
    let support = reach * filterScale
    let middle = scale * (Float(i) + 0.5)
    let first = max(Int(middle - support + 0.5), 0)
    let end = min(Int(middle + support + 0.5), old)
    let weights = (first..<end).map { filter((Float($0) - middle + 0.5) / filterScale) }
    let total = weights.reduce(0, +)
    return zip(first..<end, weights).map { ($0, total == 0 ? $1 : $1 / total) }
  }

  private static func cubic(_ x: Float, a: Float) -> Float {
    let x = x.magnitude
    if x <= 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
    if x < 2 { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a }
    return 0
  }
}
