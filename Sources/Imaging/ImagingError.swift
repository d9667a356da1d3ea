/// Why an image could not be read or written.
public enum ImagingError: Error, Hashable, CustomStringConvertible {
  /// The bytes are not a PNG file, or a damaged one.
  case damagedPNG(String)
  /// The image has more pixels than this program reads.
  case tooLarge(width: Int, height: Int, pixelLimit: Int)
  /// A text's keyword is not 1 to 79 printable Latin-1 characters without spaces at its ends.
  case badKeyword(String)
  /// The image could not be written.
  case notEncoded(String)
  /// The bytes are not in one of the supported formats.
  case otherFormat
  /// The bytes are a damaged file of this format.
  case damaged(PictureFormat, String)
  /// A side of the image is longer than WebP allows.
  case tooLong(width: Int, height: Int, limit: Int)
  /// The text is longer than JPEG allows.
  case longText(bytes: Int, limit: Int)

  /// What was found, and what was expected.
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
