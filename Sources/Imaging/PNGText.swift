import CZlib

/// A text in a PNG file with its keyword.
public struct PNGText: Hashable, Sendable {
  /// 1 to 79 Latin-1 characters; the webui uses `parameters`.
  public var keyword: String
  /// Any text.
  public var text: String

  /// A text with a keyword.
  public init(keyword: String, text: String) {
    self.keyword = keyword
    self.text = text
  }

  /// The chunk that Pillow, and so the webui, writes for the text: `tEXt` if it is Latin-1, else uncompressed `iTXt`.
  /// Latin-1 whose bytes are UTF-8 as well becomes `iTXt` too.
  func chunk() throws(ImagingError) -> PNGChunk {
    guard let keyword = Self.latin1(keyword), (1...79).contains(keyword.count),
      keyword.allSatisfy({ (0x20...0x7E).contains($0) || $0 >= 0xA1 }), keyword.first != 0x20, keyword.last != 0x20
    else { throw .badKeyword(keyword) }
    // Readers take Latin-1 that is valid UTF-8 for UTF-8, so such text must not be written as Latin-1.
    if let latin1 = Self.latin1(text), Self.text(latin1[...]) == text {
      return PNGChunk(type: "tEXt", data: (keyword + [0] + latin1)[...])
    }
    // Compression flag (off), method, empty language, empty translated keyword.
    return PNGChunk(type: "iTXt", data: (keyword + [0, 0, 0, 0, 0] + Array(text.utf8))[...])
  }

  private static func latin1(_ text: String) -> [UInt8]? {
    var bytes: [UInt8] = []
    for scalar in text.unicodeScalars {
      guard scalar.value < 0x100 else { return nil }
      bytes.append(UInt8(scalar.value))
    }
    return bytes
  }

  // MARK: Reading

  /// The text of a `tEXt`, `zTXt` or `iTXt` chunk; nil for other chunks and for texts that cannot be decompressed.
  init?(_ chunk: PNGChunk) {
    guard ["tEXt", "zTXt", "iTXt"].contains(chunk.type), let end = chunk.data.firstIndex(of: 0) else { return nil }
    keyword = Self.text(latin1: chunk.data[..<end])
    let rest = chunk.data[(end + 1)...]
    switch chunk.type {
    case "tEXt": text = Self.text(rest)
    case "zTXt":
      guard rest.first == 0, let bytes = Self.inflated(rest.dropFirst()) else { return nil }
      text = Self.text(bytes[...])
    default:
      // Compression flag and method, then language and translated keyword, each ended by a zero.
      let fields = rest.dropFirst(2).split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
      guard let flag = rest.first, fields.count == 3 else { return nil }
      guard let bytes = flag == 0 ? Array(fields[2]) : Self.inflated(fields[2]) else { return nil }
      text = String(decoding: bytes, as: UTF8.self)
    }
  }

  /// The text of a chunk that should be Latin-1. Some programs write UTF-8, which Latin-1 hardly ever looks like.
  private static func text(_ bytes: ArraySlice<UInt8>) -> String {
    String(validating: bytes, as: UTF8.self) ?? text(latin1: bytes)
  }

  private static func text(latin1 bytes: ArraySlice<UInt8>) -> String {
    var scalars = String.UnicodeScalarView()
    for byte in bytes { scalars.append(Unicode.Scalar(byte)) }
    return String(scalars)
  }

  /// Texts are small. One that decompresses to more than this many bytes is an attack.
  private static let inflatedLimit = 1 << 24

  private static func inflated(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
    var capacity = 1 << 14
    while capacity <= inflatedLimit {
      var length = uLongf(capacity)
      var status = Z_OK
      let result = [UInt8](unsafeUninitializedCapacity: capacity) { output, count in
        status = bytes.withUnsafeBufferPointer {
          uncompress(output.baseAddress, &length, $0.baseAddress, uLong($0.count))
        }
        count = status == Z_OK ? Int(length) : 0
      }
      if status == Z_OK { return result }
      guard status == Z_BUF_ERROR else { return nil }
      capacity *= 8
    }
    return nil
  }
}
