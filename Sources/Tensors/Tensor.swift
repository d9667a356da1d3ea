/// Activations, channels last: `[batch, height, width, channels]`. A sequence is an image one pixel high.
///
/// A tensor with a border is `[batch, height + 2, width + 2, channels]` in memory, and its outermost pixels are zero: the
/// padding of a 3x3 convolution. The operation that makes the input leaves room for it, so the convolution needs no special
/// code for edges. A convolution with circular padding first copies the opposite edges into the border.
public struct Tensor {
  /// The number of images.
  public let batch: Int
  /// The number of rows of pixels, without the border.
  public let height: Int
  /// The number of pixels in a row, without the border.
  public let width: Int
  /// The number of channels of a pixel.
  public let channels: Int
  /// The number of pixels around the image: 0 or 1.
  public let border: Int
  /// The type of a number.
  public let elementType: ElementType

  private let buffer: Buffer
  /// The number of bytes of the buffer before the first number.
  private let skippedBytes: Int

  /// Creates a tensor with arbitrary content; the border is zero.
  ///
  /// - Parameters:
  ///   - batch: The number of images.
  ///   - height: The number of rows of pixels.
  ///   - width: The number of pixels in a row.
  ///   - channels: The number of channels of a pixel.
  ///   - border: 0 or 1.
  ///   - elementType: The type of a number.
  ///   - workspace: Provides the memory.
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
    skippedBytes = 0
    buffer = workspace.buffer(
      bytes: batch * (height + 2 * border) * (width + 2 * border) * channels * elementType.size)
    if border > 0 { clearBorder() }
  }

  private init(_ tensor: Tensor, tokens: Range<Int>) {
    (batch, height, width, channels) = (1, 1, tokens.count, tensor.channels)
    (border, elementType, buffer) = (0, tensor.elementType, tensor.buffer)
    skippedBytes = tensor.skippedBytes + tokens.lowerBound * tensor.channels * tensor.elementType.size
  }

  /// Some tokens of a sequence, or pixels of images without a border, as a sequence that shares the memory.
  public func tokens(_ range: Range<Int>) -> Tensor {
    precondition(border == 0 && range.lowerBound >= 0 && range.upperBound <= pixels, "there are no such tokens")
    return Tensor(self, tokens: range)
  }

  /// The first byte of the memory, including the border.
  public var bytes: UnsafeMutableRawPointer { buffer.raw + skippedBytes }

  /// The first number of the memory, including the border, for code that is generic over the element type.
  func base<Number: TensorNumber>(as type: Number.Type) -> UnsafeMutablePointer<Number> {
    precondition(elementType == type.elementType, "the tensor has another element type")
    return bytes.assumingMemoryBound(to: type)
  }

  /// The first float of the memory, including the border; only for `fp32` tensors.
  public var base: UnsafeMutablePointer<Float> { base(as: Float.self) }

  /// The bits of the first number of the memory, including the border; only for `bf16` tensors.
  public var base16: UnsafeMutablePointer<UInt16> { base(as: UInt16.self) }

  /// The number of pixels of all images, without borders.
  public var pixels: Int { batch * height * width }

  /// The count of numbers in all images, without borders.
  public var count: Int { pixels * channels }

  /// The distance in memory from one row of pixels to the next, in numbers.
  public var rowStride: Int { (width + 2 * border) * channels }

  /// The index of a pixel's first number in memory; rows and columns start at -border.
  public func offset(_ image: Int, _ y: Int, _ x: Int) -> Int {
    ((image * (height + 2 * border) + y + border) * (width + 2 * border) + x + border) * channels
  }

  /// The first float of a pixel; rows and columns start at -border. Only for `fp32` tensors.
  public func pixel(_ image: Int, _ y: Int, _ x: Int) -> UnsafeMutablePointer<Float> { base + offset(image, y, x) }

  /// The bits of a pixel's first number; rows and columns start at -border. Only for `bf16` tensors.
  public func pixel16(_ image: Int, _ y: Int, _ x: Int) -> UnsafeMutablePointer<UInt16> { base16 + offset(image, y, x) }

  /// The first byte of a pixel; rows and columns start at -border.
  public func pixelBytes(_ image: Int, _ y: Int, _ x: Int) -> UnsafeMutableRawPointer {
    bytes + offset(image, y, x) * elementType.size
  }

  /// The values in memory order, without the border. This is slow: use it for tests and for results of the whole model.
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
