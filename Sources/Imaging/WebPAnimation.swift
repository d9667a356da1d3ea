/// Images of one size, shown one after the other: an animated WebP.
///
/// Every image is a frame of its own. libwebp's encoder of animations would join equal ones.
///
/// Source: RFC 9649, §2.7.1 (VP8X, ANIM, ANMF).
public struct WebPAnimation {
  /// An encoded image. Frames do not depend on each other, so threads can make them.
  public struct Frame: Sendable {
    fileprivate let width: Int
    fileprivate let height: Int
    fileprivate let chunk: [UInt8]

    /// Encodes an image.
    ///
    /// - Parameters:
    ///   - image: The image.
    ///   - quality: 0 to 100; of a lossless frame, the effort.
    ///   - isLossless: Whether the pixels are kept exactly.
    /// - Throws: `ImagingError` for an image that is longer than WebP allows, or if libwebp reports an error.
    public init(_ image: RGBImage, quality: Int = 90, isLossless: Bool) throws(ImagingError) {
      (width, height) = (image.width, image.height)
      chunk = try WebPFile.pixelChunk(image, quality: quality, isLossless: isLossless)
    }
  }

  private let milliseconds: Int
  private let size: (width: Int, height: Int)
  private var body: [UInt8] = []

  /// The size of a file has 32 bits.
  private static let largest = 1 << 32 - 64

  /// An animation that repeats for ever.
  ///
  /// - Parameters:
  ///   - width: Of each image.
  ///   - height: Of each image.
  ///   - milliseconds: How long each is shown, at most 16 777 215.
  public init(width: Int, height: Int, milliseconds: Int) {
    self.milliseconds = min(0xFF_FFFF, max(1, milliseconds))
    size = (width, height)
  }

  /// Adds the next image.
  ///
  /// - Parameter frame: Of the animation's size.
  /// - Throws: `ImagingError` if it has another size, or if the file becomes too large.
  public mutating func append(_ frame: Frame) throws(ImagingError) {
    guard frame.width == size.width, frame.height == size.height else {
      throw .notEncoded("an image of \(frame.width)x\(frame.height) in an animation of \(size.width)x\(size.height)")
    }
    guard body.count + frame.chunk.count < Self.largest else {
      throw .notEncoded("the animation is larger than 4 GiB, which is the limit of WebP files")
    }
    // It covers the whole picture, and replaces what was there.
    let replaces: UInt8 = 0x02
    let position = WebPFile.little(0, 3) + WebPFile.little(0, 3)
    let head =
      position + WebPFile.little(size.width - 1, 3) + WebPFile.little(size.height - 1, 3)
      + WebPFile.little(milliseconds, 3) + [replaces]
    body += WebPFile.chunk("ANMF", head + frame.chunk)
  }

  /// The bytes of the file, after all images.
  public func encoded() -> [UInt8] {
    let animated: UInt8 = 0x02
    let header = [animated, 0, 0, 0] + WebPFile.little(size.width - 1, 3) + WebPFile.little(size.height - 1, 3)
    // White behind the images, and no end of the repetitions.
    let settings: [UInt8] = [255, 255, 255, 255] + WebPFile.little(0, 2)
    let head = Array("WEBP".utf8) + WebPFile.chunk("VP8X", header) + WebPFile.chunk("ANIM", settings)
    return Array("RIFF".utf8) + WebPFile.little(head.count + body.count, 4) + head + body
  }
}
