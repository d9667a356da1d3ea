import CWebP

/// Reads and writes WebP files with libwebp, with the text of the webui.
///
/// Source: RFC 9649, §2: a RIFF file of chunks with four letters and a length.
enum WebPFile {
  /// The longest side that the format can have.
  static let largestSide = 16_383

  // MARK: Writing

  /// The bytes of a file: the same as Pillow writes for these pixels, and EXIF data.
  ///
  /// - Parameters:
  ///   - image: The image.
  ///   - quality: 0 to 100; for a lossless file, the effort.
  ///   - isLossless: Whether the pixels are kept exactly.
  ///   - exif: The EXIF data.
  /// - Returns: The file.
  /// - Throws: `ImagingError` for an image that is too large, or if libwebp reports an error.
  static func encoded(
    _ image: RGBImage, quality: Int, isLossless: Bool, exif: ExifText
  ) throws(ImagingError) -> [UInt8] {
    let picture = try self.picture(image, quality: quality, isLossless: isLossless)
    return file([header(image.width, image.height, flags: exifFlag), picture, Chunk("EXIF", exif.bytes)])
  }

  /// The chunk with an image's pixels, as bytes.
  static func pixelChunk(_ image: RGBImage, quality: Int, isLossless: Bool) throws(ImagingError) -> [UInt8] {
    let picture = try self.picture(image, quality: quality, isLossless: isLossless)
    return chunk(picture.type, picture.data)
  }

  private static func picture(_ image: RGBImage, quality: Int, isLossless: Bool) throws(ImagingError) -> Chunk {
    guard image.width <= largestSide, image.height <= largestSide else {
      throw .tooLong(width: image.width, height: image.height, limit: largestSide)
    }
    var output: UnsafeMutablePointer<UInt8>?
    var size = 0
    let status = sdbatch_webp_encode(
      image.pixels, Int32(image.width), Int32(image.height), Float(quality), isLossless ? 1 : 0, &output, &size)
    defer { WebPFree(output) }
    guard status == 0, let output else { throw .notEncoded("libwebp could not write the image: error \(status)") }
    let chunks = try self.chunks(Array(UnsafeBufferPointer(start: output, count: size)))
    guard let picture = chunks.first(where: { ["VP8 ", "VP8L"].contains($0.type) }) else {
      throw .notEncoded("libwebp wrote no image")
    }
    return picture
  }

  /// The file with its EXIF data replaced; it must have EXIF data.
  static func replacing(of bytes: [UInt8], by exif: ExifText) throws(ImagingError) -> [UInt8] {
    file(
      try chunks(bytes).map { chunk in
        chunk.type == "EXIF" ? Chunk("EXIF", exif.bytes) : chunk
      })
  }

  /// The file with XMP data added.
  static func adding(xmp: [UInt8], to bytes: [UInt8]) throws(ImagingError) -> [UInt8] {
    var chunks = try self.chunks(bytes)
    chunks.removeAll { $0.type == "XMP " }
    if chunks.first?.type == "VP8X", var data = chunks.first.map({ Array($0.data) }), data.count == 10 {
      data[0] |= xmpFlag
      chunks[0].data = data[...]
    } else {
      let image = try self.image(bytes)
      chunks.insert(header(image.width, image.height, flags: xmpFlag), at: 0)
    }
    return file(chunks + [Chunk("XMP ", xmp)])
  }

  private static let exifFlag: UInt8 = 0x08
  private static let xmpFlag: UInt8 = 0x04

  /// The `VP8X` chunk, which a file with more than pixels needs.
  private static func header(_ width: Int, _ height: Int, flags: UInt8) -> Chunk {
    Chunk("VP8X", [flags, 0, 0, 0] + little(width - 1, 3) + little(height - 1, 3))
  }

  private static func file(_ chunks: [Chunk]) -> [UInt8] {
    var body = Array("WEBP".utf8)
    for chunk in chunks { body += self.chunk(chunk.type, chunk.data) }
    return Array("RIFF".utf8) + little(body.count, 4) + body
  }

  /// A chunk as bytes, padded to an even length.
  static func chunk(_ type: String, _ data: some Collection<UInt8>) -> [UInt8] {
    let bytes = Array(type.utf8) + little(data.count, 4) + data
    return data.count % 2 == 1 ? bytes + [0] : bytes
  }

