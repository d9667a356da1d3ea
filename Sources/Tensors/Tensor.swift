/// Activations, channels last: `[batch, height, width, channels]`. A sequence is an image one pixel high.
///
/// A tensor with a border is `[batch, height + 2, width + 2, channels]` in memory, its outermost pixels zero: the padding
/// of a 3x3 convolution, laid out by whoever produces its input so that the convolution never looks at an edge.
public struct Tensor {
  /// Images.
  public let batch: Int
  /// Rows of pixels, without the border.
  public let height: Int
  /// Pixels in a row, without the border.
  public let width: Int
  /// Floats in a pixel.
  public let channels: Int
  /// Pixels of zeros around the image: 0 or 1.
  public let border: Int

  private let buffer: Buffer

  /// A tensor with any content; the border is zero.
  ///
  /// - Parameters:
  ///   - batch: Images.
  ///   - height: Rows of pixels.
  ///   - width: Pixels in a row.
  ///   - channels: Floats in a pixel.
  ///   - border: 0 or 1.
  ///   - workspace: Where the memory comes from.
  public init(batch: Int, height: Int, width: Int, channels: Int, border: Int = 0, in workspace: Workspace) {
    self.batch = batch
    self.height = height
    self.width = width
    self.channels = channels
    self.border = border
    buffer = workspace.buffer(batch * (height + 2 * border) * (width + 2 * border) * channels)
    if border > 0 { clearBorder() }
  }

  /// The first float of the memory, border included.
  public var base: UnsafeMutablePointer<Float> { buffer.floats }

  /// Pixels of all images, without borders.
  public var pixels: Int { batch * height * width }

  /// Floats of all images, without borders.
  public var count: Int { pixels * channels }

  /// Floats from one row of pixels in memory to the next.
  public var rowStride: Int { (width + 2 * border) * channels }

  /// The first float of a pixel; rows and columns from -border on.
  public func pixel(_ image: Int, _ y: Int, _ x: Int) -> UnsafeMutablePointer<Float> {
    base + ((image * (height + 2 * border) + y + border) * (width + 2 * border) + x + border) * channels
  }

  /// The values in memory order, without a border's; for tests and for what leaves the model.
  public var values: [Float] {
    var values: [Float] = []
    values.reserveCapacity(count)
    for image in 0..<batch {
      for y in 0..<height {
        values.append(contentsOf: UnsafeBufferPointer(start: pixel(image, y, 0), count: width * channels))
      }
    }
    return values
  }

  private func clearBorder() {
    for image in 0..<batch {
      pixel(image, -1, -1).update(repeating: 0, count: rowStride)
      pixel(image, height, -1).update(repeating: 0, count: rowStride)
      for y in 0..<height {
        pixel(image, y, -1).update(repeating: 0, count: channels)
        pixel(image, y, width).update(repeating: 0, count: channels)
      }
    }
  }
}
