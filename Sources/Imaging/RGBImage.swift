/// An image of 8-bit red, green and blue values.
public struct RGBImage: Hashable, Sendable {
  /// In pixels.
  public let width: Int
  /// In pixels.
  public let height: Int
  /// `[height, width, 3]`, rows from the top, red first.
  public var pixels: [UInt8] {
    didSet { precondition(pixels.count == width * height * 3, "the size of an image cannot change") }
  }

  /// Creates an image from its values.
  ///
  /// - Parameters:
  ///   - width: In pixels, at least 1.
  ///   - height: In pixels, at least 1.
  ///   - pixels: `[height, width, 3]`.
  public init(width: Int, height: Int, pixels: [UInt8]) {
    precondition(width > 0 && height > 0, "an image has at least one pixel")
    precondition(pixels.count == width * height * 3, "an image has three values per pixel")
    self.width = width
    self.height = height
    self.pixels = pixels
  }
}
