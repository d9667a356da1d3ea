import CPNG

/// A PNG file: an image, and texts with keywords.
///
/// Pixels are read and written by libpng's simplified interface, which returns errors. The full interface reports errors by
/// `longjmp`, which Swift does not allow. The simplified interface cannot write texts, so they are inserted as chunks.
public struct PNGFile: Hashable, Sendable {
  /// The image.
  public var image: RGBImage
  /// The texts in the order of the file.
  public var texts: [PNGText]

  /// Creates a file with this image and these texts.
  public init(image: RGBImage, texts: [PNGText] = []) {
    self.image = image
    self.texts = texts
  }

  /// The first text with this keyword; nil if there is none.
  public func text(_ keyword: String) -> String? { texts.first { $0.keyword == keyword }?.text }

  // MARK: Writing

  /// The bytes of the file: only header, texts, pixels and end chunk.
  ///
  /// libpng chooses the filters, and zlib has its default level, so equal images have equal bytes.
  ///
  /// - Parameter isFast: Whether to write no filters, and compress less, for a file that nobody keeps.
  /// - Returns: A PNG of 8-bit RGB.
  /// - Throws: `ImagingError` for a keyword that PNG does not allow, or if libpng reports an error.
  public func encoded(isFast: Bool = false) throws(ImagingError) -> [UInt8] {
    let textChunks = try texts.map { text throws(ImagingError) in try text.chunk() }
    var bytes = PNGChunk.signature
    for chunk in try PNGChunk.all(in: try encodedPixels(isFast: isFast)) {
      // libpng adds a chunk for the colour space sRGB. The webui's files do not have it.
      guard ["IHDR", "IDAT", "IEND"].contains(chunk.type) else { continue }
      chunk.append(to: &bytes)
      if chunk.type == "IHDR" { for text in textChunks { text.append(to: &bytes) } }
    }
    return bytes
  }

  private func encodedPixels(isFast: Bool) throws(ImagingError) -> [UInt8] {
    var control = Self.control()
    defer { png_image_free(&control) }
    control.width = png_uint_32(image.width)
    control.height = png_uint_32(image.height)
    control.format = Self.rgb
    if isFast { control.flags |= png_uint_32(PNG_IMAGE_FLAG_FAST) }
    // More than deflate's worst case, a filter byte for each row, and a chunk header for each 8 KB. If this is too small,
    // libpng reports the size it needs.
    var capacity = png_alloc_size_t(image.pixels.count + image.pixels.count / 8 + image.height + 4096)
    for _ in 0..<2 {
      var status: Int32 = 0
      let bytes = [UInt8](unsafeUninitializedCapacity: Int(capacity)) { output, count in
        status = png_image_write_to_memory(&control, output.baseAddress, &capacity, 0, image.pixels, 0, nil)
        count = status == 0 ? 0 : Int(capacity)
      }
      if status != 0 { return bytes }
      if Self.hasFailed(control) { break }
    }
    throw .notEncoded("libpng could not write the image: \(Self.message(control))")
  }

  // MARK: Reading

  /// The largest number of pixels that is read: 2^28. Larger images are rejected before memory is allocated for them.
  public static let pixelLimit = 1 << 28

  /// Reads a whole file, with every checksum, pixel and text.
  ///
  /// Any PNG is read: palettes, grey, 16 bits and alpha (over white) become 8-bit RGB.
  ///
  /// - Parameter bytes: The file.
  /// - Throws: `ImagingError` for a file that is not a PNG, damaged, or larger than `pixelLimit`.
  public init(decoding bytes: [UInt8]) throws(ImagingError) {
    let chunks = try PNGChunk.all(in: bytes)
    texts = PNGText.all(in: chunks)
    image = try Self.image(bytes, chunks)
  }

  /// The image of a file, whose texts may be damaged.
  ///
  /// - Parameter bytes: The file.
  /// - Returns: The image.
  /// - Throws: `ImagingError` for a file that is not a PNG, damaged, or larger than `pixelLimit`.
  static func image(_ bytes: [UInt8]) throws(ImagingError) -> RGBImage {
    try image(bytes, PNGChunk.all(in: bytes, isChecked: false))
  }

