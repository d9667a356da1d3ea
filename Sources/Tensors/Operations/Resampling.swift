extension Compute {
  /// A copy of the image with a border of zeros.
  public func bordered(_ x: Tensor) -> Tensor {
    resizedNearest(x, height: x.height, width: x.width, border: 1)
  }

  /// The image at another size; each pixel is a copy of the nearest one above and to the left (PyTorch's `nearest`).
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels]` without a border.
  ///   - height: The height of the result.
  ///   - width: The width of the result.
  ///   - border: The border of the result, 0 or 1.
  /// - Returns: `[batch, height, width, channels]`.
  public func resizedNearest(_ x: Tensor, height: Int, width: Int, border: Int) -> Tensor {
    let y = tensor(
      batch: x.batch, height: height, width: width, channels: x.channels, border: border, elementType: x.elementType)
    let size = x.channels * x.elementType.size
    pool.run(x.batch * height) { row in
      let image = row / height
      let source = row % height * x.height / height
      for column in 0..<width {
        y.pixelBytes(image, row % height, column)
          .copyMemory(from: x.pixelBytes(image, source, column * x.width / width), byteCount: size)
      }
    }
    return y
  }

  /// The channels of `a` followed by those of `b`, pixel by pixel.
  public func concatenatedChannels(_ a: Tensor, _ b: Tensor) -> Tensor {
    let y = tensor(
      batch: a.batch, height: a.height, width: a.width, channels: a.channels + b.channels, elementType: a.elementType)
    let (sizeA, sizeB) = (a.channels * a.elementType.size, b.channels * b.elementType.size)
    forEachRowBlock(a.pixels) { first, rows in
      for pixel in first..<first + rows {
        let destination = y.bytes + pixel * (sizeA + sizeB)
        destination.copyMemory(from: a.bytes + pixel * sizeA, byteCount: sizeA)
        (destination + sizeA).copyMemory(from: b.bytes + pixel * sizeB, byteCount: sizeB)
      }
    }
    return y
  }

  /// Some channels of every pixel.
  ///
  /// - Parameters:
  ///   - range: The channels.
  ///   - x: `[batch, height, width, channels]` without a border.
  /// - Returns: `[batch, height, width, range.count]`.
  public func channels(_ range: Range<Int>, of x: Tensor) -> Tensor {
    let y = tensor(
      batch: x.batch, height: x.height, width: x.width, channels: range.count, elementType: x.elementType)
    let size = x.elementType.size
    forEachRowBlock(x.pixels) { first, rows in
      for pixel in first..<first + rows {
        (y.bytes + pixel * range.count * size).copyMemory(
          from: x.bytes + (pixel * x.channels + range.lowerBound) * size, byteCount: range.count * size)
      }
    }
    return y
  }
}
