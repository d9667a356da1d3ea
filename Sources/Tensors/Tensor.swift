/// Activations, channels last: `[batch, height, width, channels]`. A sequence is an image one pixel high.
///
/// A tensor with a border is `[batch, height + 2, width + 2, channels]` in memory, its outermost pixels zero: the padding
/// of a 3x3 convolution, laid out by whoever produces its input so that the convolution never looks at an edge. A
/// convolution with circular padding puts the opposite edge there before it begins.
public struct Tensor {
  /// Images.
  public let batch: Int
  /// Rows of pixels, without the border.
  public let height: Int
  /// Pixels in a row, without the border.
  public let width: Int
  /// Numbers in a pixel.
  public let channels: Int
  /// Pixels around the image: 0 or 1.
  public let border: Int
  /// What a number is.
  public let elementType: ElementType

  private let buffer: Buffer

  /// A tensor with any content; the border is zero.
  ///
  /// - Parameters:
  ///   - batch: Images.
  ///   - height: Rows of pixels.
  ///   - width: Pixels in a row.
  ///   - channels: Numbers in a pixel.
  ///   - border: 0 or 1.
  ///   - elementType: What a number is.
  ///   - workspace: Where the memory comes from.
  public init(
    batch: Int, height: Int, width: Int, channels: Int, border: Int = 0, elementType: ElementType = .fp32,
    in workspace: Workspace
  ) {
    self.batch = batch
    self.height = height
    self.width = width
    self.channels = channels
    self.border = border
    self.elementType = elementType
    buffer = workspace.buffer(
      bytes: batch * (height + 2 * border) * (width + 2 * border) * channels * elementType.size)
    if border > 0 { clearBorder() }
  }

  /// The first byte of the memory, border included.
  public var bytes: UnsafeMutableRawPointer { buffer.raw }

  /// The first float of the memory, border included; of `fp32` tensors only.
  public var base: UnsafeMutablePointer<Float> {
    precondition(elementType == .fp32, "the tensor does not hold floats")
    return bytes.assumingMemoryBound(to: Float.self)
  }

  /// The first number of the memory, border included; of `bf16` tensors only.
  public var base16: UnsafeMutablePointer<UInt16> {
    precondition(elementType == .bf16, "the tensor does not hold bfloat16 numbers")
    return bytes.assumingMemoryBound(to: UInt16.self)
  }

  /// Pixels of all images, without borders.
  public var pixels: Int { batch * height * width }

  /// Numbers of all images, without borders.
  public var count: Int { pixels * channels }

  /// Numbers from one row of pixels in memory to the next.
  public var rowStride: Int { (width + 2 * border) * channels }

  /// The place of a pixel's first number; rows and columns from -border on.
  public func offset(_ image: Int, _ y: Int, _ x: Int) -> Int {
    ((image * (height + 2 * border) + y + border) * (width + 2 * border) + x + border) * channels
  }

  /// The first float of a pixel; rows and columns from -border on. Of `fp32` tensors only.
  public func pixel(_ image: Int, _ y: Int, _ x: Int) -> UnsafeMutablePointer<Float> { base + offset(image, y, x) }

  /// The first number of a pixel; rows and columns from -border on. Of `bf16` tensors only.
  public func pixel16(_ image: Int, _ y: Int, _ x: Int) -> UnsafeMutablePointer<UInt16> { base16 + offset(image, y, x) }

  /// The first byte of a pixel; rows and columns from -border on.
  public func pixelBytes(_ image: Int, _ y: Int, _ x: Int) -> UnsafeMutableRawPointer {
    bytes + offset(image, y, x) * elementType.size
  }

  /// The values in memory order, without a border's; for tests and for what leaves the model.
  public var values: [Float] {
    var values: [Float] = []
    values.reserveCapacity(count)
    for image in 0..<batch {
      for y in 0..<height {
        switch elementType {
        case .fp32:
          values.append(contentsOf: UnsafeBufferPointer(start: pixel(image, y, 0), count: width * channels))
        case .bf16:
          values.append(
            contentsOf: UnsafeBufferPointer(start: pixel16(image, y, 0), count: width * channels).lazy.map(widened))
        }
      }
    }
    return values
  }

  private func clearBorder() {
    let pixelSize = channels * elementType.size
    func clear(_ start: UnsafeMutableRawPointer, _ size: Int) {
      start.initializeMemory(as: UInt8.self, repeating: 0, count: size)
    }
    for image in 0..<batch {
      clear(pixelBytes(image, -1, -1), rowStride * elementType.size)
      clear(pixelBytes(image, height, -1), rowStride * elementType.size)
      for y in 0..<height {
        clear(pixelBytes(image, y, -1), pixelSize)
        clear(pixelBytes(image, y, width), pixelSize)
      }
    }
  }
}
