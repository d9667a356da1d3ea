/// An animated PNG: images of one size, shown one after the other. Browsers show it like any other PNG.
///
/// Source: PNG specification, third edition, §11.3.4 (acTL, fcTL, fdAT).
public struct PNGAnimation {
  private var bytes = PNGChunk.signature
  private let count: Int
  private let milliseconds: Int
  private let size: (width: Int, height: Int)
  private var frames = 0
  private var sequence: UInt32 = 0

  /// Creates an animation that repeats without end.
  ///
  /// - Parameters:
  ///   - count: The number of images.
  ///   - width: Of each image.
  ///   - height: Of each image.
  ///   - milliseconds: How long each image is shown, at most 65 535.
  public init(count: Int, width: Int, height: Int, milliseconds: Int) {
    self.count = count
    self.milliseconds = min(65_535, max(1, milliseconds))
    size = (width, height)
  }

  /// Adds the next image.
  ///
  /// - Parameter image: An image of the animation's size.
  /// - Throws: `ImagingError` if it has another size, or if libpng reports an error.
  public mutating func append(_ image: RGBImage) throws(ImagingError) {
    guard image.width == size.width, image.height == size.height else {
      throw .notEncoded("an image of \(image.width)x\(image.height) in an animation of \(size.width)x\(size.height)")
    }
    let chunks = try PNGChunk.all(in: PNGFile(image: image).encoded())
    if frames == 0, let header = chunks.first {
      header.append(to: &bytes)
      PNGChunk(type: "acTL", data: (Self.bigEndian(UInt32(count)) + Self.bigEndian(0))[...]).append(to: &bytes)
    }
    var control = number() + Self.bigEndian(UInt32(size.width)) + Self.bigEndian(UInt32(size.height))
    control += Self.bigEndian(0) + Self.bigEndian(0)
    control += [UInt8(milliseconds >> 8), UInt8(milliseconds & 255), 0x03, 0xE8, 0, 0]
    PNGChunk(type: "fcTL", data: control[...]).append(to: &bytes)
    for chunk in chunks where chunk.type == "IDAT" {
      if frames == 0 {
        chunk.append(to: &bytes)
      } else {
        PNGChunk(type: "fdAT", data: (number() + chunk.data)[...]).append(to: &bytes)
      }
    }
    frames += 1
  }

  /// The bytes of the file; call this after adding all images.
  public func encoded() -> [UInt8] {
    var bytes = bytes
    PNGChunk(type: "IEND", data: []).append(to: &bytes)
    return bytes
  }

  private mutating func number() -> [UInt8] {
    defer { sequence += 1 }
    return Self.bigEndian(sequence)
  }

  private static func bigEndian(_ value: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> UInt32($0)) }
  }
}