  private static func image(_ bytes: [UInt8], _ chunks: [PNGChunk]) throws(ImagingError) -> RGBImage {
    // libpng would decompress all texts and keep them in memory.
    let skipped = ["tEXt", "zTXt", "iTXt", "sPLT"]
    var needed = bytes
    if chunks.contains(where: { skipped.contains($0.type) }) {
      needed = PNGChunk.signature
      needed.reserveCapacity(bytes.count)
      for chunk in chunks where !skipped.contains(chunk.type) { needed += bytes[chunk.range] }
    }
    // libpng keeps the address between calls, so the bytes must not move.
    return try needed.withUnsafeBufferPointer { bytes throws(ImagingError) in try pixels(of: bytes) }
  }

  private static func pixels(of bytes: UnsafeBufferPointer<UInt8>) throws(ImagingError) -> RGBImage {
    var control = Self.control()
    defer { png_image_free(&control) }
    guard png_image_begin_read_from_memory(&control, bytes.baseAddress, bytes.count) != 0 else {
      throw .damagedPNG(Self.message(control))
    }
    let (width, height) = (Int(control.width), Int(control.height))
    guard width * height <= Self.pixelLimit else {
      throw .tooLarge(width: width, height: height, pixelLimit: Self.pixelLimit)
    }
    control.format = Self.rgb
    // Otherwise libpng treats 16-bit values without gamma information as linear.
    control.flags |= png_uint_32(PNG_IMAGE_FLAG_16BIT_sRGB)
    var background = png_color(red: 255, green: 255, blue: 255)
    var pixels = [UInt8](repeating: 0, count: width * height * 3)
    guard png_image_finish_read(&control, &background, &pixels, 0, nil) != 0 else {
      throw .damagedPNG(Self.message(control))
    }
    return RGBImage(width: width, height: height, pixels: pixels)
  }

  /// The texts of a file. The pixels are not read.
  ///
  /// - Parameter bytes: The file.
  /// - Returns: The texts in the order of the file; texts that cannot be read are left out, see `PNGText.all(in:)`.
  /// - Throws: `ImagingError` for a file that is not a PNG, is truncated, or has a wrong checksum.
  public static func texts(in bytes: [UInt8]) throws(ImagingError) -> [PNGText] {
    PNGText.all(in: try PNGChunk.all(in: bytes))
  }

  /// Replaces the texts of a file and keeps its pixels: the same bytes as `encoded()` for the same image.
  ///
  /// - Parameters:
  ///   - bytes: A file that `encoded()` made.
  ///   - texts: The texts.
  /// - Returns: The file.
  /// - Throws: `ImagingError` for a file that is not a PNG, is truncated, or has a wrong checksum, and for a keyword that PNG does
  ///   not allow.
  public static func replacingTexts(of bytes: [UInt8], by texts: [PNGText]) throws(ImagingError) -> [UInt8] {
    let textChunks = try texts.map { text throws(ImagingError) in try text.chunk() }
    var rewritten = PNGChunk.signature
    for chunk in try PNGChunk.all(in: bytes) where !["tEXt", "zTXt", "iTXt"].contains(chunk.type) {
      chunk.append(to: &rewritten)
      if chunk.type == "IHDR" { for text in textChunks { text.append(to: &rewritten) } }
    }
    return rewritten
  }

  /// Adds texts to a file; its pixels and other parts do not change.
  ///
  /// - Parameters:
  ///   - texts: The texts, which come directly after the header.
  ///   - bytes: The file.
  /// - Returns: The file with the texts.
  /// - Throws: `ImagingError` for a file that is not a PNG or damaged, or a keyword that PNG does not allow.
  public static func adding(_ texts: [PNGText], to bytes: [UInt8]) throws(ImagingError) -> [UInt8] {
    var result = PNGChunk.signature
    for chunk in try PNGChunk.all(in: bytes) {
      chunk.append(to: &result)
      guard chunk.type == "IHDR" else { continue }
      for text in texts { try text.chunk().append(to: &result) }
    }
    return result
  }

  // MARK: libpng

  /// Three 8-bit channels, red first. The header's name for it is a macro that Swift cannot import.
  private static let rgb = png_uint_32(PNG_FORMAT_FLAG_COLOR)

  private static func control() -> png_image {
    var control = png_image()
    control.version = png_uint_32(PNG_IMAGE_VERSION)
    return control
  }

  private static func hasFailed(_ control: png_image) -> Bool { control.warning_or_error & 3 > 1 }

  private static func message(_ control: png_image) -> String {
    withUnsafeBytes(of: control.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }
}
