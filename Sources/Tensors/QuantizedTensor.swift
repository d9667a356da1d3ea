import CKernels

/// Activations in bytes, `[batch, height, width, channels]`: a byte q means scale · (q - zero), with the scale and zero point
/// of its pixel or of its image.
///
/// A pixel is padded to a multiple of four bytes.
struct QuantizedTensor {
  let batch: Int
  let height: Int
  let width: Int
  let channels: Int
  let border: Int
  /// The number of bytes from one pixel to the next.
  let stride: Int
  /// Whether there is a scale for each pixel; otherwise there is one for each image.
  let isByPixel: Bool
  private let bytes: Buffer
  private let scaleBuffer: Buffer

  fileprivate init(_ x: Tensor, border: Int, isByPixel: Bool, in workspace: Workspace) {
    (batch, height, width, channels) = (x.batch, x.height, x.width, x.channels)
    self.border = border
    self.isByPixel = isByPixel
    stride = Self.stride(channels)
    bytes = workspace.buffer(bytes: batch * (height + 2 * border) * (width + 2 * border) * stride)
    scaleBuffer = workspace.buffer(bytes: (isByPixel ? x.pixels : batch) * 8)
  }

  /// The size in bytes of a pixel with this many channels.
  static func stride(_ channels: Int) -> Int { (channels + 3) / 4 * 4 }

  private var scaleCount: Int { isByPixel ? batch * height * width : batch }

  /// The scale of each pixel, or of each image.
  var scales: UnsafeMutablePointer<Float> { scaleBuffer.raw.assumingMemoryBound(to: Float.self) }

  /// The zero point of each pixel, or of each image.
  var zeros: UnsafeMutablePointer<Int32> { (scaleBuffer.raw + 4 * scaleCount).assumingMemoryBound(to: Int32.self) }

  /// The first byte of a pixel; rows and columns start at -border.
  func pixel(_ image: Int, _ y: Int, _ x: Int) -> UnsafeMutablePointer<UInt8> {
    let row = (image * (height + 2 * border) + y + border) * (width + 2 * border) + x + border
    return bytes.raw.assumingMemoryBound(to: UInt8.self) + row * stride
  }
}

extension Compute {
  /// Quantises the tensor to bytes; each pixel has the scale that maps it to 0...255.
  ///
  /// - Parameter x: `[batch, height, width, channels]` in bf16, without a border.
  /// - Returns: Bytes of `x`'s shape.
  func quantizedByPixel(_ x: Tensor) -> QuantizedTensor {
    let q = QuantizedTensor(x, border: 0, isByPixel: true, in: workspace)
    forEachRowBlock(x.pixels) { first, rows in
      var call = ck_quantization()
      call.x = UnsafePointer(x.base16 + first * x.channels)
      call.x_stride = x.channels
      call.rows = rows
      call.k = x.channels
      call.y = q.pixel(0, 0, 0) + first * q.stride
      call.y_stride = q.stride
      call.scale = q.scales + first
      call.zero = q.zeros + first
      call.scale_stride = 1
      kernels.table.pointee.quantize(&call)
    }
    return q
  }

  /// Quantises the tensor to bytes; all pixels of an image share a scale, because a convolution adds up several of them.
  ///
  /// - Parameter x: `[batch, height, width, channels]` in bf16, with or without a border.
  /// - Returns: Bytes of `x`'s shape, with its border.
  func quantizedByImage(_ x: Tensor) -> QuantizedTensor {
    let q = QuantizedTensor(x, border: x.border, isByPixel: false, in: workspace)
    let rowCount = x.batch * x.height
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * rowCount) { ranges in
      guard let ranges = ranges.baseAddress else { return }
      pool.run(rowCount) { row in
        let pixels = x.pixel16(row / x.height, row % x.height, 0)
        kernels.table.pointee.range(pixels, x.width * x.channels, ranges + 2 * row, ranges + 2 * row + 1)
      }
      for image in 0..<x.batch {
        var (smallest, largest): (Float, Float) = (0, 0)
        for row in image * x.height..<(image + 1) * x.height {
          // Comparisons with NaN are false, so this keeps NaN; min and max would drop it.
          if !(ranges[2 * row] >= smallest) { smallest = ranges[2 * row] }
          if !(ranges[2 * row + 1] <= largest) { largest = ranges[2 * row + 1] }
        }
        kernels.table.pointee.range_scale(smallest, largest, q.scales + image, q.zeros + image)
      }
    }
    // The border's zeros become the byte that means zero in this image.
    let rowsWithBorder = x.height + 2 * x.border
    pool.run(x.batch * rowsWithBorder) { row in
      let (image, y) = (row / rowsWithBorder, row % rowsWithBorder - x.border)
      var call = ck_quantization()
      call.x = UnsafePointer(x.pixel16(image, y, -x.border))
      call.x_stride = x.channels
      call.rows = x.width + 2 * x.border
      call.k = x.channels
      call.y = q.pixel(image, y, -x.border)
      call.y_stride = q.stride
      call.scale = q.scales + image
      call.zero = q.zeros + image
      kernels.table.pointee.quantize(&call)
    }
    return q
  }
}
