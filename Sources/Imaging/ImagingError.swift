/// Why an image could not be read or written.
public enum ImagingError: Error, Hashable, CustomStringConvertible {
  /// The bytes are not a PNG, or a damaged one.
  case damagedPNG(String)
  /// The image is larger than this program reads.
  case tooLarge(width: Int, height: Int, pixelLimit: Int)
  /// A text's keyword is not 1 to 79 printable Latin-1 characters without spaces at its ends.
  case badKeyword(String)
  /// libpng could not write the image.
  case notEncoded(String)

  /// What was found and what was expected.
  public var description: String {
    switch self {
    case .damagedPNG(let problem): "not an intact PNG file: \(problem)"
    case .tooLarge(let width, let height, let limit):
      "the PNG is \(width)x\(height), which is more than the limit of \(limit) pixels"
    case .badKeyword(let keyword): "\"\(keyword)\" is not a keyword for a PNG text, expected 1 to 79 Latin-1 characters"
    case .notEncoded(let problem): "libpng could not write the image: \(problem)"
    }
  }
}
