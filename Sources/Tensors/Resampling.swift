extension Compute {
  /// The image with a border of zeros.
  public func bordered(_ x: Tensor) -> Tensor {
    resizedNearest(x, height: x.height, width: x.width, border: 1)
  }

  /// The image at another size, each pixel a copy of the nearest one above and to the left (PyTorch's `nearest`).
  ///
  /// - Parameters:
  ///   - x: Without a border.
  ///   - height: Of the result.
  ///   - width: Of the result.
  ///   - border: Of the result.
  /// - Returns: `[batch, height, width, channels]`.
  public func resizedNearest(_ x: Tensor, height: Int, width: Int, border: Int) -> Tensor {
    let y = tensor(batch: x.batch, height: height, width: width, channels: x.channels, border: border)
    pool.run(x.batch * height) { row in
      let image = row / height
      let source = row % height * x.height / height
      for column in 0..<width {
        y.pixel(image, row % height, column)
          .update(from: x.pixel(image, source, column * x.width / width), count: x.channels)
      }
    }
    return y
  }

  /// The channels of `a` followed by those of `b`, pixel by pixel.
  public func concatenatedChannels(_ a: Tensor, _ b: Tensor) -> Tensor {
    let y = tensor(batch: a.batch, height: a.height, width: a.width, channels: a.channels + b.channels)
    forEachRowBlock(a.pixels) { first, rows in
      for pixel in first..<first + rows {
        let destination = y.base + pixel * y.channels
        destination.update(from: a.base + pixel * a.channels, count: a.channels)
        (destination + a.channels).update(from: b.base + pixel * b.channels, count: b.channels)
      }
    }
    return y
  }
}
