/// Why an image could not be read or written.
public enum ImagingError: Error, Hashable, CustomStringConvertible {
  /// The bytes are not a PNG, or a damaged one.
  case damagedPNG(String)
  /// The image is larger than this program reads.
  case tooLarge(width: Int, height: Int, pixelLimit: Int)
  /// A text's keyword is not 1 to 79 printable Latin-1 characters without spaces at its ends.
  case badKeyword(String)
  /// The image could not be written.
  case notEncoded(String)
  /// The bytes are of none of the formats.
  case otherFormat
  /// The bytes are a damaged file of this format.
  case damaged(PictureFormat, String)
  /// WebP has no room for such sides.
  case tooLong(width: Int, height: Int, limit: Int)
  /// JPEG has no room for so long a text.
  case longText(bytes: Int, limit: Int)

  /// What was found and what was expected.
  public var description: String {
    switch self {
    case .damagedPNG(let problem): "not an intact PNG file: \(problem)"
    case .tooLarge(let width, let height, let limit):
      "the image is \(width)x\(height), which is more than the limit of \(limit) pixels"
    case .badKeyword(let keyword): "\"\(keyword)\" is not a keyword for a PNG text, expected 1 to 79 Latin-1 characters"
    case .notEncoded(let problem): problem
    case .otherFormat: "not a PNG, JPEG or WebP file"
    case .damaged(let format, let problem): "not an intact \(format.rawValue) file: \(problem)"
    case .tooLong(let width, let height, let limit):
      "the image is \(width)x\(height), and a WebP file's sides have at most \(limit) pixels; use png or jpeg"
    case .longText(let bytes, let limit):
      "its text takes \(bytes) bytes, and a JPEG file has room for \(limit); use png or webp"
    }
  }
}
