/// The format of an image's file.
public enum FileFormat: String, CaseIterable, Codable, Hashable, Sendable {
  case png
  case webp
  case jpeg
}

/// How an image's file is encoded. The id of an image depends on its pixels before this encoding.
public enum ImageEncoding: Hashable, Sendable, CustomStringConvertible {
  case png
  case webp(quality: Int)
  case losslessWebP
  case jpeg(quality: Int)

  /// Whether decoding the file gives exactly the pixels that were encoded.
  public var isLossless: Bool {
    switch self {
    case .png, .losslessWebP: true
    case .webp, .jpeg: false
    }
  }

  /// The extension of the file, with the dot.
  public var ending: String {
    switch self {
    case .png: ".png"
    case .webp, .losslessWebP: ".webp"
    case .jpeg: ".jpg"
    }
  }

  /// All extensions that an image's file can have.
  public static let endings = [".png", ".webp", ".jpg"]

  /// The name in journals and manifests: `png`, `webp 80`, `webp lossless`, `jpeg 80`.
  public var description: String {
    switch self {
    case .png: "png"
    case .webp(let quality): "webp \(quality)"
    case .losslessWebP: "webp lossless"
    case .jpeg(let quality): "jpeg \(quality)"
    }
  }

  /// Reads what `description` wrote; nil for other text.
  public init?(_ text: String) {
    let words = text.split(separator: " ", omittingEmptySubsequences: false)
    let quality = words.count == 2 ? Int(words[1]).flatMap { (1...100).contains($0) ? $0 : nil } : nil
    switch (words[0], quality) {
    case ("png", nil) where words.count == 1: self = .png
    case ("webp", nil) where text == "webp lossless": self = .losslessWebP
    case ("webp", let quality?): self = .webp(quality: quality)
    case ("jpeg", let quality?): self = .jpeg(quality: quality)
    default: return nil
    }
  }
}

extension ImageSettings {
  /// How the image is kept: the encoding of its file, then those of further files. Each encoding occurs once.
  public var encodings: [ImageEncoding] {
    if base.format == .png, base.otherFormats.isEmpty { return [.png] }
    var encodings: [ImageEncoding] = []
    for format in [base.format] + base.otherFormats {
      let encoding: ImageEncoding =
        switch format {
        case .png: .png
        case .webp: base.webPLossless ? .losslessWebP : .webp(quality: base.quality)
        case .jpeg: .jpeg(quality: base.quality)
        }
      if !encodings.contains(encoding) { encodings.append(encoding) }
    }
    return encodings
  }

  /// Whether any setting about the image's files differs from its default.
  public var hasOwnFiles: Bool {
    base.format != .png || !base.otherFormats.isEmpty || base.quality != 80 || base.webPLossless
      || !base.fileName.isEmpty
  }

  /// Copies the settings about files from another image.
  public mutating func takeFiles(of other: ImageSettings) {
    (base.format, base.otherFormats) = (other.base.format, other.base.otherFormats)
    (base.quality, base.webPLossless) = (other.base.quality, other.base.webPLossless)
    base.fileName = other.base.fileName
  }
}