  /// A number of `size` bytes, the lowest first.
  static func little(_ value: Int, _ size: Int) -> [UInt8] {
    (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }

  // MARK: Reading

  static func isWebP(_ bytes: some Collection<UInt8>) -> Bool {
    bytes.starts(with: "RIFF".utf8) && bytes.dropFirst(8).starts(with: "WEBP".utf8)
  }

  static func image(_ bytes: [UInt8]) throws(ImagingError) -> RGBImage {
    _ = try chunks(bytes)
    var features = WebPBitstreamFeatures()
    let status = WebPGetFeatures(bytes, bytes.count, &features)
    guard status == VP8_STATUS_OK else { throw .damaged(.webp, "libwebp cannot read it (error \(status.rawValue))") }
    guard features.has_animation == 0 else { throw .damaged(.webp, "it is an animation, expected one image") }
    let (width, height) = (Int(features.width), Int(features.height))
    guard width > 0, height > 0, width * height <= PNGFile.pixelLimit else {
      throw .tooLarge(width: width, height: height, pixelLimit: PNGFile.pixelLimit)
    }
    let channels = features.has_alpha != 0 ? 4 : 3
    var pixels = [UInt8](repeating: 0, count: width * height * channels)
    let size = pixels.count
    let isRead = pixels.withUnsafeMutableBufferPointer { buffer in
      channels == 3
        ? WebPDecodeRGBInto(bytes, bytes.count, buffer.baseAddress, size, Int32(width * 3)) != nil
        : WebPDecodeRGBAInto(bytes, bytes.count, buffer.baseAddress, size, Int32(width * 4)) != nil
    }
    guard isRead else { throw .damaged(.webp, "its pixels are incomplete or damaged") }
    return RGBImage(width: width, height: height, pixels: channels == 3 ? pixels : overWhite(pixels))
  }

  /// Converts RGBA to RGB, over white as for PNG files.
  private static func overWhite(_ pixels: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(pixels.count / 4 * 3)
    for start in stride(from: 0, to: pixels.count, by: 4) {
      let alpha = Int(pixels[start + 3])
      for channel in 0..<3 {
        result.append(UInt8((Int(pixels[start + channel]) * alpha + 255 * (255 - alpha) + 127) / 255))
      }
    }
    return result
  }

  /// Whether the pixels are kept exactly; false for a damaged file.
  static func isLossless(_ bytes: [UInt8]) -> Bool { (try? chunks(bytes))?.contains { $0.type == "VP8L" } == true }

  /// The EXIF data; empty if there are none.
  static func exif(_ bytes: [UInt8]) throws(ImagingError) -> ExifText {
    let chunk = try chunks(bytes).first { $0.type == "EXIF" }
    return chunk.map { ExifText($0.data) } ?? ExifText(comment: nil)
  }

  private struct Chunk {
    var type: String
    var data: ArraySlice<UInt8>

    init(_ type: String, _ data: [UInt8]) { (self.type, self.data) = (type, data[...]) }
    init(type: String, data: ArraySlice<UInt8>) { (self.type, self.data) = (type, data) }
  }

  /// The chunks of a file. Each must be complete.
  private static func chunks(_ bytes: [UInt8]) throws(ImagingError) -> [Chunk] {
    guard isWebP(bytes) else { throw .damaged(.webp, "it does not begin with WebP's signature") }
    let end = 8 + number(bytes[4..<8])
    guard end <= bytes.count else { throw .damaged(.webp, "it ends at byte \(bytes.count) of \(end)") }
    var chunks: [Chunk] = []
    var position = 12
    while position + 8 <= end {
      let length = number(bytes[position + 4..<position + 8])
      guard length <= end - position - 8 else {
        throw .damaged(.webp, "it ends at byte \(bytes.count), inside a chunk")
      }
      let type = String(decoding: bytes[position..<position + 4], as: UTF8.self)
      chunks.append(Chunk(type: type, data: bytes[position + 8..<position + 8 + length]))
      position += 8 + length + length % 2
    }
    return chunks
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> Int { bytes.reversed().reduce(0) { $0 << 8 | Int($1) } }
}
