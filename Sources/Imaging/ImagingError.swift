/// Why a picture could not be read or written.
public enum ImagingError: Error, Hashable, CustomStringConvertible {
  /// The bytes are no PNG, or a damaged one.
  case damagedPNG(String)
  /// The picture is larger than this program reads.
  case tooLarge(width: Int, height: Int, pixelLimit: Int)
  /// A text's keyword is not 1 to 79 printable Latin-1 characters without blanks at its ends.
  case badKeyword(String)
  /// libpng could not write the picture.
  case notEncoded(String)

  /// What was found and what was expected.
  public var description: String {
    switch self {
    case .damagedPNG(let problem): "not a whole PNG file: \(problem)"
    case .tooLarge(let width, let height, let limit):
      "the PNG says it is \(width)x\(height), which is more than the \(limit) pixels that are read"
    case .badKeyword(let keyword): "\"\(keyword)\" is no keyword for a PNG text: 1 to 79 Latin-1 characters are"
    case .notEncoded(let problem): "libpng could not write the image: \(problem)"
    }
  }
}
