/// The formats of image files that are read and written; the raw value is the name to show.
public enum PictureFormat: String, CaseIterable, Hashable, Sendable {
  case png = "PNG"
  case jpeg = "JPEG"
  case webp = "WebP"

  /// The media type (MIME type).
  public var mediaType: String {
    switch self {
    case .png: "image/png"
    case .jpeg: "image/jpeg"
    case .webp: "image/webp"
    }
  }

  /// The format of a file, from its first bytes; nil if it is another one.
  ///
  /// - Parameter bytes: At least the first twelve bytes.
  public init?(of bytes: some Collection<UInt8>) {
    if bytes.starts(with: PNGChunk.signature) {
      self = .png
    } else if bytes.starts(with: JPEGFile.signature) {
      self = .jpeg
    } else if WebPFile.isWebP(bytes) {
      self = .webp
    } else {
      return nil
    }
  }
}

/// An image file in one of the formats, which its content decides.
public struct PictureFile: Hashable, Sendable {
  /// The file's format.
  public var format: PictureFormat
  /// Whether decoding gives exactly the pixels that were encoded.
  public var isLossless: Bool
  /// The image.
  public var image: RGBImage
  /// The texts of a PNG. The comment of another file is under `parameters`, as the webui has it in a PNG.
  public var texts: [PNGText]
  /// What a JPEG or WebP written by this program records about its original image.
  public var note: PictureNote?

  /// The first text with this keyword; nil if there is none.
  public func text(_ keyword: String) -> String? { texts.first { $0.keyword == keyword }?.text }

  /// The same image and texts as a PNG.
  public var png: PNGFile { PNGFile(image: image, texts: texts) }

  /// Reads a whole file.
  ///
  /// - Parameter bytes: The file.
  /// - Throws: `ImagingError` for a file of another format, a damaged one, or one that is larger than `PNGFile.pixelLimit`.
  public init(decoding bytes: [UInt8]) throws(ImagingError) {
    guard let format = PictureFormat(of: bytes) else { throw .otherFormat }
    self.format = format
    switch format {
    case .png:
      let file = try PNGFile(decoding: bytes)
      (isLossless, image, texts) = (true, file.image, file.texts)
    case .jpeg:
      let exif = JPEGFile.exif(bytes)
      (isLossless, image, texts, note) = (false, try JPEGFile.image(bytes), Self.texts(exif), exif.note)
    case .webp:
      let exif = try WebPFile.exif(bytes)
      (isLossless, image) = (WebPFile.isLossless(bytes), try WebPFile.image(bytes))
      (texts, note) = (Self.texts(exif), exif.note)
    }
  }

  /// The texts of a file. The pixels are not read.
  ///
  /// - Parameter bytes: The file.
  /// - Returns: The texts in the order of the file.
  /// - Throws: `ImagingError` for a file of another format or a damaged one.
  public static func texts(in bytes: [UInt8]) throws(ImagingError) -> [PNGText] {
    switch PictureFormat(of: bytes) {
    case .png: try PNGFile.texts(in: bytes)
    case .jpeg: texts(JPEGFile.exif(bytes))
    case .webp: texts(try WebPFile.exif(bytes))
    case nil: throw .otherFormat
    }
  }

  /// The note of a file; nil if there is none. The pixels are not read.
  public static func note(in bytes: [UInt8]) -> PictureNote? {
    switch PictureFormat(of: bytes) {
    case .png, nil: nil
    case .jpeg: JPEGFile.exif(bytes).note
    case .webp: (try? WebPFile.exif(bytes))?.note
    }
  }

  private static func texts(_ exif: ExifText) -> [PNGText] {
    exif.comment.map { [PNGText(keyword: "parameters", text: $0)] } ?? []
  }

  // MARK: Writing

  /// The bytes of a JPEG, with the text in the field that the webui uses.
  ///
  /// - Parameters:
  ///   - image: The image.
  ///   - quality: 1 to 100.
  ///   - text: The text for `UserComment`.
  ///   - note: The note for `MakerNote`.
  /// - Returns: The file; equal images have equal bytes.
  /// - Throws: `ImagingError`, also for a text that is too long for JPEG.
  public static func jpeg(
    _ image: RGBImage, quality: Int, text: String?, note: PictureNote? = nil
  ) throws(ImagingError) -> [UInt8] {
    try JPEGFile.encoded(image, quality: quality, exif: ExifText(comment: text, note: note))
  }

  /// The bytes of a WebP, with the text in the field that the webui uses.
  ///
  /// - Parameters:
  ///   - image: The image.
  ///   - quality: 1 to 100; for a lossless file, the effort.
  ///   - isLossless: Whether the pixels are kept exactly.
  ///   - text: The text for `UserComment`.
  ///   - note: The note for `MakerNote`.
  /// - Returns: The file; equal images have equal bytes.
  /// - Throws: `ImagingError`, also for an image that is larger than WebP allows.
  public static func webp(
    _ image: RGBImage, quality: Int, isLossless: Bool, text: String?, note: PictureNote? = nil
  ) throws(ImagingError) -> [UInt8] {
    try WebPFile.encoded(image, quality: quality, isLossless: isLossless, exif: ExifText(comment: text, note: note))
  }

  /// Replaces the text of a file and keeps its pixels.
  ///
  /// - Parameters:
  ///   - bytes: A file that this program wrote.
  ///   - text: The new text, under `parameters`, or in `UserComment`.
  /// - Returns: The file.
  /// - Throws: `ImagingError` for a file of another format or a damaged one.
  public static func replacingText(of bytes: [UInt8], by text: String) throws(ImagingError) -> [UInt8] {
    switch PictureFormat(of: bytes) {
    case .png: try PNGFile.replacingTexts(of: bytes, by: [PNGText(keyword: "parameters", text: text)])
    case .jpeg: try JPEGFile.replacing(of: bytes, by: ExifText(comment: text, note: JPEGFile.exif(bytes).note))
    case .webp: try WebPFile.replacing(of: bytes, by: ExifText(comment: text, note: try WebPFile.exif(bytes).note))
    case nil: throw .otherFormat
    }
  }

  /// The longest side of a WebP.
  public static let longestWebPSide = WebPFile.largestSide

  /// The most UTF-16 units that the text of a JPEG may have; this leaves room for a note.
  public static let longestJPEGText = 32_000

  /// Adds XMP data to a file; its pixels and other parts do not change.
  ///
  /// - Parameters:
  ///   - xmp: The XMP packet.
  ///   - bytes: The file.
  /// - Returns: The file with the packet.
  /// - Throws: `ImagingError` for a damaged file, or a packet that is too long for JPEG.
  public static func adding(xmp: String, to bytes: [UInt8]) throws(ImagingError) -> [UInt8] {
    switch PictureFormat(of: bytes) {
    case .png: return try PNGFile.adding([PNGText(keyword: "XML:com.adobe.xmp", text: xmp)], to: bytes)
    case .jpeg:
      let data = Array("http://ns.adobe.com/xap/1.0/\0".utf8) + Array(xmp.utf8)
      guard data.count <= JPEGFile.largestSegment else {
        throw .longText(bytes: data.count, limit: JPEGFile.largestSegment)
      }
      return JPEGFile.adding(0xE1, data, to: bytes)
    case .webp: return try WebPFile.adding(xmp: Array(xmp.utf8), to: bytes)
    case nil: throw .otherFormat
    }
  }
}
