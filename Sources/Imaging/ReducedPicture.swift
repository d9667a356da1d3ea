/// The pixels of an image file for a smaller copy, read as fast as they can be.
public struct ReducedPicture {
  /// The image; of a JPEG perhaps at a half, a quarter or an eighth of its size.
  public let image: RGBImage
  /// The file's own width in pixels.
  public let width: Int
  /// The file's own height in pixels.
  public let height: Int

  /// Reads a file.
  ///
  /// A JPEG can be decoded smaller in less time. It keeps at least twice the size that fits in the box, so that most of the
  /// reduction is left to the caller, who can average linear light.
  ///
  /// - Parameters:
  ///   - bytes: The file.
  ///   - box: The size of the copy at most.
  /// - Throws: `ImagingError` for a file of another format, a damaged one, or one that is larger than `PNGFile.pixelLimit`.
  public init(decoding bytes: [UInt8], box: (width: Int, height: Int)) throws(ImagingError) {
    switch PictureFormat(of: bytes) {
    case .png: image = try PNGFile.image(bytes)
    case .webp: image = try WebPFile.image(bytes)
    case .jpeg:
      let size = try JPEGFile.size(bytes)
      let scale = min(Double(box.width) / Double(size.width), Double(box.height) / Double(size.height))
      image = try JPEGFile.image(bytes, divisor: [8, 4, 2].first { Double($0) * 2 * scale <= 1 } ?? 1)
      (width, height) = size
      return
    case nil: throw .otherFormat
    }
    (width, height) = (image.width, image.height)
  }
}
