import CJPEG
import Foundation

/// Reads and writes JPEG files with libjpeg, with the text of the webui.
///
/// Source: ITU-T T.81, annex B: segments with a marker and a length, up to the pixels.
enum JPEGFile {
  static let signature: [UInt8] = [0xFF, 0xD8, 0xFF]
  /// The longest content of a segment: its length field has two bytes and counts itself.
  static let largestSegment = 65_533

  // MARK: Writing

  /// The bytes of a file: the same as Pillow writes for these pixels, and EXIF data.
  static func encoded(_ image: RGBImage, quality: Int, exif: ExifText) throws(ImagingError) -> [UInt8] {
    // Check this before the expensive part.
    _ = try segment(exif)
    var output: UnsafeMutablePointer<UInt8>?
    var size: UInt = 0
    defer { free(output) }
    var message = [CChar](repeating: 0, count: messageSize)
    guard
      sdbatch_jpeg_encode(
        image.pixels, Int32(image.width), Int32(image.height), Int32(quality), &output, &size, &message) != 0
    else { throw .notEncoded("libjpeg could not write the image: \(Self.text(message))") }
    let bytes = Array(UnsafeBufferPointer(start: output, count: Int(size)))
    return adding(0xE1, try segment(exif), to: bytes)
  }

  private static func segment(_ exif: ExifText) throws(ImagingError) -> [UInt8] {
    let data = ExifText.segmentMark + exif.bytes
    guard data.count <= largestSegment else { throw .longText(bytes: data.count, limit: largestSegment) }
    return data
  }

  /// The file with its EXIF data replaced.
  static func replacing(of bytes: [UInt8], by exif: ExifText) throws(ImagingError) -> [UInt8] {
    var bytes = bytes
    let old = segments(bytes).first { $0.marker == 0xE1 && $0.data.starts(with: ExifText.segmentMark) }
    if let old { bytes.removeSubrange((old.data.startIndex - 4)..<old.data.endIndex) }
    return adding(0xE1, try segment(exif), to: bytes)
  }

  /// The file with one more segment, after the JFIF segment.
  static func adding(_ marker: UInt8, _ data: [UInt8], to bytes: [UInt8]) -> [UInt8] {
    var position = 2
    if bytes.count > 6, bytes[2] == 0xFF, bytes[3] == 0xE0 { position = 4 + Int(bytes[4]) << 8 + Int(bytes[5]) }
    let length = data.count + 2
    let segment = [0xFF, marker, UInt8(length >> 8), UInt8(length & 255)] + data
    return Array(bytes[..<min(position, bytes.count)]) + segment + Array(bytes[min(position, bytes.count)...])
  }

  // MARK: Reading

  /// The size of a file's image in pixels.
  static func size(_ bytes: [UInt8]) throws(ImagingError) -> (width: Int, height: Int) { try size(bytes, divisor: 1) }

  /// The image.
  ///
  /// - Parameters:
  ///   - bytes: The file.
  ///   - divisor: 1, 2, 4 or 8: the image becomes as many times smaller, rounded up.
  /// - Returns: The image.
  /// - Throws: `ImagingError` for a damaged file, or a larger one than `PNGFile.pixelLimit`.
  static func image(_ bytes: [UInt8], divisor: Int = 1) throws(ImagingError) -> RGBImage {
    let size = try size(bytes, divisor: divisor)
    var (width, height) = (Int32(size.width), Int32(size.height))
    var message = [CChar](repeating: 0, count: messageSize)
    var pixels = [UInt8](repeating: 0, count: size.width * size.height * 3)
    guard
      sdbatch_jpeg_read(bytes, UInt(bytes.count), UInt32(divisor), &pixels, &width, &height, &message) != 0
    else {
      throw .damaged(.jpeg, Self.text(message))
    }
    return RGBImage(width: size.width, height: size.height, pixels: pixels)
  }

  private static func size(_ bytes: [UInt8], divisor: Int) throws(ImagingError) -> (width: Int, height: Int) {
    var (width, height): (Int32, Int32) = (0, 0)
    var message = [CChar](repeating: 0, count: messageSize)
    guard
      sdbatch_jpeg_read(bytes, UInt(bytes.count), UInt32(divisor), nil, &width, &height, &message) != 0, width > 0,
      height > 0
    else {
      throw .damaged(.jpeg, Self.text(message))
    }
    guard Int(width) * Int(height) <= PNGFile.pixelLimit else {
      throw .tooLarge(width: Int(width), height: Int(height), pixelLimit: PNGFile.pixelLimit)
    }
    return (Int(width), Int(height))
  }

  /// The EXIF data; empty if there are none.
  static func exif(_ bytes: [UInt8]) -> ExifText {
    for segment in segments(bytes) where segment.marker == 0xE1 && segment.data.starts(with: ExifText.segmentMark) {
      return ExifText(segment.data)
    }
    return ExifText(comment: nil)
  }

  /// The segments before the pixels.
  private static func segments(_ bytes: [UInt8]) -> [(marker: UInt8, data: ArraySlice<UInt8>)] {
    var segments: [(marker: UInt8, data: ArraySlice<UInt8>)] = []
    var position = 2
    while position + 4 <= bytes.count, bytes[position] == 0xFF {
      let marker = bytes[position + 1]
      // A marker may have several fill bytes before it.
      if marker == 0xFF {
        position += 1
        continue
      }
      let length = Int(bytes[position + 2]) << 8 + Int(bytes[position + 3])
      guard marker != 0xDA, marker != 0xD9, length >= 2, position + 2 + length <= bytes.count else { break }
      segments.append((marker, bytes[position + 4..<position + 2 + length]))
      position += 2 + length
    }
    return segments
  }

  private static let messageSize = Int(JMSG_LENGTH_MAX)

  private static func text(_ message: [CChar]) -> String {
    String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
