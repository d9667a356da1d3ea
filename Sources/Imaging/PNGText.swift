import CZlib

/// A text in a PNG file, and its keyword.
public struct PNGText: Hashable, Sendable {
  /// 1 to 79 Latin-1 characters; the webui uses `parameters`.
  public var keyword: String
  /// The text.
  public var text: String

  /// A text with a keyword.
  public init(keyword: String, text: String) {
    self.keyword = keyword
    self.text = text
  }

  /// The chunk that Pillow (used by the webui) writes for the text: `tEXt` if it is Latin-1, otherwise uncompressed `iTXt`.
  /// Latin-1 whose bytes are also valid UTF-8 becomes `iTXt` too.
  func chunk() throws(ImagingError) -> PNGChunk {
    guard let keyword = Self.latin1(keyword), Self.isKeyword(keyword[...]) else { throw .badKeyword(keyword) }
    // Readers decode Latin-1 that is valid UTF-8 as UTF-8, so such text must not be written as Latin-1.
    if let latin1 = Self.latin1(text), Self.text(latin1[...]) == text {
      return PNGChunk(type: "tEXt", data: (keyword + [0] + latin1)[...])
    }
    // Compression flag (off), method, empty language, empty translated keyword.
    return PNGChunk(type: "iTXt", data: (keyword + [0, 0, 0, 0, 0] + Array(text.utf8))[...])
  }

  /// Whether PNG allows the keyword: 1 to 79 printable bytes of Latin-1, without spaces at the ends.
  private static func isKeyword(_ bytes: ArraySlice<UInt8>) -> Bool {
    (1...79).contains(bytes.count) && bytes.allSatisfy { (0x20...0x7E).contains($0) || $0 >= 0xA1 }
      && bytes.first != 0x20 && bytes.last != 0x20
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

  /// The texts of a file's chunks.
  ///
  /// Some texts are left out: those with a keyword that PNG does not allow, those that cannot be decompressed, and compressed
  /// ones as soon as the decompressed texts of the file would exceed `inflatedLimit` in total.
  static func all(in chunks: [PNGChunk]) -> [PNGText] {
    var budget = inflatedLimit
    return chunks.compactMap { PNGText($0, budget: &budget) }
  }

  /// The text of a `tEXt`, `zTXt` or `iTXt` chunk; nil for other chunks and for texts that are left out.
  private init?(_ chunk: PNGChunk, budget: inout Int) {
    guard ["tEXt", "zTXt", "iTXt"].contains(chunk.type), let end = chunk.data.prefix(80).firstIndex(of: 0),
      Self.isKeyword(chunk.data[..<end])
    else { return nil }
    keyword = Self.text(latin1: chunk.data[..<end])
    let rest = chunk.data[(end + 1)...]
    switch chunk.type {
    case "tEXt": text = Self.text(rest)
    case "zTXt":
      guard rest.first == 0, let bytes = Self.inflated(rest.dropFirst(), budget: &budget) else { return nil }
      text = Self.text(bytes[...])
    default:
      // Compression flag and method, then language and translated keyword, each ended by a zero.
      let fields = rest.dropFirst(2).split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
      guard let flag = rest.first, fields.count == 3 else { return nil }
      guard let bytes = flag == 0 ? Array(fields[2]) : Self.inflated(fields[2], budget: &budget) else { return nil }
      text = String(decoding: bytes, as: UTF8.self)
    }
  }

  /// The text of a chunk that should be Latin-1. Some programs write UTF-8 instead; Latin-1 text is hardly ever valid UTF-8.
  private static func text(_ bytes: ArraySlice<UInt8>) -> String {
    String(validating: bytes, as: UTF8.self) ?? text(latin1: bytes)
  }

  private static func text(latin1 bytes: ArraySlice<UInt8>) -> String {
    var scalars = String.UnicodeScalarView()
    for byte in bytes { scalars.append(Unicode.Scalar(byte)) }
    return String(scalars)
  }

  /// The limit for all decompressed texts of a file, in bytes. Texts are small, so a file that exceeds it is an attack.
  static let inflatedLimit = 8 << 20

  /// Decompresses a text; nil if it is damaged or larger than the budget, which is then used up.
  private static func inflated(_ bytes: ArraySlice<UInt8>, budget: inout Int) -> [UInt8]? {
    guard budget > 0 else { return nil }
    var stream = z_stream()
    guard inflateInit_(&stream, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else { return nil }
    defer { inflateEnd(&stream) }
    var input = Array(bytes)
    var result: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 14)
    return input.withUnsafeMutableBufferPointer { input in
      stream.next_in = input.baseAddress
      stream.avail_in = uInt(clamping: input.count)
      while true {
        var status = Z_OK
        let count = piece.withUnsafeMutableBufferPointer { output in
          stream.next_out = output.baseAddress
          stream.avail_out = uInt(output.count)
          status = inflate(&stream, Z_NO_FLUSH)
          return output.count - Int(stream.avail_out)
        }
        budget -= count
        guard budget >= 0, status == Z_OK || status == Z_STREAM_END else { return nil }
        result += piece[..<count]
        if status == Z_STREAM_END { return result }
        // No progress means that the data end too early.
        if count == 0, stream.avail_in == 0 { return nil }
      }
    }
  }
}
